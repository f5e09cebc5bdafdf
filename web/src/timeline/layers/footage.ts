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
    // Short gaps inside: their colours are only to be told apart closer, but that they are there is to be seen.
    if (!patterns.mixed) return;
    ctx.fillStyle = patterns.mixed;
    for (let k = 0; k < mixed.length; k += 1) ctx.fillRect(mixed.x(k), y + height - 6, mixed.width(k), 6);
  });
};
