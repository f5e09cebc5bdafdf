import { describe, expect, test } from 'vitest';
import { fromInput, toInput } from '../../../time/input';
import { DAY_US, HOUR_US, type WallUs, fromRfc3339, shift, toShortRfc3339, wallUs } from '../../../time/timestamp';
import { idFrom, isSource } from '../manage/source';
import { place } from './picture';
import { ruleOf } from './receipt';
import { storageLines } from './storage';
import { addMonths, lastLeaves, promisedFrom } from './window';

const at = (text: string) => fromRfc3339(text) ?? wallUs(0);
const said = (t: WallUs | null) => (t === null ? null : toShortRfc3339(t));

describe('a window', () => {
  test.each([
    ['2026-03-31T12:00:00Z', -1, '2026-02-28T13:00:00Z'],
    ['2026-05-31T12:00:00Z', -3, '2026-02-28T13:00:00Z'],
    ['2024-02-29T12:00:00Z', 12, '2025-02-28T12:00:00Z'],
    ['2026-01-15T12:00:00Z', -1, '2025-12-15T12:00:00Z'],
  ])('counts calendar months in the account’s zone, the day clamped: %s %i', (from, months, expected) =>
    expect(said(addMonths(at(from), months, 'Europe/Paris'))).toBe(expected),
  );
  test('is never shorter than 30 days a month', () => {
    const now = at('2026-03-15T12:00:00Z');
    expect(promisedFrom(now, { months: 1 }, null, 'UTC')).toBe(now - 30 * DAY_US);
    expect(said(promisedFrom(at('2026-01-15T12:00:00Z'), { months: 1 }, null, 'UTC'))).toBe('2025-12-15T12:00:00Z');
  });
  test('is shortened by a cap, and never lengthened', () => {
    const now = at('2026-05-15T12:00:00Z');
    expect(promisedFrom(now, { months: 3 }, 48, 'UTC')).toBe(now - 48 * HOUR_US);
    expect(promisedFrom(now, { months: 1 }, 24 * 365, 'UTC')).toBe(now - 30 * DAY_US);
    expect(promisedFrom(now, 'unlimited', null, 'UTC')).toBeNull();
  });
  test('says when the last of a stream leaves', () => {
    const end = at('2026-01-31T12:00:00Z');
    expect(said(lastLeaves(end, { months: 1 }, null, 'UTC'))).toBe('2026-03-02T12:00:00Z');
    expect(lastLeaves(end, { months: 3 }, 24, 'UTC')).toBe(end + DAY_US);
    expect(lastLeaves(end, 'unlimited', null, 'UTC')).toBeNull();
  });
});

describe('the picture of a window', () => {
  const axis = { start: wallUs(0), end: wallUs(1000) };
  test('leaves out what is beside the axis, and shows what is short', () => {
    expect(place({ start: wallUs(-50), end: wallUs(-1) }, axis)).toBeNull();
    expect(place({ start: wallUs(1000), end: wallUs(1001) }, axis)).toBeNull();
    expect(place({ start: wallUs(-50), end: wallUs(100) }, axis)).toEqual({ x: 0, width: 100 });
    expect(place({ start: wallUs(500), end: wallUs(501) }, axis)).toEqual({ x: 500, width: 1.5 });
  });
});

test('history and forecast are one line without a hole', () => {
  const day = (d: string, stored_bytes: number) => ({ day: d, stored_bytes, added_bytes: 0, removed_bytes: 0 });
  expect(
    storageLines({
      days: [day('2026-05-02', 2), day('2026-05-01', 1)],
      streams: [],
      forecast: [
        { day: '2026-05-02', stored_bytes: 9 },
        { day: '2026-05-03', stored_bytes: 3 },
      ],
    }),
  ).toEqual({
    days: ['2026-05-01', '2026-05-02', '2026-05-03'],
    stored: [1, 2, null],
    forecast: [null, 2, 3],
  });
});

test('the rule of a receipt is read as the judge wrote it', () => {
  expect(ruleOf({ reason: 'plan', months: 3, plan: 'basic' })).toEqual({ kind: 'plan', months: 3 });
  expect(ruleOf({ reason: 'cap', hours: 48, plan: 'basic' })).toEqual({ kind: 'cap', hours: 48 });
  expect(ruleOf({ reason: 'whim' })).toEqual({ kind: 'other', text: '{"reason":"whim"}' });
});

describe('a new stream', () => {
  test.each([
    ['Porte d’entrée', 'porte-d-entree'],
    ['  Front door #2 ', 'front-door-2'],
    ['日本', ''],
    ['x'.repeat(70), 'x'.repeat(64)],
  ])('is called after its title: %s', (title, id) => expect(idFrom(title)).toBe(id));
  test.each([
    ['rtsp://a:b@192.0.2.7/x', true],
    ['SRT://host:9000', true],
    ['ftp://host/x', false],
    ['rtsp://', false],
    ['192.0.2.7', false],
  ])('has a source that can be one: %s', (text, expected) => expect(isSource(text)).toBe(expected));
});

describe('a field for date and time', () => {
  test('speaks the viewer’s zone, and gives back what it was given', () => {
    const moment = at('2026-07-01T10:00:05Z');
    expect(toInput(moment, 'Europe/Paris')).toBe('2026-07-01T12:00:05');
    expect(fromInput('2026-07-01T12:00:05', 'Europe/Paris')).toBe(moment);
    expect(fromInput('2026-07-01T12:00', 'Europe/Paris')).toBe(shift(moment, -5_000_000));
  });
  test('is nothing while it is half typed', () => expect(fromInput('2026-07-', 'UTC')).toBeNull());
});
