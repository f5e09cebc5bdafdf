/**
 * Which segments there are around a moment, both ways, loaded a piece at a time: what playing by pictures goes through.
 *
 * The feed of the video player only ever grows forwards. This one grows to whichever side is asked for, and knows where
 * footage ends for good.
 */
import type { Problem } from '../api/problem';
import { type Range, range } from '../time/range';
import { SECOND_US, type WallUs, shift } from '../time/timestamp';
import { entryEnd, pieceUs } from './feed';
import type { Entry } from './playlist';
import type { LoadPiece } from './source';

export type Place =
  /** `from` to `until` is what the segment covers. */
  | { kind: 'footage'; entry: Entry; from: WallUs; until: WallUs }
  | { kind: 'gap'; gap: Range }
  /** Nothing more in this direction, as far as the recorder knows. */
  | { kind: 'end' }
  | { kind: 'problem'; problem: Problem };

/** Within a run segments follow one another but for the drift of the source's clock. */
const toleranceUs = SECOND_US / 10;
/** Gaps in a row that are leapt in one look; each is one request. */
const leapsMost = 4;

export class Reel {
  #load: LoadPiece;
  #entries: Entry[] = [];
  /** All there is between the two is known. */
  #known: Range | null = null;

  constructor(load: LoadPiece) {
    this.#load = load;
  }

  /** What is at `at`; loads what is missing, and a gap's other side in the direction of travel. */
  async at(at: WallUs, direction: 1 | -1, signal?: AbortSignal): Promise<Place> {
    if (!this.#known || at < shift(this.#known.start, -pieceUs) || at > shift(this.#known.end, pieceUs)) {
      [this.#entries, this.#known] = [[], range(at, at)];
    }
    for (let tries = 0; tries < leapsMost; tries += 1) {
      const place = this.#look(at, direction);
      if (place) return place;
      const grown = await this.#grow(direction, signal);
      if (grown !== 'more') return grown === 'end' ? { kind: 'end' } : { kind: 'problem', problem: grown };
    }
    return this.#look(at, direction) ?? { kind: 'end' };
  }

  /** Loaded before it is needed; at most one request at a time. */
  async ahead(at: WallUs, direction: 1 | -1, reachUs: number, signal?: AbortSignal): Promise<void> {
    const known = this.#known;
    if (!known || this.#growing) return;
    const left = direction > 0 ? known.end - at : at - known.start;
    if (left < reachUs) await this.#grow(direction, signal);
  }
  #growing = false;

  /** The last segment in a direction, as far as is known. */
  last(direction: 1 | -1): Entry | undefined {
    return direction > 0 ? this.#entries[this.#entries.length - 1] : this.#entries[0];
  }

  /** The segment after or before one. */
  beside(entry: Entry, direction: 1 | -1): Entry | undefined {
    return this.#entries[this.#entries.indexOf(entry) + direction];
  }

  /** `null` when it is not known. */
  #look(at: WallUs, direction: 1 | -1): Place | null {
    const i = this.#entries.findLastIndex((e) => e.start <= at);
    const [entry, next] = [this.#entries[i], this.#entries[i + 1]];
    const until = entry && this.#endOf(i);
    if (entry && until !== undefined && at < until) return { kind: 'footage', entry, from: entry.start, until };
    if (direction > 0) {
      if (!next) return null;
      return { kind: 'gap', gap: range(until ?? Math.min(at, next.start - 1), next.start) };
    }
    if (until === undefined) return null;
    return { kind: 'gap', gap: range(until, next?.start ?? Math.max(at, until) + 1) };
  }

  #endOf(i: number): WallUs {
    return entryEnd(this.#entries, i);
  }

  async #grow(direction: 1 | -1, signal?: AbortSignal): Promise<'more' | 'end' | Problem> {
    if (!this.#known) return 'end';
    this.#growing = true;
    try {
      return direction > 0 ? await this.#forwards(this.#known, signal) : await this.#backwards(this.#known, signal);
    } finally {
      this.#growing = false;
    }
  }

  async #forwards(known: Range, signal?: AbortSignal): Promise<'more' | 'end' | Problem> {
    const until = shift(known.end, pieceUs);
    const piece = await this.#load(known.end, until, signal);
    if (piece.kind === 'problem') return piece.problem;
    if (piece.kind === 'nothing') {
      if (piece.nextStart === null) return 'end';
      this.#known = range(known.start, piece.nextStart);
      return 'more';
    }
    const before = this.#entries.length;
    this.#add(piece.playlist.entries);
    const last = this.#entries[this.#entries.length - 1];
    const reached = piece.playlist.ended || !last ? until : shift(last.start, last.mediaUs);
    this.#known = range(known.start, Math.max(reached, known.end));
    // A playlist that is not over and brought nothing new is the live edge.
    return piece.playlist.ended || this.#entries.length > before ? 'more' : 'end';
  }

  async #backwards(known: Range, signal?: AbortSignal): Promise<'more' | 'end' | Problem> {
    const from = shift(known.start, -pieceUs);
    const piece = await this.#load(from, known.start === known.end ? shift(known.start, 1) : known.start, signal);
    if (piece.kind === 'problem') return piece.problem;
    if (piece.kind === 'nothing') {
      if (piece.previousEnd === null) return 'end';
      this.#known = range(Math.min(piece.previousEnd, known.start), known.end);
      return 'more';
    }
    this.#add(piece.playlist.entries);
    this.#known = range(from, known.end);
    return 'more';
  }

  #add(entries: readonly Entry[]): void {
    const all = new Map([...this.#entries, ...entries].map((e) => [e.start, e]));
    const sorted = [...all.values()].sort((a, b) => a.start - b.start);
    // What a piece says of its first entry depends on where the piece begins: neighbours say it themselves.
    this.#entries = sorted.map((entry, i) => {
      const before = sorted[i - 1];
      const apart = before && Math.abs(entry.start - before.start - before.mediaUs) > toleranceUs;
      return { ...entry, discontinuity: before !== undefined && (before.init !== entry.init || apart === true) };
    });
  }
}
