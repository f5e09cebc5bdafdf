import { toX } from '../../time/scale';
import { tallness } from '../boxes';
import { kinds } from '../kinds';
import { windowOf } from '../layout';
import type { Layer } from '../scene';

/** All that is recorded in one line, and which part of it is above. */
export const overview: Layer = (ctx, { overview, scale, palette, layout, position, bookmarks }) => {
  const { y, height } = layout.overview;
  const { row } = overview;
  ctx.fillStyle = palette.ground;
  ctx.fillRect(0, y, overview.scale.width, height);
  kinds.forEach((kind, k) => {
    ctx.fillStyle = palette.gap[kind];
    for (const boxes of [row.areas[k], row.lines[k]]) {
      if (boxes) for (let i = 0; i < boxes.length; i += 1) ctx.fillRect(boxes.x(i), y + height - 4, boxes.width(i), 4);
    }
  });
  ctx.fillStyle = palette.footage;
  for (let i = 0; i < row.footage.length; i += 1)
    ctx.fillRect(row.footage.x(i), y + 3, row.footage.width(i), height - 7);
  kinds.forEach((kind, k) => {
    const boxes = row.mixed[k];
    ctx.fillStyle = palette.gap[kind];
    for (let i = 0; boxes && i < boxes.length; i += 1) {
      const tall = tallness(boxes.share(i)) * (height - 7);
      ctx.fillRect(boxes.x(i), y + height - 4 - tall, boxes.width(i), tall);
    }
  });
  ctx.fillStyle = palette.hold;
  for (let i = 0; i < row.holds.length; i += 1) ctx.fillRect(row.holds.x(i), y + 1, row.holds.width(i), 2);
  ctx.fillStyle = palette.bookmark;
  for (const bookmark of bookmarks) ctx.fillRect(Math.round(toX(overview.scale, bookmark.at_us)), y + 1, 1, 5);
  if (position !== null) {
    ctx.fillStyle = palette.playhead;
    ctx.fillRect(toX(overview.scale, position) - 1, y, 2, height);
  }
  const { from, to } = windowOf(scale, overview.scale);
  ctx.globalAlpha = 0.55;
  ctx.fillStyle = palette.future;
  ctx.fillRect(0, y, from, height);
  ctx.fillRect(to, y, overview.scale.width - to, height);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = palette.ink;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.roundRect(from + 0.75, y + 0.75, Math.max(1, to - from - 1.5), height - 1.5, 3);
  ctx.stroke();
};
