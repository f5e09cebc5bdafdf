import { toX } from '../../time/scale';
import { type Layer, font } from '../scene';
import { measured } from '../text';

/** A flag under the band, with its title where there is room, and a line over what it is about. */
export const bookmarks: Layer = (ctx, { bookmarks, scale, palette, layout }) => {
  if (bookmarks.length === 0) return;
  const { y, height } = layout.flags;
  ctx.font = font;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  ctx.fillStyle = palette.bookmark;
  let free = -Infinity;
  for (const [i, bookmark] of bookmarks.entries()) {
    const x = toX(scale, bookmark.at_us);
    const end = bookmark.end_us === null ? x : toX(scale, bookmark.end_us);
    if (end < -8 || x > scale.width + 8) continue;
    if (end > x) ctx.fillRect(x, y, end - x, 2);
    ctx.fillRect(Math.round(x), layout.all.y, 1, layout.all.height + height);
    ctx.beginPath();
    ctx.moveTo(x, y + 2);
    ctx.lineTo(x + 9, y + 2);
    ctx.lineTo(x + 6, y + 6.5);
    ctx.lineTo(x + 9, y + 11);
    ctx.lineTo(x, y + 11);
    ctx.fill();
    const next = bookmarks[i + 1];
    const room = (next ? toX(scale, next.at_us) : scale.width) - x - 18;
    const width = measured(ctx, bookmark.title);
    if (x < free || width > room) continue;
    ctx.fillText(bookmark.title, x + 13, y + 7);
    free = x + 13 + width;
  }
};
