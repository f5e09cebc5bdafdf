/** The layers, bottom to top. */
import { bookmarks } from './layers/bookmarks';
import { cursor } from './layers/cursor';
import { footage } from './layers/footage';
import { gapLines, gaps } from './layers/gaps';
import { ground } from './layers/ground';
import { marks } from './layers/marks';
import { overview } from './layers/overview';
import { liveEdge, playhead } from './layers/playhead';
import { holds, leaving, retentionEdge } from './layers/retention';
import { clockChanges, frames, ruler } from './layers/ruler';
import type { Layer, Scene } from './scene';

const layers: readonly Layer[] = [
  ground,
  gaps,
  footage,
  gapLines,
  leaving,
  holds,
  ruler,
  clockChanges,
  frames,
  retentionEdge,
  liveEdge,
  marks,
  bookmarks,
  cursor,
  playhead,
  overview,
];

export function draw(ctx: CanvasRenderingContext2D, scene: Scene, pixelRatio: number): void {
  const { canvas } = ctx;
  const width = Math.round(scene.scale.width * pixelRatio);
  const height = Math.round(scene.layout.height * pixelRatio);
  // Assigning a size clears the canvas and gives up its memory.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  ctx.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  ctx.clearRect(0, 0, scene.scale.width, scene.layout.height);
  for (const layer of layers) layer(ctx, scene);
}
