import { type Layer, rows } from '../scene';

export const ticks: Layer = (ctx, { ticks, palette, font, scale }) => {
  const { y } = rows.band;
  ctx.font = font;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'center';
  for (const tick of ticks) {
    const x = Math.round(tick.x) + 0.5;
    ctx.fillStyle = palette.line;
    ctx.fillRect(x - 0.5, tick.label ? y - 7 : y - 4, 1, tick.label ? 7 : 4);
    if (!tick.label) continue;
    const half = ctx.measureText(tick.label).width / 2;
    // A label that would be cut by the edge moves in; one that would then stand away from its mark is left out.
    const at = Math.min(Math.max(tick.x, half), scale.width - half);
    if (Math.abs(at - tick.x) > half) continue;
    ctx.fillStyle = palette.text;
    ctx.fillText(tick.label, at, y - 15);
  }
};
