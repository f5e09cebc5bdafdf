import { toX } from '../../time/scale';
import { type Layer, font } from '../scene';

/** Footage on its way out: what leaves the window within days pales, what is given up is struck through. */
export const leaving: Layer = (ctx, { rows, layout, palette, patterns }) => {
  rows.forEach(({ expiring, marked }, i) => {
    const { y, height } = layout.bands[i] ?? layout.all;
    ctx.fillStyle = palette.leaving;
    for (let k = 0; k < expiring.length; k += 1) ctx.fillRect(expiring.x(k), y + 2, expiring.width(k), 4);
    if (!patterns.leaving) return;
    ctx.fillStyle = patterns.leaving;
    for (let k = 0; k < marked.length; k += 1) ctx.fillRect(marked.x(k), y, marked.width(k), height);
  });
};

/** What nothing may prune: a line under the band with a foot at either end. */
export const holds: Layer = (ctx, { rows, layout, palette }) => {
  ctx.fillStyle = palette.hold;
  rows.forEach(({ holds }, i) => {
    const { y, height } = layout.bands[i] ?? layout.all;
    for (let k = 0; k < holds.length; k += 1) {
      const [x, width] = [holds.x(k), holds.width(k)];
      ctx.fillRect(x, y + height - 5, width, 5);
      ctx.fillRect(x, y + height - 11, 2, 11);
      ctx.fillRect(x + width - 2, y + height - 11, 2, 11);
    }
  });
};

/** The edge of the retention window: before it nothing is shown any more. */
export const retentionEdge: Layer = (ctx, { rows, layout, scale, palette }) => {
  rows.forEach(({ windowStart }, i) => {
    if (windowStart === null) return;
    const x = Math.round(toX(scale, windowStart));
    if (x < -2 || x > scale.width + 2) return;
    const { y, height } = layout.bands[i] ?? layout.all;
    ctx.fillStyle = palette.window;
    for (let at = y - 2; at < y + height + 2; at += 6) ctx.fillRect(x - 1, at, 2, 4);
    ctx.beginPath();
    ctx.moveTo(x + 1, y - 2);
    ctx.lineTo(x + 8, y - 2);
    ctx.lineTo(x + 1, y + 5);
    ctx.fill();
  });
  ctx.font = font;
};
