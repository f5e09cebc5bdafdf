import { type Boxes, tallness } from '../boxes';
import { kinds } from '../kinds';
import type { Layer } from '../scene';

/**
 * Colour says whose doing a gap is, and so does the hatching: close for the recorder, wide for the source, none for what was
 * planned. The foot is solid, so that a narrow gap has its colour, too.
 */
export const gaps: Layer = (ctx, { rows, layout, palette, patterns }) => {
  rows.forEach(({ areas }, i) => {
    const { y, height } = layout.bands[i] ?? layout.all;
    kinds.forEach((kind, k) => {
      const boxes = areas[k];
      if (!boxes || boxes.length === 0) return;
      fill(ctx, boxes, y, height, palette.gapGround[kind]);
      const pattern = patterns.gap[kind];
      if (pattern) fill(ctx, boxes, y, height, pattern);
      fill(ctx, boxes, y + height - 3, 3, palette.gap[kind]);
    });
  });
};

/** Too narrow for an area: a line, as tall as it is wide in comparison. */
export const gapLines: Layer = (ctx, { rows, layout, palette }) => {
  rows.forEach(({ lines }, i) => {
    const { y, height } = layout.bands[i] ?? layout.all;
    kinds.forEach((kind, k) => {
      const boxes = lines[k];
      ctx.fillStyle = palette.gap[kind];
      for (let b = 0; boxes && b < boxes.length; b += 1) {
        const tall = tallness(boxes.share(b)) * height;
        ctx.fillRect(boxes.x(b), y + height - tall, boxes.width(b), tall);
      }
    });
  });
};

function fill(
  ctx: CanvasRenderingContext2D,
  boxes: Boxes,
  y: number,
  height: number,
  style: string | CanvasPattern,
): void {
  ctx.fillStyle = style;
  for (let i = 0; i < boxes.length; i += 1) ctx.fillRect(boxes.x(i), y, boxes.width(i), height);
}
