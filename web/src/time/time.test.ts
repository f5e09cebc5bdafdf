import { describe, expect, test } from 'vitest';
import { formatBytes, formatClock, formatDay, formatDuration, formatStamp } from './format';
import { parseTime } from './parse';
import { clamp, contains, intersection, range } from './range';
import { centred, panned, scale, toTime, toX, usPerPx, zoomed } from './scale';
import { HOUR_US, MINUTE_US, SECOND_US, fromRfc3339, toRfc3339, toShortRfc3339, wallUs } from './timestamp';
import { UTC, civil, dayOf, dayRange, fromCivil, offsetName, onDay, parseDay, shiftDay } from './zone';

const PARIS = 'Europe/Paris';

function at(text: string) {
  const t = fromRfc3339(text);
  if (t === null) throw new Error(`not a time: ${text}`);
  return t;
}

describe('timestamps', () => {
  test('survive a round trip through RFC 3339 to the microsecond', () => {
    expect(toRfc3339(at('2026-05-03T14:00:00.250001Z'))).toBe('2026-05-03T14:00:00.250001Z');
    expect(toShortRfc3339(at('2026-05-03T14:00:00.250Z'))).toBe('2026-05-03T14:00:00.25Z');
    expect(toShortRfc3339(at('2026-05-03T14:00:00Z'))).toBe('2026-05-03T14:00:00Z');
    expect(at('2026-05-03T16:00:00+02:00')).toBe(at('2026-05-03T14:00:00Z'));
    expect(toRfc3339(wallUs(-1))).toBe('1969-12-31T23:59:59.999999Z');
  });

  test.each(['', 'yesterday', '2026-05-03', '2026-05-03T14:00Z', '2026-13-03T14:00:00Z', '2026-05-03T14:00:00'])(
    'that are not complete are refused: %s',
    (text) => expect(fromRfc3339(text)).toBeNull(),
  );
});

describe('ranges', () => {
  const r = range(10, 20);
  test('are half-open', () => {
    expect([9, 10, 19, 20].map((t) => contains(r, wallUs(t)))).toEqual([false, true, true, false]);
    expect(clamp(wallUs(50), r)).toBe(19);
    expect(clamp(wallUs(5), r)).toBe(10);
  });
  test('that only touch share nothing', () => {
    expect(intersection(r, range(20, 30))).toBeNull();
    expect(intersection(r, range(15, 30))).toEqual(range(15, 20));
  });
});

describe('days', () => {
  test('have 23 or 25 hours when the clocks change', () => {
    const hours = (day: string) => (dayRange(day, PARIS).end - dayRange(day, PARIS).start) / HOUR_US;
    expect(hours('2026-03-29')).toBe(23);
    expect(hours('2026-10-25')).toBe(25);
    expect(hours('2026-06-01')).toBe(24);
    expect(dayRange('2026-06-01', PARIS).start).toBe(at('2026-05-31T22:00:00Z'));
  });
  test('that begin at one o’clock because the clocks skip midnight still begin', () => {
    const day = dayRange('2019-09-08', 'America/Santiago');
    expect(day.start).toBe(at('2019-09-08T04:00:00Z'));
    expect((day.end - day.start) / HOUR_US).toBe(23);
  });
  test('follow the calendar when stepped', () => {
    expect(shiftDay('2024-02-28', 1)).toBe('2024-02-29');
    expect(shiftDay('2026-01-01', -1)).toBe('2025-12-31');
    expect(parseDay('2026-02-30')).toBeNull();
  });
  test('keep the time of day when stepped over a clock change', () => {
    const before = at('2026-03-28T13:00:00Z');
    expect(formatClock(onDay(before, '2026-03-29', PARIS), PARIS)).toBe('14:00:00');
  });
  test('depend on the zone', () => {
    expect(dayOf(at('2026-05-03T23:30:00Z'), UTC)).toBe('2026-05-03');
    expect(dayOf(at('2026-05-03T23:30:00Z'), PARIS)).toBe('2026-05-04');
  });
});

describe('clock time', () => {
  const c = { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0, us: 0 };
  test('shown twice in autumn is the first of the two, and says so', () => {
    expect(fromCivil(c, PARIS)).toEqual({ at: at('2026-10-25T00:30:00Z'), kind: 'twice' });
  });
  test('skipped in spring is the moment it would have been, and says so', () => {
    expect(fromCivil({ ...c, month: 3, day: 29 }, PARIS)).toEqual({ at: at('2026-03-29T01:30:00Z'), kind: 'skipped' });
  });
  test('goes to the calendar and back', () => {
    const t = at('2026-05-03T14:03:22.250000Z');
    expect(fromCivil(civil(t, PARIS), PARIS)).toEqual({ at: t, kind: 'once' });
  });
  test('names its distance from UTC', () => {
    expect(offsetName(at('2026-05-03T14:00:00Z'), PARIS)).toBe('UTC+2');
    expect(offsetName(at('2026-01-03T14:00:00Z'), 'America/St_Johns')).toBe('UTC−3:30');
    expect(offsetName(at('2026-01-03T14:00:00Z'), UTC)).toBe('UTC');
  });
});

