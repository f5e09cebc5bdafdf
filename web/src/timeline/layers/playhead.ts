import { toX } from '../../time/scale';
import { type Layer, rows } from '../scene';

/** What is on screen: a line with a grip on top. */
export const playhead: Layer = (ctx, { position, scale, palette }) => {
  if (position === null) return;
  const x = toX(scale, position);
  if (x < -8 || x > scale.width + 8) return;
  const { y, height } = rows.band;
  ctx.fillStyle = palette.ground;
  ctx.fillRect(x - 2.5, y - 4, 5, height + 8);
  ctx.fillStyle = palette.playhead;
  ctx.fillRect(x - 1.25, y - 6, 2.5, height + 12);
  ctx.beginPath();
  ctx.moveTo(x - 6, y - 10);
  ctx.lineTo(x + 6, y - 10);
  ctx.lineTo(x + 6, y - 5);
  ctx.lineTo(x, y + 2);
  ctx.lineTo(x - 6, y - 5);
  ctx.closePath();
  ctx.fill();
};
