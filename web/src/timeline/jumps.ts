/** Where a jump leads: to the gap before or after, to the footage nearest to a moment. Asks for as little as it can. */
import type { Result } from '../api/problem';
import type { Coverage, Gap } from '../api/types';
import { type Range, clamp, range } from '../time/range';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US, type WallUs, shift, wallUs } from '../time/timestamp';
import type { Bookmark } from './scene';

export type Ask = (r: Range) => Promise<Result<Coverage>>;

/** A gap is shown from a little before it begins. */
export const leadUs = 5 * SECOND_US;
/** The first look; each further one is so many times as long. */
const firstLookUs = 6 * HOUR_US;
const growth = 4;
const longestLookUs = 120 * DAY_US;
/** Thousands of gaps in minutes are not found one by one. */
const shortestLookUs = 2 * MINUTE_US;
/** Enough for decades, and an end for an answer that makes no sense. */
const looksMost = 80;

export interface Found {
  readonly gap: Gap;
  /** Where to play from, to see it coming. */
  readonly at: WallUs;
}

/** `null`: there is none in that direction. */
export async function findGap(ask: Ask, from: WallUs, direction: 1 | -1, bounds: Range): Promise<Result<Found | null>> {
  let edge: number = direction > 0 ? from : Math.min(from, bounds.end);
  let span = firstLookUs;
  for (let looks = 0; looks < looksMost; looks += 1) {
    if (direction > 0 ? edge >= bounds.end : edge <= bounds.start) break;
    const r =
      direction > 0 ? range(edge, Math.min(edge + span, bounds.end)) : range(Math.max(edge - span, bounds.start), edge);
    const answer = await ask(r);
    if (!answer.ok) return answer;
    if (answer.value.resolution_us > 0 && span > shortestLookUs) {
      // Merged: a short gap could be missing from it.
      span = Math.max(shortestLookUs, span / growth);
      continue;
    }
    const gap = pick(answer.value.gaps, from, direction);
    // Cut by the edge of what was asked for: it may begin before.
    const cut = direction < 0 && gap?.start_us === r.start && r.start > bounds.start;
    if (gap && !cut) return { ok: true, value: { gap, at: beforeOf(gap, answer.value) } };
    if (!cut) edge = direction > 0 ? r.end : r.start;
    span = Math.min(span * growth, longestLookUs);
  }
  return { ok: true, value: null };
}

function pick(gaps: readonly Gap[], from: WallUs, direction: 1 | -1): Gap | undefined {
  if (direction > 0) return gaps.find((gap) => gap.start_us > from + leadUs);
  return gaps.filter((gap) => gap.start_us < from).pop();
}

function beforeOf(gap: Gap, { runs }: Coverage): WallUs {
  const run = runs.filter((r) => r.end_us <= gap.start_us).pop();
  return run ? wallUs(Math.max(run.start_us, gap.start_us - leadUs)) : gap.start_us;
}

/** The moment with footage that is nearest; `null`: there is none at all. */
export async function nearestFootage(ask: Ask, at: WallUs, bounds: Range): Promise<Result<WallUs | null>> {
  for (let reach = firstLookUs; ; reach *= growth) {
    const r = range(at - reach, at + reach);
    const answer = await ask(r);
    if (!answer.ok) return answer;
    const places = answer.value.runs.map((run) =>
      clamp(at, range(run.start_us, Math.max(run.start_us + 1, run.end_us - SECOND_US))),
    );
    const [nearest] = places.sort((a, b) => Math.abs(a - at) - Math.abs(b - at));
    if (nearest !== undefined) return { ok: true, value: nearest };
    if (r.start <= bounds.start && r.end >= bounds.end) return { ok: true, value: null };
  }
}

/** Bookmarks are in order of time. */
export function findBookmark(bookmarks: readonly Bookmark[], from: WallUs, direction: 1 | -1): Bookmark | null {
  const found =
    direction > 0
      ? bookmarks.find((b) => b.at_us > shift(from, SECOND_US / 5))
      : bookmarks.filter((b) => b.at_us < shift(from, -2 * SECOND_US)).pop();
  return found ?? null;
}
