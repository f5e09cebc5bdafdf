import { toX } from '../../time/scale';
import type { Layer } from '../scene';

/** What is on screen: a line with a grip on top. */
export const playhead: Layer = (ctx, { position, scale, palette, layout }) => {
  if (position === null) return;
  const x = toX(scale, position);
  if (x < -8 || x > scale.width + 8) return;
  const { y, height } = layout.all;
  ctx.fillStyle = palette.future;
  ctx.fillRect(x - 2.5, y - 4, 5, height + 8);
  ctx.fillStyle = palette.playhead;
  ctx.fillRect(x - 1.25, y - 6, 2.5, height + 12);
  ctx.beginPath();
  ctx.moveTo(x - 6, y - 11);
  ctx.lineTo(x + 6, y - 11);
  ctx.lineTo(x + 6, y - 6);
  ctx.lineTo(x, y + 1);
  ctx.lineTo(x - 6, y - 6);
  ctx.closePath();
  ctx.fill();
};

/** Where what is recorded meets now. */
export const liveEdge: Layer = (ctx, { now, growing, scale, palette, layout }) => {
  if (!growing) return;
  const x = toX(scale, now);
  if (x < -4 || x > scale.width + 4) return;
  const { y, height } = layout.all;
  ctx.fillStyle = palette.live;
  ctx.fillRect(x - 0.75, y - 2, 1.5, height + 4);
  ctx.beginPath();
  ctx.arc(x, y - 4, 3, 0, 2 * Math.PI);
  ctx.fill();
};
