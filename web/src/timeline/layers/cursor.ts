import { toX } from '../../time/scale';
import { type Layer, rows } from '../scene';

/** Where the pointer is. */
export const cursor: Layer = (ctx, { cursor, scale, palette }) => {
  if (cursor === null) return;
  const x = Math.round(toX(scale, cursor)) + 0.5;
  const { y, height } = rows.band;
  ctx.fillStyle = palette.cursor;
  ctx.fillRect(x - 0.5, y - 4, 1, height + 8);
};
