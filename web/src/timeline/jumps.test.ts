import { describe, expect, test } from 'vitest';
import type { Result } from '../api/problem';
import type { Coverage, Gap } from '../api/types';
import { type Range, intersection, range } from '../time/range';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US, wallUs } from '../time/timestamp';
import { findBookmark, findGap, leadUs, nearestFootage } from './jumps';

/** Footage from 0 on with gaps in it; answers as the recorder does: merged when there is too much for one answer. */
function recorder(gaps: [number, number][], end = 800 * DAY_US, most = 500) {
  const asked: Range[] = [];
  const whole = range(0, end);
  const ask = async (r: Range): Promise<Result<Coverage>> => {
    asked.push(r);
    const found = gaps.flatMap(([a, b]) => intersection(range(a, b), r) ?? []);
    const merged = found.length * 2 > most;
    const spans = merged ? [] : found;
    const edges = [
      Math.max(r.start, whole.start),
      ...spans.flatMap((g) => [g.start, g.end]),
      Math.min(r.end, whole.end),
    ];
    const runs = Array.from({ length: edges.length / 2 }, (_, i) => ({
      start: edges[2 * i] ?? 0,
      end: edges[2 * i + 1] ?? 0,
    }));
    return {
      ok: true,
      value: {
        resolution_us: merged ? 1 : 0,
        gaps: spans.map(
          (g) => ({ start_us: g.start, end_us: g.end, cause: 'paused', detail: '', ongoing: false }) as Gap,
        ),
        runs: runs
          .filter((run) => run.start < run.end)
          .map((run) => ({ start_us: run.start, end_us: run.end, run: 'a' })),
      } as unknown as Coverage,
    };
  };
  return { asked, ask, bounds: whole };
}

async function jump(found: ReturnType<typeof findGap>): Promise<number | null> {
  const answer = await found;
  if (!answer.ok) throw new Error('it answers');
  return answer.value?.gap.start_us ?? null;
}

describe('the next gap', () => {
  const [a, b, c] = [2 * HOUR_US, 30 * DAY_US, 500 * DAY_US];
  const { ask, bounds } = recorder([
    [a, a + SECOND_US],
    [b, b + HOUR_US],
    [c, c + 5 * DAY_US],
  ]);
  test('is found near and far, in both directions', async () => {
    expect(await jump(findGap(ask, wallUs(HOUR_US), 1, bounds))).toBe(a);
    expect(await jump(findGap(ask, wallUs(a + MINUTE_US), 1, bounds))).toBe(b);
    expect(await jump(findGap(ask, wallUs(b), 1, bounds))).toBe(c);
    expect(await jump(findGap(ask, wallUs(c + 6 * DAY_US), 1, bounds))).toBeNull();
    expect(await jump(findGap(ask, wallUs(c + 6 * DAY_US), -1, bounds))).toBe(c);
    expect(await jump(findGap(ask, wallUs(c), -1, bounds))).toBe(b);
    expect(await jump(findGap(ask, wallUs(b), -1, bounds))).toBe(a);
    expect(await jump(findGap(ask, wallUs(a), -1, bounds))).toBeNull();
  });
  test('is seen coming, and pressing again goes on', async () => {
    const first = await findGap(ask, wallUs(HOUR_US), 1, bounds);
    if (!first.ok || !first.value) throw new Error('it is found');
    expect(first.value.at).toBe(a - leadUs);
    expect(await jump(findGap(ask, first.value.at, 1, bounds))).toBe(b);
  });
  test('takes few questions, each no more than half a year', async () => {
    const { asked, ask, bounds } = recorder([[790 * DAY_US, 791 * DAY_US]]);
    expect(await jump(findGap(ask, wallUs(0), 1, bounds))).toBe(790 * DAY_US);
    expect(asked.length).toBeLessThan(14);
  });
  test('is found among thousands that one answer merges', async () => {
    const many = Array.from({ length: 20_000 }, (_, i): [number, number] => [
      i * HOUR_US + MINUTE_US,
      i * HOUR_US + 2 * MINUTE_US,
    ]);
    const { asked, ask, bounds } = recorder(many, 20_000 * HOUR_US);
    expect(await jump(findGap(ask, wallUs(1000 * HOUR_US + 3 * MINUTE_US), 1, bounds))).toBe(
      1001 * HOUR_US + MINUTE_US,
    );
    expect(asked.length).toBeLessThan(5);
  });
});

test('the nearest footage is found however far it is', async () => {
  const { ask, bounds } = recorder([[DAY_US, 700 * DAY_US]]);
  const near = await nearestFootage(ask, wallUs(600 * DAY_US), bounds);
  expect(near).toEqual({ ok: true, value: 700 * DAY_US });
  const nothing = recorder([[0, 800 * DAY_US]]);
  expect(await nearestFootage(nothing.ask, wallUs(5 * DAY_US), bounds)).toEqual({ ok: true, value: null });
});

test('bookmarks are stepped through', () => {
  const marks = [10, 50, 90].map((s) => ({ ...{ id: `${s}`, at_us: wallUs(s * SECOND_US), end_us: null, title: '' } }));
  const from = (s: number, by: 1 | -1) => findBookmark(marks, wallUs(s * SECOND_US), by)?.id ?? null;
  expect([from(0, 1), from(10, 1), from(90, 1), from(95, -1), from(51, -1), from(10, -1)]).toEqual([
    '10',
    '50',
    null,
    '90',
    '10',
    null,
  ]);
});
