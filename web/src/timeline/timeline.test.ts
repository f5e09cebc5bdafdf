import { describe, expect, test } from 'vitest';
import { type Coverage, type Gap, type GapCause, gapCauses } from '../api/types';
import { range } from '../time/range';
import { scale } from '../time/scale';
import { wallUs } from '../time/timestamp';
import { Boxes, addTile, clearRow, newRow, pushRange } from './boxes';
import { kindOf } from './kinds';
import { fateOf, longest, momentOf, shortGapsAt, union } from './record';
import { tileOf } from './tiles';

function gap(start: number, end: number, cause: GapCause = 'source_silent'): Gap {
  return { start_us: wallUs(start), end_us: wallUs(end), cause, detail: '', ongoing: false };
}

function answer(part: Partial<Coverage>): Coverage {
  const [start_us, end_us, now_us] = [wallUs(0), wallUs(1000), wallUs(1000)];
  return {
    ...{ stream: 'yard', start_us, end_us, now_us, resolution_us: 0, runs: [], gaps: [] },
    ...{ window_start_us: null, holds: [], marked: [] },
    ...part,
  } as Coverage;
}
const run = (start: number, end: number, name: string | null = 'a') => ({
  ...{ start_us: wallUs(start), end_us: wallUs(end), run: name, missing_us: 0, missing_cause: null },
});
const tile = (part: Partial<Coverage>) => tileOf({ level: 0, index: 0 }, answer(part));

describe('boxes', () => {
  const s = scale(range(0, 1000), 100);
  const boxesOf = (ranges: [number, number][], least: number) => {
    const boxes = new Boxes();
    for (const [start, end] of ranges) pushRange(boxes, s, start, end, least);
    return boxes.toArray();
  };
  test('are cut to the view', () => {
    expect(
      boxesOf(
        [
          [-50, 20],
          [400, 500],
          [990, 5000],
        ],
        1,
      ),
    ).toEqual([
      { x: 0, width: 2 },
      { x: 40, width: 10 },
      { x: 99, width: 1 },
    ]);
    expect(
      boxesOf(
        [
          [-50, 0],
          [1000, 1200],
        ],
        1,
      ),
    ).toEqual([]);
  });
  test('are never too narrow to see', () => {
    expect(boxesOf([[500, 501]], 2)[0]?.width).toBeCloseTo(2, 4);
  });
  test('that nearly touch are one', () => {
    expect(
      boxesOf(
        [
          [100, 200],
          [203, 300],
        ],
        1,
      ),
    ).toEqual([{ x: 10, width: 20 }]);
    expect(
      boxesOf(
        [
          [100, 200],
          [210, 300],
        ],
        1,
      ).length,
    ).toBe(2);
  });
  test('are no more than two a pixel however many ranges there are, and their memory grows as needed', () => {
    const many = Array.from({ length: 20_000 }, (_, i): [number, number] => [i * 0.05, i * 0.05 + 0.02]);
    expect(boxesOf(many, 1).length).toBeLessThanOrEqual(200);
    const apart = new Boxes();
    for (let i = 0; i < 1000; i += 1) apart.push(i * 2, i * 2 + 1);
    expect(apart.length).toBe(1000);
    expect(apart.x(999)).toBe(1998);
  });
  test('of a row: footage, gaps by kind as areas and as lines, what is merged, held and on its way out', () => {
    const row = newRow();
    const made = tile({
      resolution_us: 5,
      runs: [{ ...run(0, 300, null), missing_us: 75, missing_cause: 'paused' }, run(400, 990)],
      gaps: [gap(300, 400, 'disk_full'), gap(990, 1000, 'paused')],
      holds: [{ start_us: wallUs(50), end_us: wallUs(100) }],
      window_start_us: wallUs(-5),
    });
    addTile(row, s, made, 0, 1000);
    expect(row.footage.toArray()).toEqual([
      { x: 0, width: 30 },
      { x: 40, width: 59 },
    ]);
    expect(row.mixed.map((b) => b.length)).toEqual([1, 0, 0]);
    expect(row.mixed[0]?.share(0)).toBe(0.25);
    expect(row.areas.map((b) => b.length)).toEqual([0, 0, 1]);
    expect(row.lines.map((b) => b.length)).toEqual([1, 0, 0]);
    expect(row.holds.toArray()).toEqual([{ x: 5, width: 5 }]);
    expect(row.expiring.length).toBe(2);
    clearRow(row);
    expect(row.footage.length + row.known.length + row.holds.length).toBe(0);
  });
  test('of a tile end where the next one begins', () => {
    const row = newRow();
    const whole = tile({ runs: [run(0, 1000)] });
    addTile(row, s, whole, 0, 512);
    addTile(row, s, whole, 512, 1000);
    expect(row.footage.toArray()).toEqual([{ x: 0, width: 100 }]);
  });
});