describe('typed times', () => {
  const context = { zone: PARIS, day: '2026-05-03', now: at('2026-05-03T18:00:00Z') };
  test.each([
    ['14:03', '2026-05-03T12:03:00Z'],
    ['14:03:22', '2026-05-03T12:03:22Z'],
    ['14:03:22.5', '2026-05-03T12:03:22.500000Z'],
    ['14:03:22,25', '2026-05-03T12:03:22.250000Z'],
    ['  9:05 ', '2026-05-03T07:05:00Z'],
    ['14h03', '2026-05-03T12:03:00Z'],
    ['14h', '2026-05-03T12:00:00Z'],
    ['1403', '2026-05-03T12:03:00Z'],
    ['140322', '2026-05-03T12:03:22Z'],
    ['2026-05-02 14:03', '2026-05-02T12:03:00Z'],
    ['2026-05-02T14:03:22', '2026-05-02T12:03:22Z'],
    ['2026-05-02, 14:03', '2026-05-02T12:03:00Z'],
    ['2/5/2026 14:03', '2026-05-02T12:03:00Z'],
    ['02.05.2026 14:03:22', '2026-05-02T12:03:22Z'],
    ['2026-05-02', '2026-05-01T22:00:00Z'],
    ['2026-05-02T14:03:22Z', '2026-05-02T14:03:22Z'],
    ['2026-05-02 14:03:22-03:00', '2026-05-02T17:03:22Z'],
    ['-90s', '2026-05-03T17:58:30Z'],
    ['-15 min', '2026-05-03T17:45:00Z'],
    ['−1,5h', '2026-05-03T16:30:00Z'],
    ['-2j', '2026-05-01T18:00:00Z'],
  ])('%s', (text, expected) => {
    expect(parseTime(text, context)).toEqual({ kind: 'time', at: at(expected), clock: 'once' });
  });
  test.each([
    ['', 'empty'],
    ['   ', 'empty'],
    ['now', 'now'],
    ['Direct', 'now'],
    ['tomorrow', 'unclear'],
    ['14:3', 'unclear'],
    ['14:03:22:11', 'unclear'],
    ['2026-05-02 14:03 pm', 'unclear'],
    ['-', 'unclear'],
    ['25:00', 'impossible'],
    ['14:61', 'impossible'],
    ['2026-02-30 12:00', 'impossible'],
    ['31/02/2026 12:00', 'impossible'],
  ])('%j is %s', (text, kind) => expect(parseTime(text, context).kind).toBe(kind));
  test('in the hour that comes twice say so', () => {
    expect(parseTime('2026-10-25 02:30', context)).toMatchObject({ clock: 'twice' });
  });
});

describe('the scale', () => {
  const day = range(0, 24 * HOUR_US);
  const s = scale(day, 1440);
  test('maps time to pixels and back', () => {
    expect(usPerPx(s)).toBe(MINUTE_US);
    expect(toX(s, wallUs(6 * HOUR_US))).toBe(360);
    expect(toTime(s, 720)).toBe(12 * HOUR_US);
    expect(toX(s, wallUs(-HOUR_US))).toBe(-60);
  });
  test('keeps the moment under the pointer when zooming', () => {
    const z = scale(zoomed(s, 4, 360, day, MINUTE_US), 1440);
    expect(toX(z, wallUs(6 * HOUR_US))).toBeCloseTo(360, 6);
    expect(z.range.end - z.range.start).toBe(6 * HOUR_US);
  });
  test('never leaves its bounds nor zooms past its limits', () => {
    expect(zoomed(s, 0.1, 700, day, MINUTE_US)).toEqual(day);
    const tiny = zoomed(s, 1e9, 0, day, MINUTE_US);
    expect(tiny).toEqual(range(0, MINUTE_US));
    const z = scale(range(0, HOUR_US), 1440);
    expect(panned(z, -500, day).start).toBe(0);
    expect(panned(z, 1e9, day).end).toBe(day.end);
    expect(centred(z, wallUs(12 * HOUR_US), day)).toEqual(range(11.5 * HOUR_US, 12.5 * HOUR_US));
  });
  test('is never narrower than a pixel', () => {
    expect(scale(day, 0).width).toBe(1);
  });
});

describe('formats', () => {
  const t = at('2026-05-03T14:03:22.250999Z');
  test('write times with as much as was asked for', () => {
    expect(formatClock(t, UTC, 'minute')).toBe('14:03');
    expect(formatClock(t, UTC)).toBe('14:03:22');
    expect(formatClock(t, PARIS, 'millisecond')).toBe('16:03:22.250');
    expect(formatStamp(t, PARIS)).toBe('2026-05-03 16:03:22');
  });
  test('write days in the reader’s language', () => {
    // Whether a comma follows the weekday depends on the browser's version of the locale data.
    expect(formatDay('2026-05-03', 'en')).toMatch(/^Sunday,? 3 May 2026$/);
    expect(formatDay('2026-05-03', 'fr')).toBe('dimanche 3 mai 2026');
  });
  test.each([
    [400_000, '0.4 s'],
    [42 * SECOND_US, '42 s'],
    [4 * MINUTE_US + 12 * SECOND_US, '4 min 12 s'],
    [2 * HOUR_US, '2 h'],
    [2 * HOUR_US + 5 * MINUTE_US, '2 h 5 min'],
    [76 * HOUR_US, '3 d 4 h'],
    [-5, '0 s'],
  ])('write lengths: %d', (us, text) => expect(formatDuration(us, 'en').replaceAll('\u00a0', ' ')).toBe(text));
  test('write sizes', () => {
    expect(formatBytes(0, 'en')).toBe('0 byte');
    expect(formatBytes(1_440_000_000, 'en')).toBe('1.4 GB');
    expect(formatBytes(1_440_000_000, 'fr').replace(/\s/, ' ')).toBe('1,4 Go');
  });
});
