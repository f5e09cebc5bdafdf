/** What the picture of windows shows. Pure. */
import type { RetentionOverview, StreamRetention } from '../../../api/retention';
import type { Stream } from '../../../api/types';
import { type Range, length, range } from '../../../time/range';
import { DAY_US, type WallUs } from '../../../time/timestamp';
import { promisedFrom } from './window';

/** All rows share one axis: from the earliest that is promised or there, and a little room before it, to now. */
export function axisOf(overview: RetentionOverview, byId: Readonly<Record<string, Stream>>, now: WallUs): Range {
  const firsts = overview.streams.flatMap((row) => byId[row.stream]?.first_start_us ?? []);
  const promised = promisedFrom(now, overview.window, null, overview.zone);
  // Without an end to the window the axis is as long as what there is, and not shorter than a day.
  const start = Math.min(now - DAY_US, promised ?? Infinity, ...firsts, now - longest(overview));
  return range(start - (now - start) * 0.03, now);
}

function longest(overview: RetentionOverview): number {
  return Math.max(0, ...overview.streams.map((row) => row.stored.duration_us));
}

/** How much of what is promised and could be there is there: from the first footage on, nobody promised what was before. */
export function share(
  row: StreamRetention,
  stream: Stream | undefined,
  from: WallUs | null,
  now: WallUs,
): { thereUs: number; percent: number | null } {
  const thereUs = Math.max(0, row.stored.duration_us - row.outside.duration_us - row.marked.duration_us);
  const first = stream?.first_start_us ?? null;
  if (first === null) return { thereUs, percent: null };
  const promisedUs = now - Math.max(first, from ?? first);
  if (promisedUs <= 0) return { thereUs, percent: null };
  const percent = Math.min(100, (thereUs / promisedUs) * 100);
  // 100 is said of all of it only.
  return { thereUs, percent: percent > 99 && percent < 100 ? 99 : Math.round(percent) };
}

/** Where on the axis, in thousandths; `null`: not on it. */
export function place(part: Range, axis: Range): { x: number; width: number } | null {
  const scale = 1000 / length(axis);
  const x = Math.max(0, (part.start - axis.start) * scale);
  const end = Math.min(1000, (part.end - axis.start) * scale);
  // Nothing that is there is too short to be seen.
  return end <= 0 || x >= 1000 || end <= x ? null : { x, width: Math.max(end - x, 1.5) };
}
