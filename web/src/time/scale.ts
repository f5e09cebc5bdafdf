/** Wall time ↔ pixels. Pure: every answer is a new value. */
import { type Range, range } from './range';
import { type WallUs, wallUs } from './timestamp';

export interface TimeScale {
  readonly range: Range;
  /** Width of the drawing in CSS pixels; the range fills it. */
  readonly width: number;
}

export function scale(r: Range, width: number): TimeScale {
  return { range: r, width: Math.max(1, width) };
}

/** Microseconds that one pixel stands for. */
export function usPerPx(s: TimeScale): number {
  return (s.range.end - s.range.start) / s.width;
}

/** Not limited to the drawing: a time outside gets a place outside. */
export function toX(s: TimeScale, at: WallUs): number {
  return (at - s.range.start) / usPerPx(s);
}

export function toTime(s: TimeScale, x: number): WallUs {
  return wallUs(s.range.start + x * usPerPx(s));
}

/**
 * The range seen after zooming by `factor` (2 shows half as much) with the moment at `x` staying where it is.
 * Never shorter than `shortest` and never outside `bounds`.
 */
export function zoomed(s: TimeScale, factor: number, x: number, bounds: Range, shortestUs: number): Range {
  const longest = bounds.end - bounds.start;
  const span = Math.min(Math.max((s.range.end - s.range.start) / factor, Math.min(shortestUs, longest)), longest);
  const start = toTime(s, x) - (x / s.width) * span;
  return within(start, span, bounds);
}

/** The range seen after moving by `dx` pixels; stops at the bounds. */
export function panned(s: TimeScale, dx: number, bounds: Range): Range {
  const span = s.range.end - s.range.start;
  return within(s.range.start + dx * usPerPx(s), span, bounds);
}

/** The same length around `at`, inside the bounds. */
export function centred(s: TimeScale, at: WallUs, bounds: Range): Range {
  const span = s.range.end - s.range.start;
  return within(at - span / 2, span, bounds);
}

function within(start: number, span: number, bounds: Range): Range {
  const from = Math.max(bounds.start, Math.min(start, bounds.end - span));
  return range(from, from + Math.min(span, bounds.end - bounds.start));
}