describe('a moment', () => {
  const made = tile({
    runs: [run(20, 40), run(50, 90)],
    gaps: [gap(40, 50)],
    now_us: wallUs(95),
    holds: [{ start_us: wallUs(55), end_us: wallUs(60) }],
  });
  const known = { first: wallUs(20), now: wallUs(95), footage: [] };
  test.each([
    [0, 'before'],
    [20, 'footage'],
    [39, 'footage'],
    [40, 'gap'],
    [50, 'footage'],
    [90, 'arriving'],
    [95, 'arriving'],
    [96, 'future'],
  ])('at %d is %s', (at, kind) => expect(momentOf(made, wallUs(at), known).kind).toBe(kind));
  test('still loading is unknown, and before the first footage is not', () => {
    expect(momentOf(null, wallUs(30), known).kind).toBe('unknown');
    expect(momentOf(null, wallUs(10), known).kind).toBe('before');
  });
  test('of a stream without footage is before the first', () => {
    expect(momentOf(tile({}), wallUs(30), { ...known, first: null }).kind).toBe('before');
  });
  test('in a gap that lasts still is in it, also after the answer', () => {
    const ongoing = { ...gap(60, 80), ongoing: true };
    const found = momentOf(tile({ runs: [run(20, 60)], gaps: [ongoing], now_us: wallUs(80) }), wallUs(90), known);
    expect(found.kind).toBe('gap');
  });
  test('that has left the retention window says so', () => {
    expect(momentOf(tile({ window_start_us: wallUs(30) }), wallUs(10), known).kind).toBe('expired');
  });
  test('that the player knows to be footage is no gap any more', () => {
    expect(momentOf(made, wallUs(45), { ...known, footage: [range(40, 50)] }).kind).toBe('footage');
  });
  test('says how much around it lies in gaps too short to be told apart', () => {
    const merged = { ...run(0, 100, null), missing_us: 25, missing_cause: 'overload' as const };
    const made = tile({ runs: [merged, run(100, 200)], resolution_us: 50 });
    expect(shortGapsAt(made, wallUs(50))).toEqual({ share: 0.25, kind: 'recorder' });
    expect(shortGapsAt(made, wallUs(150))).toBeNull();
    expect(shortGapsAt(null, wallUs(50))).toBeNull();
  });
  test('says what becomes of it: held, given up, leaving soon', () => {
    expect(fateOf(made, wallUs(56))).toEqual({ held: true, marked: null, leaves: null });
    const marked = [{ start_us: 20, end_us: 30, due_us: 2000 }];
    const leaving = tile({ runs: [run(0, 1000)], window_start_us: wallUs(10), marked } as Partial<Coverage>);
    expect(fateOf(leaving, wallUs(25)).marked?.due).toBe(2000);
    // At 1000 the window begins at 10: what was recorded at 40 leaves at 1030.
    expect(fateOf(leaving, wallUs(40)).leaves).toBe(1030);
    expect(fateOf(null, wallUs(40))).toEqual({ held: false, marked: null, leaves: null });
  });
});

describe('sums', () => {
  test('join what touches and overlaps', () => {
    expect(union([range(50, 60), range(0, 10)], [range(10, 20), range(55, 70)])).toEqual([range(0, 20), range(50, 70)]);
  });
  test('of gaps keep the longest in time order', () => {
    const all = [gap(0, 5), gap(20, 21), gap(30, 50), gap(60, 62)];
    const kept = longest(all, 3);
    expect(kept.gaps.map((g) => [g.start_us, g.end_us])).toEqual([
      [0, 5],
      [30, 50],
      [60, 62],
    ]);
    expect(kept.left).toBe(1);
  });
});

test('every cause of a gap has its colour', () => {
  for (const cause of gapCauses) expect(['source', 'recorder', 'planned']).toContain(kindOf(cause));
});
