/** Ranges of time as boxes of pixels. */
import type { Range } from '../time/range';
import { type TimeScale, toX } from '../time/scale';

export interface Box {
  readonly x: number;
  readonly width: number;
}

/**
 * The visible boxes, left to right, never more than one per pixel: what is closer together than half a pixel is joined,
 * so drawing costs the same for twenty gaps and for twenty thousand. A box narrower than `least` is widened around its
 * middle: a gap of a second must show on the bar of a day.
 */
export function boxes(ranges: readonly Range[], scale: TimeScale, least: number): Box[] {
  const found: { x: number; width: number }[] = [];
  for (const r of ranges) {
    const x0 = toX(scale, r.start);
    const x1 = toX(scale, r.end);
    if (x1 <= 0 || x0 >= scale.width) continue;
    const spare = Math.max(0, least - (x1 - x0)) / 2;
    const left = Math.max(0, x0 - spare);
    const right = Math.min(scale.width, x1 + spare);
    const last = found[found.length - 1];
    if (last && left - (last.x + last.width) < 0.5) last.width = Math.max(last.x + last.width, right) - last.x;
    else found.push({ x: left, width: right - left });
  }
  return found;
}
