/**
 * What is recorded, as far as anyone has looked: tiles of coverage, asked for when they come into view, kept for coming
 * back, given up when the viewer has moved on. While a tile is under way the nearest level that is there is shown.
 */
import { api } from '../api/client';
import { hearClock, recorderNow } from '../api/clock';
import type { Problem, Result } from '../api/problem';
import type { Coverage, Gap } from '../api/types';
import { type Range, intersection, length, range } from '../time/range';
import { SECOND_US } from '../time/timestamp';
import {
  type Tile,
  type TileKey,
  coarsest,
  joinGaps,
  levelFor,
  nameOf,
  pairAt,
  resolutionS,
  tileOf,
  tileRange,
  tilesOf,
  wantedTiles,
} from './tiles';

export type LoadCoverage = (
  r: Range,
  resolutionS: number | undefined,
  signal: AbortSignal,
) => Promise<Result<Coverage>>;

/** At once: more would only make the first of them later. */
const loadingMost = 4;
/** Kept for coming back; a tile is some tens of kilobytes at most. */
const keptMost = 240;
/** Footage is stored a segment at a time; in between the player's own feed knows what is new. */
const growingMs = 10_000;
/** What is past changes by retention, erasure and repair only. */
const pastMs = 120_000;
const retryMs = 3000;
/** Levels looked at below the wanted one: finer tiles stand in for a coarse one that is not there yet. */
const finerMost = 3;

interface Kept {
  readonly tile: Tile;
  readonly atMs: number;
  used: number;
}

/** What is known of a view. */
export interface Found {
  readonly footage: readonly Range[];
  readonly gaps: readonly Gap[];
  readonly recordedUs: number;
  /** In gaps too short to be listed at this zoom. */
  readonly unlistedUs: number;
  /** All of the view is known. */
  readonly complete: boolean;
}

export class CoverageStore {
  /** The last answer was a problem. */
  failed = false;
  #load: LoadCoverage;
  #nowMs: () => number;
  #tiles = new Map<string, Kept>();
  #loading = new Map<string, AbortController>();
  #views = new Map<object, { view: Range; level: number; tiles: string }>();
  #listeners = new Set<() => void>();
  #notBeforeMs = 0;
  #uses = 0;

  constructor(load: LoadCoverage, nowMs: () => number = () => performance.now()) {
    this.#load = load;
    this.#nowMs = nowMs;
  }

