/** Keeps the feed ahead of the playhead: asks for the next piece in time, over gaps, and follows the live edge. */
import type { Problem } from '../api/problem';
import { range } from '../time/range';
import { type WallUs, shift } from '../time/timestamp';
import { type Feed, append, end, keptBehindUs, lastOf, pieceUs, span, trim, wanted } from './feed';
import type { LoadPiece } from './source';

export interface Situation {
  readonly playhead: WallUs;
  readonly now: WallUs;
  readonly rate: number;
  /** The stream is being recorded, so that more may come after the last segment. */
  readonly growing: boolean;
}

export class Keeper {
  #feed: Feed;
  #load: LoadPiece;
  #situation: () => Situation;

  constructor(feed: Feed, load: LoadPiece, situation: () => Situation) {
    this.#feed = feed;
    this.#load = load;
    this.#situation = situation;
  }

  get feed(): Feed {
    return this.#feed;
  }

  /**
   * The feed as it should be now. Loads at most three playlists; a problem leaves the feed as it was, and the next call
   * tries again.
   */
  async next(signal?: AbortSignal): Promise<{ feed: Feed; problem: Problem | null }> {
    const { playhead, now, rate, growing } = this.#situation();
    this.#feed = trim(this.#feed, shift(playhead, -keptBehindUs));
    const want = wanted(this.#feed, playhead, now, rate);
    if (want.kind === 'nothing') return { feed: this.#feed, problem: null };
    const problem =
      want.kind === 'edge'
        ? await this.#follow(want.start, growing, signal)
        : await this.#advance(want.range.start, want.range.end, growing, signal);
    return { feed: this.#feed, problem };
  }

  async #follow(start: WallUs, growing: boolean, signal?: AbortSignal): Promise<Problem | null> {
    const piece = await this.#load(start, null, signal);
    if (piece.kind === 'problem') return piece.problem;
    const before = this.#feed;
    if (piece.kind === 'piece') this.#feed = append(before, piece.playlist);
    if (this.#feed === before && !growing) this.#feed = end(before);
    return null;
  }

  async #advance(start: WallUs, until: WallUs, growing: boolean, signal?: AbortSignal): Promise<Problem | null> {
    const before = this.#feed;
    const piece = await this.#load(start, until, signal);
    if (piece.kind === 'problem') return piece.problem;
    if (piece.kind === 'piece') this.#feed = append(before, piece.playlist);
    if (this.#feed !== before) return null;
    return this.#leap(growing, signal);
  }

  /** Nothing follows soon: find where footage goes on, however far away that is. */
  async #leap(growing: boolean, signal?: AbortSignal): Promise<Problem | null> {
    const reach = span(this.#feed).end;
    const beyond = await this.#load(reach, shift(reach, pieceUs), signal);
    if (beyond.kind === 'problem') return beyond.problem;
    if (beyond.kind === 'piece' && beyond.playlist.entries.some((e) => e.start > lastOf(this.#feed).start)) {
      this.#feed = append(this.#feed, beyond.playlist);
      return null;
    }
    const nextStart = beyond.kind === 'nothing' ? beyond.nextStart : null;
    if (nextStart === null) {
      if (!growing) this.#feed = end(this.#feed);
      return null;
    }
    const { start, end: until } = range(nextStart, nextStart + pieceUs);
    const landing = await this.#load(start, until, signal);
    if (landing.kind === 'problem') return landing.problem;
    if (landing.kind === 'piece') this.#feed = append(this.#feed, landing.playlist);
    return null;
  }
}
