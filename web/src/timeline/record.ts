/** What is known to be recorded, and what a moment is: the answers behind hovering, clicking and the list of gaps. */
import type { Gap } from '../api/types';
import { type Range, contains, intersection, length, range } from '../time/range';
import type { WallUs } from '../time/timestamp';

export interface Recorded {
  /** What the answer covers; outside nothing is known. */
  readonly range: Range;
  readonly footage: readonly Range[];
  readonly gaps: readonly Gap[];
  /** The stream's first footage; `null` when there is none. */
  readonly first: WallUs | null;
  readonly now: WallUs;
}

export type Moment =
  | { kind: 'footage' }
  | { kind: 'gap'; gap: Gap }
  | { kind: 'before' }
  | { kind: 'future' }
  /** Between the newest whole segment and now. */
  | { kind: 'arriving' }
  | { kind: 'unknown' };

export function momentAt(record: Recorded | null, at: WallUs): Moment {
  if (!record) return { kind: 'unknown' };
  if (at > record.now) return { kind: 'future' };
  if (record.footage.some((r) => contains(r, at))) return { kind: 'footage' };
  const gap = record.gaps.find((g) => g.start_us <= at && at < g.end_us);
  if (gap) return { kind: 'gap', gap };
  if (record.first === null || at < record.first) return { kind: 'before' };
  const newest = record.footage[record.footage.length - 1]?.end;
  if (newest !== undefined && at >= newest && contains(record.range, at)) return { kind: 'arriving' };
  return { kind: 'unknown' };
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

/** How much of `within` is recorded, in microseconds. */
export function recordedUs(footage: readonly Range[], within: Range): number {
  return footage.reduce((sum, r) => {
    const part = intersection(r, within);
    return sum + (part ? length(part) : 0);
  }, 0);
}

/** The gaps of a range, cut to it; the longest `most` in time order, and how many were left out. */
export function gapsWithin(gaps: readonly Gap[], within: Range, most: number): { gaps: Gap[]; left: number } {
  const cut = gaps.flatMap((gap) => {
    const part = intersection(range(gap.start_us, gap.end_us), within);
    return part ? [{ ...gap, start_us: part.start, end_us: part.end }] : [];
  });
  const longest = cut.sort((a, b) => b.end_us - b.start_us - (a.end_us - a.start_us)).slice(0, most);
  return { gaps: longest.sort((a, b) => a.start_us - b.start_us), left: cut.length - longest.length };
}
