import { expect, test } from 'vitest';
import { wallUs } from '../time/timestamp';
import { thumbIn, thumbsOf } from './thumbnails';

const listed = [
  { at_us: 100, until_us: 200, image: 'thumbnails/b1.jpg', x: 0, y: 0, w: 160, h: 90 },
  { at_us: 200, until_us: 300, image: 'thumbnails/b1.jpg', x: 160, y: 0, w: 160, h: 90 },
  { at_us: 400, until_us: 500, image: 'frame.jpg?at=4&width=160' },
];
const thumbs = thumbsOf({ thumbnails: listed }, 'http://host/v1/streams/yard/thumbnails.json?start=0&end=1');

test('thumbnails are found by the time they are of, and none stands for a gap', () => {
  const x = (at: number) => thumbIn(thumbs, wallUs(at))?.x;
  expect([99, 100, 199, 200, 299, 300, 399].map(x)).toEqual([undefined, 0, 0, 160, 160, undefined, undefined]);
});

test('their pictures lie beside the list that names them', () => {
  expect(thumbs[0]?.url).toBe('http://host/v1/streams/yard/thumbnails/b1.jpg');
  expect(thumbs[2]).toMatchObject({ url: 'http://host/v1/streams/yard/frame.jpg?at=4&width=160', w: 0 });
  expect(thumbsOf({}, 'http://host/')).toEqual([]);
});
