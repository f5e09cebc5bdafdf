import { type TimeScale, toX } from '../../time/scale';
import type { WallUs } from '../../time/timestamp';
import type { Layout } from '../layout';
import type { Layer } from '../scene';

/** The part that is marked: what lies between, and a handle at either end to take hold of. */
export const marks: Layer = (ctx, { marks, scale, palette, layout }) => {
  const from = place(scale, marks.start);
  const to = place(scale, marks.end);
  const { y, height } = layout.all;
  if (from !== null && to !== null && from < to) {
    ctx.fillStyle = palette.markGround;
    ctx.fillRect(from, y - 3, to - from, height + 6);
  }
  ctx.fillStyle = palette.mark;
  if (from !== null) handle(ctx, from, -1, layout);
  if (to !== null) handle(ctx, to, 1, layout);
};

function place(scale: TimeScale, at: WallUs | undefined): number | null {
  return at === undefined ? null : toX(scale, at);
}

/** The grip stands outside of what is marked. */
function handle(ctx: CanvasRenderingContext2D, x: number, outwards: 1 | -1, { all }: Layout): void {
  ctx.fillRect(outwards > 0 ? x : x - 2, all.y - 6, 2, all.height + 12);
  ctx.beginPath();
  ctx.roundRect(outwards > 0 ? x : x - 9, all.y - 10, 9, 16, 3);
  ctx.fill();
}
