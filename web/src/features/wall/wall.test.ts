import { expect, test } from 'vitest';
import { columnsFor, tilesOf } from './layout';

test('tiles are as large as the screen allows', () => {
  expect(columnsFor(9, 1440, 720)).toBe(3);
  expect(columnsFor(4, 1440, 720)).toBe(2);
  expect(columnsFor(2, 1440, 500)).toBe(2);
  expect(columnsFor(2, 390, 600)).toBe(1);
  expect(columnsFor(3, 1600, 300)).toBe(3);
  expect(columnsFor(1, 100, 100)).toBe(1);
  expect(columnsFor(0, 100, 100)).toBe(1);
});

test('an address shows each stream once, and nine at most', () => {
  expect(tilesOf(['a', 'b', 'a'])).toEqual(['a', 'b']);
  expect(tilesOf([...'abcdefghijkl'])).toEqual([...'abcdefghi']);
});
