import { toX } from '../../time/scale';
import { type Layer, rows } from '../scene';

/** The empty band, and the part of it that has not happened yet. */
export const ground: Layer = (ctx, { scale, palette, now }) => {
  const { y, height } = rows.band;
  ctx.fillStyle = palette.ground;
  ctx.fillRect(0, y, scale.width, height);
  const x = Math.max(0, toX(scale, now));
  if (x >= scale.width) return;
  ctx.fillStyle = palette.future;
  ctx.fillRect(x, y, scale.width - x, height);
};