  listen(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** Says what is in view of `who` now. Cheap while that is the same tiles: called with every frame. */
  want(who: object, view: Range, usPerPx: number): void {
    const level = levelFor(usPerPx);
    const { first, last } = tilesOf(view, level);
    const tiles = `${level} ${first} ${last}`;
    const before = this.#views.get(who)?.tiles;
    this.#views.set(who, { view, level, tiles });
    if (tiles !== before) this.look();
  }

  forget(who: object): void {
    this.#views.delete(who);
    this.look();
  }

  /** Asks for what is missing or has become old, and gives up what nobody wants any more. */
  look(): void {
    const wanted = new Map<string, TileKey>();
    const now = recorderNow();
    for (const { view, level } of this.#views.values()) {
      for (const key of wantedTiles(view, level, now)) wanted.set(nameOf(key), key);
    }
    for (const [name, abort] of this.#loading) if (!wanted.has(name)) abort.abort();
    if (this.#nowMs() < this.#notBeforeMs) return;
    for (const [name, key] of wanted) {
      if (this.#loading.size >= loadingMost) return;
      if (!this.#loading.has(name) && this.#isDue(name)) void this.#ask(name, key);
    }
  }

  #isDue(name: string): boolean {
    const kept = this.#tiles.get(name);
    if (!kept) return true;
    kept.used = this.#uses;
    const grows = kept.tile.range.end > kept.tile.now - 60 * SECOND_US;
    return this.#nowMs() - kept.atMs > (grows ? growingMs : pastMs);
  }

  async #ask(name: string, key: TileKey): Promise<void> {
    const abort = new AbortController();
    this.#loading.set(name, abort);
    const answer = await this.#load(tileRange(key), resolutionS(key.level), abort.signal);
    if (this.#loading.get(name) === abort) this.#loading.delete(name);
    if (abort.signal.aborted) return this.look();
    this.failed = !answer.ok;
    if (answer.ok) this.#keep(name, tileOf(key, answer.value));
    else this.#notBeforeMs = this.#nowMs() + retryMs;
    for (const changed of this.#listeners) changed();
    this.look();
  }

  #keep(name: string, tile: Tile): void {
    this.#uses += 1;
    this.#tiles.set(name, { tile, atMs: this.#nowMs(), used: this.#uses });
    if (this.#tiles.size <= keptMost) return;
    const oldest = [...this.#tiles].sort((a, b) => a[1].used - b[1].used);
    for (const [old] of oldest.slice(0, keptMost / 8)) this.#tiles.delete(old);
  }

  /**
   * Calls `each` with the best there is for every part of the view, in order of time. A part for which nothing is there
   * yet is left out.
   */
  visit(view: Range, usPerPx: number, each: (tile: Tile, start: number, end: number) => void): void {
    const level = levelFor(usPerPx);
    const { first, last } = tilesOf(view, level);
    for (let index = first; index <= last; index += 1) this.#visitTile(level, index, view.start, view.end, each);
  }

  #visitTile(
    level: number,
    index: number,
    from: number,
    to: number,
    each: (tile: Tile, start: number, end: number) => void,
  ): void {
    const part = tileRange({ level, index });
    const [start, end] = [Math.max(part.start, from), Math.min(part.end, to)];
    if (start >= end) return;
    for (let up = 0; level + up <= coarsest; up += 1) {
      const tile = this.#tiles.get(`${level + up}/${Math.floor(index / 2 ** up)}`)?.tile;
      // Right after zooming out the finer tiles are the better picture, as far as they reach.
      if (tile && (up === 0 || !this.#hasFiner(level, index, 1))) return each(tile, start, end);
    }
    if (this.#hasFiner(level, index, finerMost)) {
      this.#visitTile(level - 1, index * 2, start, end, each);
      this.#visitTile(level - 1, index * 2 + 1, start, end, each);
    }
  }

  #hasFiner(level: number, index: number, down: number): boolean {
    if (level === 0 || down === 0) return false;
    const [a, b] = [index * 2, index * 2 + 1];
    const has = (i: number) => this.#tiles.has(`${level - 1}/${i}`) || this.#hasFiner(level - 1, i, down - 1);
    return has(a) && has(b);
  }

  /** The tile that knows most about a moment. */
  tileAt(at: number, usPerPx: number): Tile | null {
    let found: Tile | null = null;
    this.visit(range(at, at + 1), usPerPx, (tile) => (found = tile));
    return found;
  }

  /**
   * The gap at a moment, from its real beginning to its real end: tiles cut it where they end, those of a higher level
   * further away.
   */
  gapAt(at: number, usPerPx: number): Gap | null {
    let found: Gap | null = null;
    for (let level = levelFor(usPerPx); level <= coarsest; level += 1) {
      const { first: index } = tilesOf(range(at, at + 1), level);
      const tile = this.#tiles.get(`${level}/${index}`)?.tile;
      const gap = tile?.gapList[pairAt(tile.gaps, at)];
      if (!tile || !gap || (found && gap.cause !== found.cause)) continue;
      // A coarser tile may have merged its neighbours into it: no shorter, and not longer than what is cut.
      if (!found || gap.start_us < found.start_us || gap.end_us > found.end_us) found = gap;
      if (gap.start_us > tile.range.start && gap.end_us < tile.range.end) return found;
    }
    return found;
  }

  /** Footage and gaps of a view as they are known now, cut to it. */
  record(view: Range, usPerPx: number): Found {
    const footage: Range[] = [];
    const gaps: Gap[] = [];
    let [known, recordedUs, unlistedUs] = [0, 0, 0];
    this.visit(view, usPerPx, (tile, start, end) => {
      known += end - start;
      const part = range(start, end);
      for (let i = 0; i < tile.runs.length; i += 2) {
        const run = intersection(range(tile.runs[i] as number, tile.runs[i + 1] as number), part);
        if (!run) continue;
        footage.push(run);
        const missing = length(run) * (tile.missing[i / 2] as number);
        recordedUs += length(run) - missing;
        unlistedUs += missing;
      }
      for (const gap of tile.gapList) {
        const cut = intersection(range(gap.start_us, gap.end_us), part);
        if (cut) gaps.push({ ...gap, start_us: cut.start, end_us: cut.end });
      }
    });
    const past = Math.min(view.end, recorderNow()) - view.start;
    return { footage, gaps: joinGaps(gaps), recordedUs, unlistedUs, complete: known >= past - SECOND_US };
  }
}

let heard: (problem: Problem | null) => void = () => undefined;

/** Who is told how each answer went: an ended session and a silent recorder are everybody's business. */
export function hearCoverage(listener: (problem: Problem | null) => void): void {
  heard = listener;
}

const stores = new Map<string, CoverageStore>();

/** One for each stream, shared by all that show it. */
export function coverageOf(stream: string): CoverageStore {
  let store = stores.get(stream);
  if (!store) stores.set(stream, (store = new CoverageStore(loader(stream))));
  return store;
}

function loader(stream: string): LoadCoverage {
  return async (r, resolution, signal) => {
    const answer = await api.coverage(stream, r, resolution, signal);
    if (!signal.aborted) heard(answer.ok ? null : answer.problem);
    if (answer.ok) hearClock(answer.value.now_us);
    return answer;
  };
}
