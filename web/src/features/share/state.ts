import { type Range, clamp, range } from '../../time/range';
import type { WallUs } from '../../time/timestamp';

/** Where a wish to go lands: never outside of what is shared. */
export function inside(at: WallUs, start: WallUs, end: WallUs): WallUs {
  return clamp(at, range(start, end));
}

/** What of a request for footage is shared; `null`: nothing. An open end stands for the end of the share. */
export function cut(start: WallUs, end: WallUs | null, shared: Range): Range | null {
  const from = Math.max(start, shared.start);
  const to = Math.min(end ?? shared.end, shared.end);
  return from < to ? range(from, to) : null;
}
