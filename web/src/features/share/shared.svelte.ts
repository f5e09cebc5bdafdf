/** A player that never leaves the part that is shared. */
import { Player, type PlayerDeps } from '../../player/player.svelte';
import { pieceLoader } from '../../player/source';
import type { LoadPiece } from '../../player/source';
import type { Range } from '../../time/range';
import type { WallUs } from '../../time/timestamp';
import { cut, inside } from './state';

export class SharedPlayer extends Player {
  readonly #part: Range;

  constructor(
    video: HTMLVideoElement,
    still: HTMLCanvasElement,
    stream: string,
    part: Range,
    deps: Omit<PlayerDeps, 'stream' | 'load' | 'growing'>,
  ) {
    super(video, still, { ...deps, stream, load: partLoader(stream, part), growing: () => false });
    this.#part = part;
  }

  override seek(target: WallUs, options: { play?: boolean } = {}): Promise<void> {
    return super.seek(inside(target, this.#part.start, this.#part.end), options);
  }
}

/** Asks for nothing that would be refused: outside of the part there is nothing, as far as a link goes. */
function partLoader(stream: string, part: Range): LoadPiece {
  const load = pieceLoader(stream);
  return async (start, end, signal) => {
    const wanted = cut(start, end, part);
    if (wanted) return load(wanted.start, wanted.end, signal);
    const over = start >= part.end;
    return { kind: 'nothing', previousEnd: over ? part.end : null, nextStart: over ? null : part.start };
  };
}
