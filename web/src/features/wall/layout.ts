/** How many tiles go beside one another. Pure. */

/** More would be stamps on any screen, and more decoders than a laptop has. */
export const tilesMost = 9;

/** Columns for so many pictures of 16:9 in a room of this size: those that make them largest. */
export function columnsFor(tiles: number, width: number, height: number): number {
  let [best, bestWidth] = [1, 0];
  for (let columns = 1; columns <= Math.max(1, tiles); columns += 1) {
    const rows = Math.ceil(tiles / columns);
    const tileWidth = Math.min(width / columns, ((height / rows) * 16) / 9);
    // Of equals the one with fewer columns: taller tiles leave more room for words.
    if (tileWidth > bestWidth + 0.5) [best, bestWidth] = [columns, tileWidth];
  }
  return best;
}

/** What an address asks for, as far as it can be shown: each stream once, and no more than fit. */
export function tilesOf(streams: readonly string[]): string[] {
  return [...new Set(streams)].slice(0, tilesMost);
}
