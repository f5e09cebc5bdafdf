/** What part of time is in view, and how it moves. Pure: every answer is a new value. */
import { type Range, contains, length, range } from '../time/range';
import { type TimeScale, toTime, usPerPx } from '../time/scale';
import { DAY_US, MILLISECOND_US, MINUTE_US, type WallUs, wallUs } from '../time/timestamp';

/** A frame of 25 a second is then a tenth of the view. */
export const shortestUs = 400 * MILLISECOND_US;
/** Several years, however little is recorded yet. */
const longestUs = 4 * 366 * DAY_US;
/** Looking at everything leaves this much free on either side. */
const margin = 0.02;

/** From the first footage to now: the middle of the view never leaves it. */
export function limitsOf(first: WallUs | null, now: WallUs): Range {
  return range(Math.min(first ?? now - DAY_US, now - MINUTE_US), now);
}

/** All of the limits, with a little air. */
export function everything(limits: Range): Range {
  const air = Math.max(MINUTE_US, length(limits) * margin);
  return range(limits.start - air, limits.end + air);
}

export function bounded(view: Range, limits: Range): Range {
  return placed((view.start + view.end) / 2, length(view), limits);
}

/** Shows `factor` times less, with the moment at `x` staying where it is. */
export function zoomedAt(s: TimeScale, factor: number, x: number, limits: Range): Range {
  const at = toTime(s, x);
  const span = spanWithin(length(s.range) / factor, limits);
  return placed(at + (0.5 - x / s.width) * span, span, limits);
}

export function pannedBy(s: TimeScale, dx: number, limits: Range): Range {
  return placed((s.range.start + s.range.end) / 2 + dx * usPerPx(s), length(s.range), limits);
}

/** The same length, or `spanUs`, around a moment. */
export function around(view: Range, at: WallUs, limits: Range, spanUs = length(view)): Range {
  return placed(at, spanUs, limits);
}

function spanWithin(spanUs: number, limits: Range): number {
  return Math.min(Math.max(spanUs, shortestUs), Math.max(longestUs, length(everything(limits))));
}

function placed(middle: number, spanUs: number, limits: Range): Range {
  const span = spanWithin(spanUs, limits);
  const at = Math.min(Math.max(middle, limits.start), limits.end);
  return range(at - span / 2, at + span / 2);
}

/**
 * On the way from one view to another, `part` of it done. What both show at the same place stays there, and zooming is
 * even to the eye: each step shows the same share less.
 */
export function between(from: Range, to: Range, part: number): Range {
  const [a, b] = [length(from), length(to)];
  if (part >= 1) return to;
  if (Math.abs(a / b - 1) < 1e-9) {
    const start = from.start + (to.start - from.start) * part;
    return range(start, start + a);
  }
  const span = a * (b / a) ** part;
  const done = (span - a) / (b - a);
  const start = from.start + (to.start - from.start) * done;
  return range(start, start + span);
}

/** Less than a quarter of a pixel apart. */
export function isThere(view: Range, target: Range, width: number): boolean {
  const off = length(target) / width / 4;
  return Math.abs(view.start - target.start) < off && Math.abs(view.end - target.end) < off;
}

/** Milliseconds in which a flick loses two thirds of its speed: shorter feels sticky, longer slippery. */
const coastMs = 325;

/** How far a flick of `speed` pixels a millisecond goes in `ms`, and how fast it is then. */
export function coast(speed: number, ms: number): { dx: number; speed: number } {
  const left = Math.exp(-ms / coastMs);
  return { dx: speed * coastMs * (1 - left), speed: speed * left };
}

/** Ahead of the playhead this share of the view is kept free. */
const ahead = 0.12;

/**
 * The view that keeps up with the playhead: it glides along when played, and turns to where a jump led. `null`: nothing
 * to do, also when the viewer looks elsewhere.
 */
export function followed(view: Range, before: WallUs | null, position: WallUs, limits: Range): Range | null {
  const span = length(view);
  const edge = view.end - span * ahead;
  if (before !== null && !contains(view, before)) return null;
  if (contains(view, position) && (position <= edge || before === null || before > edge + span * 0.02)) return null;
  const glides = before !== null && position > before && position - before < span * ahead;
  const next = glides
    ? range(view.start + position - edge, view.end + position - edge)
    : around(view, position, limits);
  return Math.abs(next.start - view.start) < 1 ? null : next;
}

/** A step that is a few pixels wide and a round number of something: what an arrow key moves by. */
export function roundStep(us: number): WallUs {
  return wallUs(roundSteps.find((step) => step >= us) ?? DAY_US * 30);
}

const roundSteps = [
  ...[1, 5, 10, 40, 100, 200, 500].map((ms) => ms * MILLISECOND_US),
  ...[1, 2, 5, 10, 30].map((s) => s * 1_000_000),
  ...[1, 2, 5, 10, 30].map((m) => m * MINUTE_US),
  ...[1, 2, 6, 12].map((h) => h * 60 * MINUTE_US),
  ...[1, 7].map((d) => d * DAY_US),
];
