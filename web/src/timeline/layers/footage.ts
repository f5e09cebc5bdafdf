import { type Layer, rows } from '../scene';

export const footage: Layer = (ctx, { footage, palette }) => {
  const { y, height } = rows.band;
  ctx.fillStyle = palette.footage;
  for (const box of footage) ctx.fillRect(box.x, y, box.width, height);
  ctx.fillStyle = palette.footageEdge;
  for (const box of footage) ctx.fillRect(box.x, y, box.width, 2);
};
