/** What a moment is: the answers behind hovering, clicking and the list of gaps. */
import type { Gap } from '../api/types';
import { type Range, contains, range } from '../time/range';
import { DAY_US, SECOND_US, type WallUs, shift } from '../time/timestamp';
import { type GapKind, kinds } from './kinds';
import { type Marked, type Tile, pairAt } from './tiles';

export type Moment =
  | { kind: 'footage' }
  | { kind: 'gap'; gap: Gap }
  | { kind: 'before' }
  /** Has left the retention window. */
  | { kind: 'expired' }
  | { kind: 'future' }
  /** Between the newest whole segment and now. */
  | { kind: 'arriving' }
  | { kind: 'unknown' };

export interface Known {
  /** The stream's first footage; `null` when there is none. */
  readonly first: WallUs | null;
  readonly now: WallUs;
  /** What the player has seen since the tile was asked for. */
  readonly footage: readonly Range[];
}

/** Footage is stored a segment at a time, and whoever asks for it does so every few seconds. */
const arrivingUs = 40 * SECOND_US;

export function momentOf(tile: Tile | null, at: WallUs, known: Known): Moment {
  if (at > known.now) return { kind: 'future' };
  if (known.footage.some((r) => contains(r, at))) return { kind: 'footage' };
  if (!tile) return { kind: known.first !== null && at < known.first ? 'before' : 'unknown' };
  if (pairAt(tile.runs, at) >= 0) return { kind: 'footage' };
  const last = tile.gapList[tile.gapList.length - 1];
  // One that lasts still goes on after the answer that told of it.
  const gap = tile.gapList[pairAt(tile.gaps, at)] ?? (last?.ongoing && at >= last.start_us ? last : undefined);
  if (gap) return { kind: 'gap', gap };
  if (tile.windowStart !== null && at < tile.windowStart) return { kind: 'expired' };
  if (known.first === null || at < known.first) return { kind: 'before' };
  return { kind: known.now - at < arrivingUs || at >= tile.now ? 'arriving' : 'unknown' };
}

/** What of the footage around a moment lies in gaps too short to be told apart at this zoom. */
export function shortGapsAt(tile: Tile | null, at: WallUs): { share: number; kind: GapKind } | null {
  const i = tile ? pairAt(tile.runs, at) : -1;
  const share = tile?.missing[i] ?? 0;
  return tile && share > 0 ? { share, kind: kinds[tile.missingKinds[i] ?? 0] ?? 'source' } : null;
}

/** This long before footage leaves the window it is said. */
export const expiringUs = 7 * DAY_US;

/** What becomes of footage at a moment. */
export interface Fate {
  readonly held: boolean;
  readonly marked: Marked | null;
  /** When it leaves the window, if that is soon. */
  readonly leaves: WallUs | null;
}

export function fateOf(tile: Tile | null, at: WallUs): Fate {
  if (!tile) return { held: false, marked: null, leaves: null };
  const { windowStart } = tile;
  const soon = windowStart !== null && at >= windowStart && at < windowStart + expiringUs;
  return {
    held: tile.holds.some((hold) => contains(hold, at)),
    marked: tile.marked.find((m) => contains(m, at)) ?? null,
    leaves: soon ? shift(tile.now, at - windowStart) : null,
  };
}

/** Sorted, with touching and overlapping ranges joined. */
export function union(...lists: readonly (readonly Range[])[]): Range[] {
  const joined: Range[] = [];
  for (const r of lists.flat().sort((a, b) => a.start - b.start)) {
    const last = joined[joined.length - 1];
    if (last && r.start <= last.end) joined[joined.length - 1] = range(last.start, Math.max(last.end, r.end));
    else joined.push(r);
  }
  return joined;
}

/** The longest `most` gaps in time order, and how many were left out. */
export function longest(gaps: readonly Gap[], most: number): { gaps: Gap[]; left: number } {
  const kept = [...gaps].sort((a, b) => b.end_us - b.start_us - (a.end_us - a.start_us)).slice(0, most);
  return { gaps: kept.sort((a, b) => a.start_us - b.start_us), left: gaps.length - kept.length };
}
