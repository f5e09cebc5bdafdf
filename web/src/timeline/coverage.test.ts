import { describe, expect, test } from 'vitest';
import type { Result } from '../api/problem';
import type { Coverage } from '../api/types';
import { type Range, length, range } from '../time/range';
import { DAY_US, HOUR_US, SECOND_US, wallUs } from '../time/timestamp';
import { CoverageStore } from './coverage';
import { coarsest, joinGaps, levelFor, pairAt, resolutionS, tileRange, tileUs, tilesOf, wantedTiles } from './tiles';

const start = 20_000 * DAY_US;

function answer(r: Range): Coverage {
  return {
    ...{ stream: 'yard', start_us: r.start, end_us: r.end, now_us: wallUs(start + 900 * DAY_US), resolution_us: 0 },
    ...{
      runs: [{ start_us: r.start, end_us: r.end, run: 'a', missing_us: 0, missing_cause: null }],
      gaps: [],
      window_start_us: null,
      holds: [],
      marked: [],
    },
  } as Coverage;
}

/** A recorder that answers when it is told to. */
function slow() {
  const asked: {
    r: Range;
    resolution: number | undefined;
    signal: AbortSignal;
    done: (ok?: boolean) => Promise<void>;
  }[] = [];
  const clock = { ms: 0 };
  const store = new CoverageStore(
    (r, resolution, signal) =>
      new Promise<Result<Coverage>>((tell) => {
        const done = async (ok = true) => {
          tell(ok ? { ok, value: answer(r) } : { ok, problem: { status: 0, code: 'unreachable', detail: '' } });
          for (let i = 0; i < 5; i += 1) await Promise.resolve();
        };
        signal.addEventListener('abort', () => void done(false));
        asked.push({ r, resolution, signal, done });
      }),
    () => clock.ms,
  );
  return { asked, clock, store };
}

describe('tiles', () => {
  test('ask for no more than a piece a pixel, and for about as many pieces at every zoom', () => {
    for (let px = 1; px < 1e12; px *= 3.1) {
      const level = levelFor(px);
      const pieceUs = (resolutionS(level) ?? 0) * SECOND_US;
      expect(pieceUs).toBeLessThanOrEqual(Math.max(px, 0));
      if (level > 0 && level < coarsest) expect(pieceUs).toBeGreaterThan(px / 2.001);
    }
  });
  test('in view are a handful whatever the zoom', () => {
    for (let span = SECOND_US; span < 4000 * DAY_US; span *= 2.3) {
      const level = levelFor(span / 1920);
      const { first, last } = tilesOf(range(start, start + span), level);
      expect(last - first + 1).toBeLessThanOrEqual(6);
      expect(wantedTiles(range(start, start + span), level, start + 9000 * DAY_US).length).toBeLessThan(14);
    }
  });
  test('lie side by side, and two make one of the level above', () => {
    const [a, b] = [tileRange({ level: 3, index: 10 }), tileRange({ level: 3, index: 11 })];
    expect(a.end).toBe(b.start);
    expect(tileRange({ level: 4, index: 5 })).toEqual(range(a.start, b.end));
    expect(length(a)).toBe(tileUs(3));
  });
  test('what has not happened is not asked for', () => {
    const view = range(start, start + DAY_US);
    for (const key of wantedTiles(view, 5, start + HOUR_US)) expect(tileRange(key).start).toBeLessThan(start + HOUR_US);
  });
  test('are searched by halving', () => {
    const pairs = Float64Array.from([10, 20, 20, 30, 50, 60]);
    expect([5, 10, 19, 20, 30, 49, 50, 60].map((at) => pairAt(pairs, at))).toEqual([-1, 0, 0, 1, -1, -1, 2, -1]);
  });
  test('cut no gap in two', () => {
    const gap = (a: number, b: number, cause: 'paused' | 'overload' = 'paused') => ({
      ...{ start_us: wallUs(a), end_us: wallUs(b), cause, detail: '', ongoing: false },
    });
    const joined = joinGaps([gap(0, 10), gap(10, 20), gap(20, 30, 'overload'), gap(40, 50, 'overload')]);
    expect(joined.map((g) => [g.start_us, g.end_us])).toEqual([
      [0, 20],
      [20, 30],
      [40, 50],
    ]);
  });
});

