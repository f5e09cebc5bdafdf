/** Ranges of time as boxes of pixels, kept in buffers that are used again with every frame. */
import { type TimeScale, usPerPx } from '../time/scale';
import { expiringUs } from './record';
import type { RowScene } from './scene';
import { type Tile, firstEndingAfter } from './tiles';

/** Closer together than this many pixels is one box: there are never more boxes than pixels, however many ranges. */
const joinPx = 0.5;
/** Shares closer than this look the same. */
const sameShare = 0.03;

export class Boxes {
  #x = new Float32Array(256);
  #end = new Float32Array(256);
  #share = new Float32Array(256);
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

  /** How much of it the box stands for, 0 to 1. */
  share(i: number): number {
    return this.#share[i] as number;
  }

  /** In order of `x`; what nearly touches the box before becomes part of it, unless it stands for another share. */
  push(x: number, end: number, share = 1): void {
    const last = this.length - 1;
    const near = last >= 0 && x - (this.#end[last] as number) < joinPx;
    if (near && Math.abs(share - (this.#share[last] as number)) < sameShare) {
      this.#share[last] = Math.max(share, this.#share[last] as number);
      if (end > (this.#end[last] as number)) this.#end[last] = end;
      return;
    }
    if (this.length === this.#x.length) this.#grow();
    this.#x[this.length] = x;
    this.#end[this.length] = end;
    this.#share[this.length] = share;
    this.length += 1;
  }

  #grow(): void {
    const twice = (from: Float32Array) => {
      const to = new Float32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.#x = twice(this.#x);
    this.#end = twice(this.#end);
    this.#share = twice(this.#share);
  }

  toArray(): { x: number; width: number }[] {
    return Array.from({ length: this.length }, (_, i) => ({ x: this.x(i), width: this.width(i) }));
  }
}

/** A box narrower than this is widened around its middle: a gap of a second must show on the bar of a year. */
export const leastPx = 2;

/** Adds the part of `start`–`end` that is in the drawing, at least `least` wide. */
export function pushRange(boxes: Boxes, scale: TimeScale, start: number, end: number, least: number, share = 1): void {
  const px = usPerPx(scale);
  const x0 = (start - scale.range.start) / px;
  const x1 = (end - scale.range.start) / px;
  if (x1 <= 0 || x0 >= scale.width) return;
  const spare = Math.max(0, least - (x1 - x0)) / 2;
  boxes.push(Math.max(0, x0 - spare), Math.min(scale.width, x1 + spare), share);
}

/** What one row shows of its footage and gaps. */
export interface RowBoxes {
  readonly footage: Boxes;
  /** Footage with gaps inside too short to be told apart here, by kind; their share is what is missing. */
  readonly mixed: readonly Boxes[];
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
    ...{ footage: one(), known: one(), mixed: three(), areas: three(), lines: three() },
    ...{ holds: one(), marked: one(), expiring: one(), windowStart: null },
  };
}

export function clearRow(row: RowScene): void {
  for (const boxes of [row.footage, row.known, row.holds, row.marked, row.expiring]) boxes.clear();
  for (const boxes of row.mixed) boxes.clear();
  for (const boxes of row.areas) boxes.clear();
  for (const boxes of row.lines) boxes.clear();
  row.windowStart = null;
}

/** How tall a share is drawn, of 1: small ones stand out, and the larger ones still differ. */
export function tallness(share: number): number {
  return Math.max(0.22, Math.sqrt(share));
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
    const share = tile.missing[i] as number;
    if (share > 0) pushRange(row.mixed[tile.missingKinds[i] as number] as Boxes, scale, a, b, 1, share);
  }
  const least = linePx * usPerPx(scale);
  const narrow = leastPx * usPerPx(scale);
  for (let i = firstEndingAfter(tile.gaps, start); i < tile.gaps.length / 2; i += 1) {
    const from = tile.gaps[2 * i] as number;
    if (from >= end) break;
    const to = tile.gaps[2 * i + 1] as number;
    const kind = tile.gapKinds[i] as number;
    const [a, b] = [Math.max(from, start), Math.min(to, end)];
    // Narrower than it is drawn: lower instead, so that many short gaps do not look like one long one.
    if (to - from >= least) pushRange(row.areas[kind] as Boxes, scale, a, b, leastPx);
    else pushRange(row.lines[kind] as Boxes, scale, a, b, leastPx, Math.min(1, (to - from) / narrow));
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
