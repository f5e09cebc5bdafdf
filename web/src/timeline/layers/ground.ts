import { toX } from '../../time/scale';
import type { Layer } from '../scene';

/** The empty bands, and the part of them that has not happened yet. */
export const ground: Layer = (ctx, { scale, palette, now, layout, rows }) => {
  const x = Math.min(scale.width, Math.max(0, toX(scale, now)));
  layout.bands.forEach(({ y, height }, i) => {
    ctx.fillStyle = palette.future;
    ctx.fillRect(0, y, scale.width, height);
    ctx.fillStyle = palette.ground;
    const known = rows[i]?.known;
    if (!known) return;
    for (let k = 0; k < known.length; k += 1) {
      const from = known.x(k);
      ctx.fillRect(from, y, Math.min(x, from + known.width(k)) - from, height);
    }
  });
};
