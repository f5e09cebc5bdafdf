import { type WallUs, wallUs } from './timestamp';

/** Half-open `[start, end)` of wall time. */
export interface Range {
  readonly start: WallUs;
  readonly end: WallUs;
}

export function range(start: number, end: number): Range {
  return { start: wallUs(start), end: wallUs(end) };
}

export function length(r: Range): number {
  return r.end - r.start;
}

export function contains(r: Range, at: WallUs): boolean {
  return r.start <= at && at < r.end;
}

/** What two ranges share, or `null`. */
export function intersection(a: Range, b: Range): Range | null {
  const start = Math.max(a.start, b.start);
  const end = Math.min(a.end, b.end);
  return start < end ? range(start, end) : null;
}

/** The moment in the range nearest to `at`; the last microsecond stands for the open end. */
export function clamp(at: WallUs, r: Range): WallUs {
  return wallUs(Math.min(Math.max(at, r.start), r.end - 1));
}
