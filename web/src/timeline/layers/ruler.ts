import { toX } from '../../time/scale';
import { type Layer, type Scene, boldFont, font } from '../scene';
import { measured } from '../text';

/** Times, and above them the days, months or years they belong to: a name stays in view as long as its time is. */
export const ruler: Layer = (ctx, scene) => {
  const { ruler, palette, scale, layout } = scene;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  const times = layout.times;
  const foot = times.y + times.height;
  ctx.font = font;
  for (const tick of ruler.ticks) {
    const x = toX(scale, tick.at);
    if (x < -60 || x > scale.width + 60) continue;
    ctx.fillStyle = palette.line;
    ctx.fillRect(Math.round(x), tick.label ? foot - 8 : foot - 4, 1, tick.label ? 8 : 4);
    if (!tick.label) continue;
    const half = measured(ctx, tick.label) / 2;
    // A label that would be cut by the edge moves in; one that would then stand away from its mark is left out.
    const middle = Math.min(Math.max(x, half), scale.width - half);
    if (Math.abs(middle - x) > half) continue;
    ctx.fillStyle = palette.text;
    ctx.fillText(tick.label, middle - half, times.y + 7);
  }
  drawStretches(ctx, scene);
};

function drawStretches(ctx: CanvasRenderingContext2D, { ruler, palette, scale, layout }: Scene): void {
  ctx.font = boldFont;
  const middle = layout.stretches.y + layout.stretches.height / 2;
  for (const stretch of ruler.stretches) {
    const [from, to] = [toX(scale, stretch.start), toX(scale, stretch.end)];
    if (to < 0 || from > scale.width) continue;
    if (from > 0) {
      ctx.fillStyle = palette.line;
      ctx.fillRect(Math.round(from), layout.stretches.y, 1, layout.all.y + layout.all.height - layout.stretches.y);
    }
    const left = Math.max(0, from) + (from > 0 ? 6 : 1);
    const room = Math.min(to, scale.width) - left - 6;
    const label = stretch.labels.find((text) => measured(ctx, text) <= room);
    if (!label) continue;
    ctx.fillStyle = palette.ink;
    ctx.fillText(label, left, middle);
  }
}

/** Where clocks are changed, and by how much: on either side the same time of day is another moment. */
export const clockChanges: Layer = (ctx, { ruler, palette, scale, layout }) => {
  if (ruler.changes.length === 0) return;
  ctx.font = font;
  for (const change of ruler.changes) {
    const x = Math.round(toX(scale, change.at));
    if (x < 0 || x > scale.width) continue;
    ctx.fillStyle = palette.mark;
    for (let y = layout.stretches.y + 2; y < layout.all.y + layout.all.height; y += 5) ctx.fillRect(x, y, 1, 3);
    const width = measured(ctx, change.label);
    const left = x + 5 + width < scale.width ? x + 5 : x - 5 - width;
    ctx.fillStyle = palette.ground;
    ctx.fillRect(left - 2, layout.stretches.y + 1, width + 4, layout.stretches.height - 2);
    ctx.fillStyle = palette.mark;
    ctx.fillText(change.label, left, layout.stretches.y + layout.stretches.height / 2);
  }
};

/** Single frames, from the one on screen. */
export const frames: Layer = (ctx, { frames, palette, scale, layout }) => {
  if (!frames) return;
  const px = (frames.us * scale.width) / (scale.range.end - scale.range.start);
  if (px < 5) return;
  const { y } = layout.all;
  ctx.fillStyle = palette.ink;
  ctx.globalAlpha = 0.55;
  const first = toX(scale, frames.from) % px;
  for (let x = first; x < scale.width; x += px) ctx.fillRect(Math.round(x), y, 1, 6);
  ctx.globalAlpha = 1;
};