describe('coverage', () => {
  const px = DAY_US / 1000;
  const view = range(start, start + DAY_US);
  const pieces = (store: CoverageStore, r: Range, us: number) => {
    const found: { level: number; us: number }[] = [];
    store.visit(r, us, (tile, from, to) => found.push({ level: tile.key.level, us: to - from }));
    return found;
  };
  const covered = (store: CoverageStore, r: Range, us: number) =>
    pieces(store, r, us).reduce((sum, p) => sum + p.us, 0);

  test('asks for what is in view first, a few at a time, and says when something came', async () => {
    const { asked, store } = slow();
    let news = 0;
    store.listen(() => (news += 1));
    store.want(view, view, px);
    expect(asked.length).toBe(4);
    expect(asked[0]?.r.start).toBeLessThan(view.end);
    expect(asked[0]?.r.end).toBeGreaterThan(view.start);
    await asked[0]?.done();
    expect(news).toBe(1);
    expect(asked.length).toBe(5);
  });
  test('is not asked for twice, and comes back from memory', async () => {
    const { asked, store } = slow();
    store.want(view, view, px);
    for (let i = 0; i < asked.length; i += 1) await asked[i]?.done();
    const before = asked.length;
    store.look();
    store.want(view, range(view.start + 1, view.end + 1), px);
    expect(asked.length).toBe(before);
    expect(covered(store, view, px)).toBe(DAY_US);
  });
  test('that nobody looks at any more is given up', () => {
    const { asked, store } = slow();
    store.want(view, view, px);
    const far = range(start + 300 * DAY_US, start + 301 * DAY_US);
    store.want(view, far, px);
    expect(asked.slice(0, 4).every((a) => a.signal.aborted)).toBe(true);
    store.forget(view);
    expect(asked.every((a) => a.signal.aborted)).toBe(true);
  });
  test('of another zoom stands in until the new one is there: never blank', async () => {
    const { asked, store } = slow();
    store.want(view, view, px);
    for (let i = 0; i < asked.length; i += 1) await asked[i]?.done();
    const count = asked.length;
    // Closer: the coarse tiles, scaled.
    const closer = range(start + 5 * HOUR_US, start + 6 * HOUR_US);
    store.want(view, closer, HOUR_US / 1000);
    expect(covered(store, closer, HOUR_US / 1000)).toBe(HOUR_US);
    expect(asked.length).toBeGreaterThan(count);
    for (let i = count; i < asked.length; i += 1) await asked[i]?.done();
    const level = levelFor(HOUR_US / 1000);
    expect(pieces(store, closer, HOUR_US / 1000).every((p) => p.level === level)).toBe(true);
  });
  test('is asked for again after a while, sooner where it grows, and after a failure not at once', async () => {
    const { asked, clock, store } = slow();
    store.want(view, view, px);
    await asked[0]?.done(false);
    expect(store.failed).toBe(true);
    const count = asked.length;
    store.look();
    expect(asked.length).toBe(count);
    clock.ms = 3500;
    store.look();
    expect(asked.length).toBe(count + 1);
  });
  test('of a view says whether all of it is known', async () => {
    const { asked, store } = slow();
    store.want(view, view, px);
    expect(store.record(view, px).complete).toBe(false);
    for (let i = 0; i < asked.length; i += 1) await asked[i]?.done();
    const { complete, footage } = store.record(view, px);
    expect(complete).toBe(true);
    expect(footage.reduce((sum, r) => sum + length(r), 0)).toBe(DAY_US);
  });
  test('of a gap tells where it really begins and ends, however close one looks', async () => {
    const gap = {
      ...{ start_us: wallUs(start - 90 * DAY_US), end_us: wallUs(start + 90 * DAY_US) },
      cause: 'paused' as const,
    };
    const store = new CoverageStore(async (r) => {
      const cut = { start_us: wallUs(Math.max(gap.start_us, r.start)), end_us: wallUs(Math.min(gap.end_us, r.end)) };
      const gaps = cut.start_us < cut.end_us ? [{ ...gap, ...cut, detail: '', ongoing: false }] : [];
      return { ok: true, value: { ...answer(r), runs: [], gaps } };
    });
    const years = range(start - 300 * DAY_US, start + 300 * DAY_US);
    store.want(years, years, length(years) / 1000);
    store.want(view, range(start, start + HOUR_US), HOUR_US / 1000);
    for (let i = 0; i < 400; i += 1) await Promise.resolve();
    const found = store.gapAt(start + 60 * SECOND_US, HOUR_US / 1000);
    expect([found?.start_us, found?.end_us]).toEqual([gap.start_us, gap.end_us]);
  });
});
