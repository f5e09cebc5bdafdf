/**
 * Coverage cut into tiles: each level halves the detail of the one below and doubles the length of its tiles, so an
 * answer is about the same size at every zoom and what is in view is always a handful of tiles.
 */
import type { Coverage, Gap, GapCause } from '../api/types';
import { type Range, range } from '../time/range';
import type { WallUs } from '../time/timestamp';
import { kindOf, kinds } from './kinds';

/** 18 minutes: there everything is asked for as it is. */
const finestUs = 2 ** 30;
/** Pieces a tile is asked for in: between one and two a pixel. */
const bucketsPerTile = 1024;
/** A tile of the last level is longer than anyone records. */
export const coarsest = 18;

export interface TileKey {
  readonly level: number;
  readonly index: number;
}

/** Footage of a tile: pairs of start and end, in order. */
export interface Tile {
  readonly key: TileKey;
  readonly range: Range;
  readonly runs: Float64Array;
  /** Which share of a run lies in gaps too short to be listed here, 0 to 1: there is more to see closer. */
  readonly missing: Float32Array;
  /** Why most of that is missing, as an index into `kinds`. */
  readonly missingKinds: Uint8Array;
  readonly gaps: Float64Array;
  /** Index into `kinds`. */
  readonly gapKinds: Uint8Array;
  readonly gapList: readonly Gap[];
  readonly holds: readonly Range[];
  readonly marked: readonly Marked[];
  /** Before it nothing is served; `null`: everything is kept. */
  readonly windowStart: WallUs | null;
  /** The recorder's clock when it answered. */
  readonly now: WallUs;
}

/** Footage that is given up and not deleted yet. */
export interface Marked extends Range {
  readonly due: WallUs | null;
}

/** The finest level that asks for no more than a piece a pixel. */
export function levelFor(usPerPx: number): number {
  const level = Math.floor(Math.log2(usPerPx / (finestUs / bucketsPerTile)));
  return Math.min(coarsest, Math.max(0, level));
}

export function tileUs(level: number): number {
  return finestUs * 2 ** level;
}

/** What a tile asks to be merged, in seconds; `undefined`: nothing. */
export function resolutionS(level: number): number | undefined {
  return level === 0 ? undefined : tileUs(level) / bucketsPerTile / 1e6;
}

export function tileRange({ level, index }: TileKey): Range {
  return range(index * tileUs(level), (index + 1) * tileUs(level));
}

export function nameOf({ level, index }: TileKey): string {
  return `${level}/${index}`;
}

/** First and last index of the tiles that a range touches. */
export function tilesOf(r: Range, level: number): { first: number; last: number } {
  const us = tileUs(level);
  return { first: Math.floor(r.start / us), last: Math.ceil(r.end / us) - 1 };
}

/** What to ask for, most wanted first: what is in view from its middle outwards, the level above, then the neighbours. */
export function wantedTiles(view: Range, level: number, now: number): TileKey[] {
  const wanted: TileKey[] = [];
  const add = (key: TileKey) => {
    if (key.level <= coarsest && tileRange(key).start < now && key.index >= 0) wanted.push(key);
  };
  const { first, last } = tilesOf(view, level);
  const middle = (first + last) / 2;
  const inView = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  inView.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  for (const index of inView) add({ level, index });
  // Two levels up: what is shown at once when the viewer zooms out or pans quickly.
  const above = Math.min(coarsest, level + 2);
  const over = tilesOf(view, above);
  for (let index = over.first; index <= over.last; index += 1) if (above > level) add({ level: above, index });
  add({ level, index: first - 1 });
  add({ level, index: last + 1 });
  return wanted;
}

export function tileOf(key: TileKey, answer: Coverage): Tile {
  const runs = new Float64Array(answer.runs.length * 2);
  const missing = new Float32Array(answer.runs.length);
  const missingKinds = new Uint8Array(answer.runs.length);
  answer.runs.forEach((run, i) => {
    runs[2 * i] = run.start_us;
    runs[2 * i + 1] = run.end_us;
    if (!run.missing_cause) return;
    missing[i] = run.missing_us / Math.max(1, run.end_us - run.start_us);
    missingKinds[i] = kinds.indexOf(kindOf(run.missing_cause));
  });
  const gaps = new Float64Array(answer.gaps.length * 2);
  const gapKinds = new Uint8Array(answer.gaps.length);
  answer.gaps.forEach((gap, i) => {
    gaps[2 * i] = gap.start_us;
    gaps[2 * i + 1] = gap.end_us;
    gapKinds[i] = kinds.indexOf(kindOf(gap.cause));
  });
  return {
    key,
    range: tileRange(key),
    runs,
    missing,
    missingKinds,
    gaps,
    gapKinds,
    gapList: answer.gaps,
    holds: answer.holds.map((hold) => range(hold.start_us, hold.end_us)),
    marked: (answer.marked ?? []).map((m) => ({ ...range(m.start_us, m.end_us), due: m.due_us })),
    windowStart: answer.window_start_us,
    now: answer.now_us,
  };
}

/** The pair that `at` lies in, by its place; -1: none. */
export function pairAt(pairs: Float64Array, at: number): number {
  const i = firstEndingAfter(pairs, at);
  return i < pairs.length / 2 && (pairs[2 * i] as number) <= at ? i : -1;
}

/** The first pair that ends after `at`; the number of pairs when none does. */
export function firstEndingAfter(pairs: Float64Array, at: number): number {
  let [low, high] = [0, pairs.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pairs[2 * middle + 1] as number) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** One gap where tiles cut it in two, and nothing twice. */
export function joinGaps(gaps: readonly Gap[]): Gap[] {
  const joined: Gap[] = [];
  for (const gap of gaps) {
    const last = joined[joined.length - 1];
    if (last && gap.start_us <= last.end_us && isSame(last, gap)) {
      joined[joined.length - 1] = { ...last, end_us: max(last.end_us, gap.end_us), ongoing: gap.ongoing };
    } else joined.push(gap);
  }
  return joined;
}

function isSame(a: { cause: GapCause; detail: string }, b: { cause: GapCause; detail: string }): boolean {
  return a.cause === b.cause && a.detail === b.detail;
}

function max(a: WallUs, b: WallUs): WallUs {
  return a > b ? a : b;
}
