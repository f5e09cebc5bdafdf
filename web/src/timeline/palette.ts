/** The timeline's colours, from the style sheet: a canvas cannot read CSS variables by itself. */
import type { GapKind } from './kinds';
import type { Palette, Patterns } from './scene';

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--bar-${name}`).trim() || '#888';
  return {
    ground: colour('ground'),
    future: colour('future'),
    line: colour('line'),
    text: colour('text'),
    ink: style.getPropertyValue('--ink').trim() || '#000',
    footage: colour('footage'),
    footageEdge: colour('footage-edge'),
    gap: { source: colour('source'), recorder: colour('recorder'), planned: colour('planned') },
    gapGround: {
      source: colour('source-ground'),
      recorder: colour('recorder-ground'),
      planned: colour('planned-ground'),
    },
    playhead: colour('playhead'),
    cursor: colour('cursor'),
    mark: colour('mark'),
    markGround: colour('mark-ground'),
    hold: colour('hold'),
    leaving: colour('leaving'),
    bookmark: colour('bookmark'),
    live: style.getPropertyValue('--live').trim() || '#c00',
    window: colour('window'),
  };
}

/** Lines so far apart: close for the recorder, wide for the source. */
const hatching: Record<GapKind, number> = { source: 8, recorder: 4, planned: 0 };

/** Drawn once for a palette: filling with a pattern costs one call a box, however large. */
export function makePatterns(ctx: CanvasRenderingContext2D, palette: Palette, pixelRatio: number): Patterns {
  const hatch = (apart: number, colour: string, falls = false) => {
    if (apart === 0) return null;
    const side = apart * 2;
    const tile = document.createElement('canvas');
    tile.width = tile.height = Math.round(side * pixelRatio);
    const pen = tile.getContext('2d');
    if (!pen) return null;
    pen.scale(tile.width / side, tile.height / side);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.2;
    pen.beginPath();
    for (let x = -side; x <= side * 2; x += apart) {
      pen.moveTo(x, falls ? 0 : side);
      pen.lineTo(x + side, falls ? side : 0);
    }
    pen.stroke();
    const pattern = ctx.createPattern(tile, 'repeat');
    pattern?.setTransform(new DOMMatrix().scale(side / tile.width, side / tile.height));
    return pattern;
  };
  const { gap } = palette;
  return {
    gap: {
      source: hatch(hatching.source, gap.source),
      recorder: hatch(hatching.recorder, gap.recorder),
      planned: null,
    },
    leaving: hatch(6, palette.leaving, true),
    mixed: {
      source: stripes(ctx, gap.source, 5, pixelRatio),
      recorder: stripes(ctx, gap.recorder, 3, pixelRatio),
      planned: stripes(ctx, gap.planned, 7, pixelRatio),
    },
  };
}

/** Upright strokes so far apart, as of gaps too close together to be told apart; footage shows between them. */
function stripes(
  ctx: CanvasRenderingContext2D,
  colour: string,
  apart: number,
  pixelRatio: number,
): CanvasPattern | null {
  const tile = document.createElement('canvas');
  tile.width = Math.round(apart * pixelRatio);
  tile.height = 1;
  const pen = tile.getContext('2d');
  if (!pen) return null;
  pen.fillStyle = colour;
  pen.fillRect(0, 0, Math.max(1, Math.round((apart / 2) * pixelRatio)), 1);
  const pattern = ctx.createPattern(tile, 'repeat');
  pattern?.setTransform(new DOMMatrix().scale(apart / tile.width, 1));
  return pattern;
}
