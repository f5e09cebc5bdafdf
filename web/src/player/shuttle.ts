/**
 * Playing by single pictures, in either direction and at any pace: backwards, and faster than a decoder goes.
 *
 * A clock of wall time runs at the speed asked for; whatever picture belongs to it is shown, and the next one is fetched
 * meanwhile. When pictures come too slowly some are left out and the pace stays true; while the list of segments itself
 * is missing, the clock waits.
 */
import type { Problem } from '../api/problem';
import { type Range, length } from '../time/range';
import { SECOND_US, type WallUs, shift, wallUs } from '../time/timestamp';
import type { Picture } from './keyframe';
import type { Entry } from './playlist';
import { type Place, Reel } from './reel';
import type { SlideWish } from './slides';
import type { LoadPiece } from './source';

export interface ShuttleDeps {
  readonly load: LoadPiece;
  readonly slides: (wish: SlideWish, signal: AbortSignal) => Promise<Picture[]>;
  readonly waitsInGaps: () => boolean;
  /** A clock that others go by as well; `null`: a clock of its own. */
  readonly clock: () => WallUs | null;
}

export interface ShuttleEvents {
  shown(picture: Picture): void;
  /** A stretch without footage was left out. */
  skipped(gap: Range): void;
  /** In a gap that is waited through. */
  within(gap: Range, at: WallUs): void;
  /** There is nothing more in this direction; where its last segment begins. */
  ended(last: WallUs | null): void;
  trouble(problem: Problem): void;
}

/** More pictures a second are not worth decoding them. */
const picturesPerS = 8;
/** Above this pace each segment is one picture, the keyframe it begins with: nothing else of it is fetched. */
const slowest = 4;
/** Gaps shorter than this are not worth a word. */
const wordUs = 2 * SECOND_US;
/** Loaded ahead: this long at the pace that is played. */
const aheadS = 15;
/** Segments kept as pictures: the one on screen and the next. */
const keptMost = 3;

export class Shuttle {
  #deps: ShuttleDeps;
  #events: ShuttleEvents;
  #reel: Reel;
  #rate: number;
  #clock: { at: WallUs; since: number };
  #stop = new AbortController();
  #wake: (() => void) | null = null;
  #slides = new Map<Entry['start'], Promise<Picture[]>>();
  #shown: Picture | null = null;

  constructor(at: WallUs, rate: number, deps: ShuttleDeps, events: ShuttleEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#reel = new Reel(deps.load);
    this.#rate = rate;
    this.#clock = { at, since: performance.now() };
    void this.#run();
  }

  setRate(rate: number): void {
    this.#set(this.#now());
    this.#rate = rate;
    this.#slides.clear();
    this.#wake?.();
  }

  stop(): void {
    this.#stop.abort();
    this.#wake?.();
  }

  get #direction(): 1 | -1 {
    return this.#rate > 0 ? 1 : -1;
  }

  #now(): WallUs {
    const others = this.#deps.clock();
    if (others !== null) return others;
    return shift(this.#clock.at, (performance.now() - this.#clock.since) * 1000 * this.#rate);
  }

  #set(at: WallUs): void {
    this.#clock = { at, since: performance.now() };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const at = this.#now();
      const asked = performance.now();
      const place = await this.#reel.at(at, this.#direction, signal);
      if (signal.aborted) return;
      // Waiting for the list of segments is no time that passed.
      if (performance.now() - asked > 50) this.#set(at);
      if (!(await this.#visit(place, at, signal))) return;
    }
  }

  /** `false` when it is over. */
  async #visit(place: Place, at: WallUs, signal: AbortSignal): Promise<boolean> {
    switch (place.kind) {
      case 'end':
        this.#events.ended(this.#reel.last(this.#direction)?.start ?? null);
        return false;
      case 'problem':
        this.#events.trouble(place.problem);
        return false;
      case 'gap':
        await this.#cross(place.gap, at);
        return true;
      case 'footage':
        void this.#reel.ahead(at, this.#direction, aheadS * SECOND_US * Math.abs(this.#rate), signal);
        await this.#show(place, signal);
        return true;
    }
  }

  async #cross(gap: Range, at: WallUs): Promise<void> {
    const across = this.#direction > 0 ? gap.end : shift(gap.start, -1);
    const ownClock = this.#deps.clock() === null;
    if (ownClock && (!this.#deps.waitsInGaps() || length(gap) < wordUs)) {
      if (length(gap) >= wordUs) this.#events.skipped(gap);
      return this.#set(across);
    }
    this.#events.within(gap, at);
    await this.#sleep(Math.min(200, Math.abs(across - at) / 1000 / Math.abs(this.#rate)));
  }

  async #show(place: Place & { kind: 'footage' }, signal: AbortSignal): Promise<void> {
    const { entry, from, until } = place;
    const slides = await this.#slidesOf(entry, until);
    if (signal.aborted) return;
    const next = this.#reel.beside(entry, this.#direction);
    if (next) void this.#slidesOf(next, shift(next.start, next.mediaUs));
    const now = this.#now();
    const i = Math.max(
      0,
      slides.findLastIndex((s) => s.at <= now),
    );
    const slide = slides[i];
    if (slide && slide !== this.#shown) {
      this.#shown = slide;
      this.#events.shown(slide);
    }
    // Until the clock comes to the next picture.
    const edge = this.#direction > 0 ? (slides[i + 1]?.at ?? until) : i > 0 && slide ? slide.at : from;
    const leftMs = ((edge - this.#now()) * this.#direction) / 1000 / Math.abs(this.#rate);
    if (leftMs > -1) await this.#sleep(leftMs + 1);
    else await this.#sleep(0);
  }

  #slidesOf(entry: Entry, until: WallUs): Promise<Picture[]> {
    const known = this.#slides.get(entry.start);
    if (known) return known;
    const pace = Math.abs(this.#rate);
    const most = pace > slowest ? 1 : Math.ceil((entry.mediaUs / SECOND_US / pace) * picturesPerS);
    // Faster than twice, decoding it all would be too much: the keyframes inside a segment are enough then.
    const wish = { entry, until, most, keysOnly: pace > 2 };
    const asked = this.#deps.slides(wish, this.#stop.signal);
    this.#slides.set(entry.start, asked);
    const [oldest] = this.#slides.keys();
    if (this.#slides.size > keptMost && oldest !== undefined) this.#slides.delete(oldest);
    return asked;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((awake) => {
      const timer = setTimeout(awake, Math.min(ms, 500));
      this.#wake = () => {
        clearTimeout(timer);
        awake();
      };
    });
  }
}

/** Where playing by pictures begins: just before the moment when going backwards, so that it moves at once. */
export function startOf(at: WallUs, rate: number): WallUs {
  return rate < 0 ? wallUs(at - 1) : at;
}
