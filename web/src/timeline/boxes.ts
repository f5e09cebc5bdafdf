/** Ranges of time as boxes of pixels, kept in buffers that are used again with every frame. */
import { type TimeScale, usPerPx } from '../time/scale';
import { expiringUs } from './record';
import type { RowScene } from './scene';
import { type Tile, firstEndingAfter } from './tiles';

/** Closer together than this many pixels is one box: there are never more boxes than pixels, however many ranges. */
const joinPx = 0.5;

export class Boxes {
  #x = new Float32Array(256);
  #end = new Float32Array(256);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  x(i: number): number {
    return this.#x[i] as number;
  }

  width(i: number): number {
    return (this.#end[i] as number) - (this.#x[i] as number);
  }

  /** In order of `x`; what nearly touches the box before becomes part of it. */
  push(x: number, end: number): void {
    const last = this.length - 1;
    if (last >= 0 && x - (this.#end[last] as number) < joinPx) {
      if (end > (this.#end[last] as number)) this.#end[last] = end;
      return;
    }
    if (this.length === this.#x.length) this.#grow();
    this.#x[this.length] = x;
    this.#end[this.length] = end;
    this.length += 1;
  }

  #grow(): void {
    const [x, end] = [this.#x, this.#end];
    this.#x = new Float32Array(x.length * 2);
    this.#end = new Float32Array(x.length * 2);
    this.#x.set(x);
    this.#end.set(end);
  }

  toArray(): { x: number; width: number }[] {
    return Array.from({ length: this.length }, (_, i) => ({ x: this.x(i), width: this.width(i) }));
  }
}

/** A box narrower than this is widened around its middle: a gap of a second must show on the bar of a year. */
export const leastPx = 2;

/** Adds the part of `start`–`end` that is in the drawing, at least `least` wide. */
export function pushRange(boxes: Boxes, scale: TimeScale, start: number, end: number, least: number): void {
  const px = usPerPx(scale);
  const x0 = (start - scale.range.start) / px;
  const x1 = (end - scale.range.start) / px;
  if (x1 <= 0 || x0 >= scale.width) return;
  const spare = Math.max(0, least - (x1 - x0)) / 2;
  boxes.push(Math.max(0, x0 - spare), Math.min(scale.width, x1 + spare));
}

/** What one row shows of its footage and gaps. */
export interface RowBoxes {
  readonly footage: Boxes;
  /** Footage with short gaps inside, too short to be told apart here. */
  readonly mixed: Boxes;
  /** By the index of their kind: areas lie under the footage, lines over it, so that neither hides the other. */
  readonly areas: readonly Boxes[];
  readonly lines: readonly Boxes[];
  /** What has been looked at: elsewhere nothing is known yet. */
  readonly known: Boxes;
}

export function newRow(): RowScene {
  const three = () => [new Boxes(), new Boxes(), new Boxes()];
  const one = () => new Boxes();
  return {
    ...{ footage: one(), mixed: one(), known: one(), areas: three(), lines: three() },
    ...{ holds: one(), marked: one(), expiring: one(), windowStart: null },
  };
}

export function clearRow(row: RowScene): void {
  for (const boxes of [row.footage, row.mixed, row.known, row.holds, row.marked, row.expiring]) boxes.clear();
  for (const boxes of row.areas) boxes.clear();
  for (const boxes of row.lines) boxes.clear();
  row.windowStart = null;
}

/** Below this a gap is a line in its colour. */
export const linePx = 6;

/** Adds what a tile knows of `start`–`end`. Tiles come in order of time. */
export function addTile(row: RowScene, scale: TimeScale, tile: Tile, start: number, end: number): void {
  pushRange(row.known, scale, start, end, 0);
  for (let i = firstEndingAfter(tile.runs, start); i < tile.runs.length / 2; i += 1) {
    const from = tile.runs[2 * i] as number;
    if (from >= end) break;
    const [a, b] = [Math.max(from, start), Math.min(tile.runs[2 * i + 1] as number, end)];
    pushRange(row.footage, scale, a, b, leastPx);
    if (tile.merged[i]) pushRange(row.mixed, scale, a, b, 0);
  }
  const least = linePx * usPerPx(scale);
  for (let i = firstEndingAfter(tile.gaps, start); i < tile.gaps.length / 2; i += 1) {
    const from = tile.gaps[2 * i] as number;
    if (from >= end) break;
    const to = tile.gaps[2 * i + 1] as number;
    const boxes = (to - from >= least ? row.areas : row.lines)[tile.gapKinds[i] as number] as Boxes;
    pushRange(boxes, scale, Math.max(from, start), Math.min(to, end), leastPx);
  }
  addFate(row, scale, tile, start, end);
}

function addFate(row: RowScene, scale: TimeScale, tile: Tile, start: number, end: number): void {
  row.windowStart = tile.windowStart;
  for (const hold of tile.holds) pushPart(row.holds, scale, hold.start, hold.end, start, end);
  for (const marked of tile.marked) pushPart(row.marked, scale, marked.start, marked.end, start, end);
  if (tile.windowStart === null) return;
  const soon = tile.windowStart + expiringUs;
  for (let i = firstEndingAfter(tile.runs, start); i < tile.runs.length / 2; i += 1) {
    const from = tile.runs[2 * i] as number;
    if (from >= end || from >= soon) return;
    pushPart(row.expiring, scale, from, Math.min(soon, tile.runs[2 * i + 1] as number), start, end);
  }
}

function pushPart(boxes: Boxes, scale: TimeScale, from: number, to: number, start: number, end: number): void {
  const [a, b] = [Math.max(from, start), Math.min(to, end)];
  if (a < b) pushRange(boxes, scale, a, b, leastPx);
}
