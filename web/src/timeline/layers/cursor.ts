import { toX } from '../../time/scale';
import type { Layer } from '../scene';

/** Where the pointer is. */
export const cursor: Layer = (ctx, { cursor, scale, palette, layout }) => {
  if (cursor === null) return;
  const x = Math.round(toX(scale, cursor));
  const { y, height } = layout.all;
  ctx.fillStyle = palette.cursor;
  ctx.fillRect(x, layout.times.y + 16, 1, y + height + 4 - layout.times.y - 16);
};
