/** The view in motion: gliding to where the viewer wants it, or coasting after a flick. Told the time, never asks for it. */
import { type Range, length } from '../time/range';
import { scale, toTime } from '../time/scale';
import type { WallUs } from '../time/timestamp';
import { between, coast, isThere, pannedBy, zoomedAt } from './viewport';

/** Time in which two thirds of the way are done: a notch of a wheel feels answered at once and is still followed by the eye. */
const glideMs = 55;
/** Pixels a millisecond below which a flick has ended. */
const slowest = 0.02;
/** A page that was asleep is not moved by all that time at once. */
const longestStepMs = 64;

export class Motion {
  view: Range;
  #target: Range | null = null;
  #speed = 0;
  #lastMs: number | null = null;

  constructor(view: Range) {
    this.view = view;
  }

  get moving(): boolean {
    return this.#target !== null || this.#speed !== 0;
  }

  /** Where it is going, or is. */
  get target(): Range {
    return this.#target ?? this.view;
  }

  set(view: Range): void {
    this.stop();
    this.view = view;
  }

  stop(): void {
    this.#target = null;
    this.#speed = 0;
    this.#lastMs = null;
  }

  glide(to: Range, calmly: boolean): void {
    this.#speed = 0;
    if (calmly) this.set(to);
    else this.#target = to;
  }

  /** Around what is seen at `x` now, `factor` times closer than where it is going already. */
  zoom(factor: number, x: number, width: number, limits: Range, calmly: boolean): void {
    const seen = toTime(scale(this.view, width), x);
    const goal = length(this.target);
    this.glide(placedAt(goal, seen, factor, x, width, limits), calmly);
  }

  pan(dx: number, width: number, limits: Range): void {
    this.#speed = 0;
    if (this.#target) this.#target = pannedBy(scale(this.#target, width), dx, limits);
    this.view = pannedBy(scale(this.view, width), dx, limits);
  }

  /** `speed` in pixels a millisecond, to the right for positive values: time goes by to the left. */
  fling(speed: number): void {
    this.#target = null;
    this.#speed = Math.abs(speed) < slowest * 4 ? 0 : speed;
    this.#lastMs = null;
  }

  /** Moves on; whether it is to be called again. */
  step(nowMs: number, width: number, limits: Range): boolean {
    const ms = Math.min(longestStepMs, nowMs - (this.#lastMs ?? nowMs - 16));
    this.#lastMs = nowMs;
    if (this.#target) {
      this.view = between(this.view, this.#target, 1 - Math.exp(-ms / glideMs));
      if (isThere(this.view, this.#target, width)) this.set(this.#target);
    } else if (this.#speed !== 0) {
      const { dx, speed } = coast(this.#speed, ms);
      const before = this.view;
      this.view = pannedBy(scale(this.view, width), -dx, limits);
      this.#speed = Math.abs(speed) < slowest || before.start === this.view.start ? 0 : speed;
    }
    if (!this.moving) this.#lastMs = null;
    return this.moving;
  }
}

function placedAt(spanUs: number, seen: WallUs, factor: number, x: number, width: number, limits: Range): Range {
  // A view of the goal's length that shows `seen` at `x` already, so that zooming keeps it there.
  const start = seen - (x / width) * spanUs;
  const from = { start, end: start + spanUs } as Range;
  return zoomedAt(scale(from, width), factor, x, limits);
}

/** How fast a pointer was moving when it was let go. */
export class Flick {
  #moves: { x: number; ms: number }[] = [];

  add(x: number, ms: number): void {
    this.#moves = [...this.#moves.filter((m) => ms - m.ms < 90), { x, ms }];
  }

  /** Pixels a millisecond; 0 when it had stopped before. */
  speed(ms: number): number {
    const [first, last] = [this.#moves[0], this.#moves[this.#moves.length - 1]];
    if (!first || !last || last.ms - first.ms < 8 || ms - last.ms > 100) return 0;
    return (last.x - first.x) / (last.ms - first.ms);
  }
}
