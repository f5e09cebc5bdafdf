import { type TimeScale, toX } from '../../time/scale';
import type { WallUs } from '../../time/timestamp';
import { type Layer, rows } from '../scene';

/** The part marked for a clip: two brackets and what lies between. */
export const marks: Layer = (ctx, { marks, scale, palette }) => {
  const from = place(scale, marks.start);
  const to = place(scale, marks.end);
  const { y, height } = rows.band;
  if (from !== null && to !== null && from < to) {
    ctx.fillStyle = palette.markGround;
    ctx.fillRect(from, y - 3, to - from, height + 6);
  }
  ctx.fillStyle = palette.mark;
  if (from !== null) bracket(ctx, from, 1);
  if (to !== null) bracket(ctx, to, -1);
};

function place(scale: TimeScale, at: WallUs | undefined): number | null {
  return at === undefined ? null : toX(scale, at);
}

function bracket(ctx: CanvasRenderingContext2D, x: number, inwards: 1 | -1): void {
  const { y, height } = rows.band;
  const left = (w: number) => (inwards > 0 ? x : x - w);
  ctx.fillRect(left(2), y - 3, 2, height + 6);
  ctx.fillRect(left(7), y - 3, 7, 2);
  ctx.fillRect(left(7), y + height + 1, 7, 2);
}
