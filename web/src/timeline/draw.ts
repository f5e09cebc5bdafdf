/** The layers, bottom to top. */
import { cursor } from './layers/cursor';
import { footage } from './layers/footage';
import { gapLines, gaps } from './layers/gaps';
import { ground } from './layers/ground';
import { marks } from './layers/marks';
import { playhead } from './layers/playhead';
import { ticks } from './layers/ticks';
import { type Layer, type Scene, rows } from './scene';

const layers: readonly Layer[] = [ground, gaps, footage, gapLines, ticks, marks, cursor, playhead];

export function draw(canvas: HTMLCanvasElement, scene: Scene, pixelRatio: number): void {
  const ctx = canvas.getContext('2d');
  if (!ctx) return;
  const width = Math.round(scene.scale.width * pixelRatio);
  const height = Math.round(rows.height * pixelRatio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  ctx.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  ctx.clearRect(0, 0, scene.scale.width, rows.height);
  for (const layer of layers) layer(ctx, scene);
}
