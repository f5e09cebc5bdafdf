import type { Box } from '../boxes';
import type { GapKind } from '../kinds';
import { type Layer, type Palette, rows } from '../scene';

/** Colour says whose doing it is, and so does the hatching: close for the recorder, wide for the source, none for planned. */
const hatching: Record<GapKind, number> = { source: 8, recorder: 4, planned: 0 };
const kinds: readonly GapKind[] = ['planned', 'source', 'recorder'];

export const gaps: Layer = (ctx, { gaps, palette }) => {
  for (const kind of kinds) for (const box of gaps[kind]) drawGap(ctx, box, kind, palette);
};

function drawGap(ctx: CanvasRenderingContext2D, box: Box, kind: GapKind, palette: Palette): void {
  const { y, height } = rows.band;
  const narrow = box.width < 6;
  ctx.fillStyle = narrow ? palette.gap[kind] : palette.gapGround[kind];
  ctx.fillRect(box.x, y, box.width, height);
  if (narrow) return;
  ctx.fillStyle = palette.gap[kind];
  ctx.fillRect(box.x, y + height - 3, box.width, 3);
  const apart = hatching[kind];
  if (apart > 0) hatch(ctx, box, apart, palette.gap[kind]);
}

function hatch(ctx: CanvasRenderingContext2D, box: Box, apart: number, colour: string): void {
  const { y, height } = rows.band;
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.x, y, box.width, height);
  ctx.clip();
  ctx.beginPath();
  // From a fixed grid, so that neighbouring gaps line up and nothing swims while the bar moves.
  for (let x = Math.floor((box.x - height) / apart) * apart; x < box.x + box.width; x += apart) {
    ctx.moveTo(x, y + height);
    ctx.lineTo(x + height, y);
  }
  ctx.strokeStyle = colour;
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = 1.2;
  ctx.stroke();
  ctx.restore();
}
