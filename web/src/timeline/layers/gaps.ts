import type { Box } from '../boxes';
import type { GapKind } from '../kinds';
import { type Layer, type Palette, rows } from '../scene';

/** Colour says whose doing it is, and so does the hatching: close for the recorder, wide for the source, none for planned. */
const hatching: Record<GapKind, number> = { source: 8, recorder: 4, planned: 0 };
const kinds: readonly GapKind[] = ['planned', 'source', 'recorder'];

/** Below this a gap is a line in its colour. Lines lie over the footage and areas under it, so that neither hides the other. */
const linePx = 6;

export const gaps: Layer = (ctx, { gaps, palette }) => {
  for (const kind of kinds) for (const box of gaps[kind]) if (box.width >= linePx) drawArea(ctx, box, kind, palette);
};

export const gapLines: Layer = (ctx, { gaps, palette }) => {
  const { y, height } = rows.band;
  for (const kind of kinds) {
    ctx.fillStyle = palette.gap[kind];
    for (const box of gaps[kind]) if (box.width < linePx) ctx.fillRect(box.x, y, box.width, height);
  }
};

function drawArea(ctx: CanvasRenderingContext2D, box: Box, kind: GapKind, palette: Palette): void {
  const { y, height } = rows.band;
  ctx.fillStyle = palette.gapGround[kind];
  ctx.fillRect(box.x, y, box.width, height);
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
