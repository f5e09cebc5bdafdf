import { tallness } from '../boxes';
import { kinds } from '../kinds';
import type { Layer } from '../scene';

export const footage: Layer = (ctx, { rows, layout, palette, patterns, active }) => {
  rows.forEach(({ footage, mixed }, i) => {
    const { y, height } = layout.bands[i] ?? layout.all;
    ctx.globalAlpha = active < 0 || active === i ? 1 : 0.72;
    ctx.fillStyle = palette.footage;
    for (let k = 0; k < footage.length; k += 1) ctx.fillRect(footage.x(k), y, footage.width(k), height);
    ctx.fillStyle = palette.footageEdge;
    for (let k = 0; k < footage.length; k += 1) ctx.fillRect(footage.x(k), y, footage.width(k), 2);
    ctx.globalAlpha = 1;
    // Short gaps inside: how much is missing, and whose doing most of it is.
    kinds.forEach((kind, of) => {
      const boxes = mixed[of];
      if (!boxes || boxes.length === 0) return;
      ctx.fillStyle = patterns.mixed[kind] ?? palette.gap[kind];
      for (let k = 0; k < boxes.length; k += 1) {
        const tall = tallness(boxes.share(k)) * (height - 4);
        ctx.fillRect(boxes.x(k), y + height - tall, boxes.width(k), tall);
      }
    });
  });
};
