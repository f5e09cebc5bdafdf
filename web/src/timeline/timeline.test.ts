import { describe, expect, test } from 'vitest';
import { type Gap, type GapCause, gapCauses } from '../api/types';
import { range } from '../time/range';
import { scale } from '../time/scale';
import { HOUR_US, MINUTE_US, SECOND_US, fromRfc3339, wallUs } from '../time/timestamp';
import { UTC, dayRange } from '../time/zone';
import { boxes } from './boxes';
import { kindOf } from './kinds';
import { type Recorded, gapsWithin, momentAt, recordedUs, union } from './record';
import { ticks } from './ticks';

function gap(start: number, end: number, cause: GapCause = 'source_silent'): Gap {
  return { start_us: wallUs(start), end_us: wallUs(end), cause, detail: '', ongoing: false };
}

describe('boxes', () => {
  const s = scale(range(0, 1000), 100);
  test('are cut to the view', () => {
    expect(boxes([range(-50, 20), range(400, 500), range(990, 5000)], s, 1)).toEqual([
      { x: 0, width: 2 },
      { x: 40, width: 10 },
      { x: 99, width: 1 },
    ]);
    expect(boxes([range(-50, 0), range(1000, 1200)], s, 1)).toEqual([]);
  });
  test('are never too narrow to see', () => {
    expect(boxes([range(500, 501)], s, 2)).toEqual([{ x: 49.05, width: 2 }]);
  });
  test('that nearly touch are one', () => {
    expect(boxes([range(100, 200), range(203, 300)], s, 1)).toEqual([{ x: 10, width: 20 }]);
    expect(boxes([range(100, 200), range(210, 300)], s, 1).length).toBe(2);
  });
  test('are at most one per pixel however many ranges there are', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => range(i * 0.05, i * 0.05 + 0.02));
    expect(boxes(many, s, 1).length).toBeLessThanOrEqual(100);
  });
});

describe('ticks', () => {
  const labels = (r: { start: number; end: number }, zone = UTC, px = 64, width = 1000) =>
    ticks(scale(range(r.start, r.end), width), zone, px)
      .map((t) => t.label)
      .filter(Boolean);
  test('of a day are two hours apart on a wide bar and six on a narrow one', () => {
    const day = dayRange('2026-05-03', UTC);
    expect(labels(day).slice(0, 4)).toEqual(['00:00', '02:00', '04:00', '06:00']);
    expect(labels(day, UTC, 64, 336)).toEqual(['00:00', '06:00', '12:00', '18:00']);
  });
  test('stay on the hours of the clock when the clocks change', () => {
    expect(labels(dayRange('2026-03-29', 'Europe/Paris'), 'Europe/Paris', 64, 336)).toEqual([
      '00:00',
      '06:00',
      '12:00',
      '18:00',
    ]);
    // 02:00 comes twice, and so does its label.
    expect(labels(dayRange('2026-10-25', 'Europe/Paris'), 'Europe/Paris').slice(0, 4)).toEqual([
      '00:00',
      '02:00',
      '02:00',
      '04:00',
    ]);
  });
  test('of a zone with an odd quarter stand on its own hours', () => {
    expect(labels(dayRange('2026-05-03', 'Asia/Kathmandu'), 'Asia/Kathmandu')[1]).toBe('02:00');
  });
  test('show seconds when zoomed in', () => {
    const start = fromRfc3339('2026-05-03T14:00:00Z') ?? 0;
    expect(labels({ start, end: start + MINUTE_US })).toEqual([
      '14:00:00',
      '14:00:05',
      ...['10', '15', '20', '25', '30', '35', '40', '45', '50', '55'].map((s) => `14:00:${s}`),
    ]);
  });
  test('are bounded at every zoom', () => {
    for (let us = MINUTE_US; us < 48 * HOUR_US; us *= 1.7) {
      expect(ticks(scale(range(0, us), 2000), 'Europe/Paris', 64).length).toBeLessThan(300);
    }
  });
});

describe('a moment', () => {
  const record: Recorded = {
    range: range(0, 100),
    footage: [range(20, 40), range(50, 90)],
    gaps: [gap(40, 50)],
    first: wallUs(20),
    now: wallUs(95),
  };
  test.each([
    [0, 'before'],
    [20, 'footage'],
    [39, 'footage'],
    [40, 'gap'],
    [50, 'footage'],
    [90, 'arriving'],
    [95, 'arriving'],
    [96, 'future'],
  ])('at %d is %s', (at, kind) => expect(momentAt(record, wallUs(at)).kind).toBe(kind));
  test('of a day still loading is unknown', () => {
    expect(momentAt(null, wallUs(30)).kind).toBe('unknown');
  });
  test('of a stream without footage is before the first', () => {
    expect(momentAt({ ...record, footage: [], gaps: [], first: null }, wallUs(30)).kind).toBe('before');
  });
  test('that the player knows to be footage is no gap any more', () => {
    expect(momentAt({ ...record, footage: union(record.footage, [range(40, 50)]) }, wallUs(45)).kind).toBe('footage');
  });
});

describe('sums', () => {
  test('join what touches and overlaps', () => {
    expect(union([range(50, 60), range(0, 10)], [range(10, 20), range(55, 70)])).toEqual([range(0, 20), range(50, 70)]);
  });
  test('count what is recorded inside a range', () => {
    expect(recordedUs([range(0, 10), range(20, 30)], range(5, 25))).toBe(10);
  });
  test('of gaps are cut to the day, and the longest are kept in time order', () => {
    const all = [gap(-10, 5), gap(20, 21), gap(30, 50), gap(60, 62), gap(200, 300)];
    const cut = gapsWithin(all, range(0, 100), 3);
    expect(cut.gaps.map((g) => [g.start_us, g.end_us])).toEqual([
      [0, 5],
      [30, 50],
      [60, 62],
    ]);
    expect(cut.left).toBe(1);
    expect(gapsWithin([gap(5, 5 + SECOND_US)], range(0, 5), 9)).toEqual({ gaps: [], left: 0 });
  });
});

test('every cause of a gap has its colour', () => {
  for (const cause of gapCauses) expect(['source', 'recorder', 'planned']).toContain(kindOf(cause));
});
