/**
 * The player as the page sees it: wall time in, wall time out.
 *
 * A seek inside the feed is a seek of the video element; anywhere else a new feed is loaded around the target and the
 * last picture stays up until the new one is there. Only the newest wish counts: answers to older ones are dropped.
 */
import { recorderNow } from '../api/clock';
import type { Problem } from '../api/problem';
import type { Range } from '../time/range';
import { SECOND_US, type WallUs, shift, wallUs } from '../time/timestamp';
import { type Feed, covers, entryEnd, footage, pieceUs, span, startFeed } from './feed';
import type { Barrier, Session } from './hls';
import { Keeper } from './keeper';
import { type Picture, keyframe, paint } from './keyframe';
import { type Mapping, estimate, frameStep, toMedia, toWall } from './mapping';
import { Shuttle, startOf } from './shuttle';
import { slidesOf } from './slides';
import type { LoadPiece } from './source';
import type { Trouble } from './trouble';

export type Phase =
  | { kind: 'idle' }
  /** On the way to `target`; `null` is the live edge. */
  | { kind: 'seeking'; target: WallUs | null }
  | { kind: 'showing' }
  /** Nothing is recorded at `at`; `live`: that is now, and footage may come. */
  | { kind: 'nothing'; at: WallUs; live: boolean; previousEnd: WallUs | null; nextStart: WallUs | null }
  | { kind: 'future'; at: WallUs }
  /** Played to the end of all footage. */
  | { kind: 'ended' }
  | { kind: 'failed'; trouble: Trouble };

/** Slowest backwards to fastest forwards is one row: what "faster" and "slower" step through lies on one side of it. */
export const rates = [0.25, 0.5, 1, 1.5, 2, 4, 8, 16] as const;
export const reverseRates = [-1, -2, -4, -8, -16] as const;

/** Beyond this no browser decodes every frame of a large picture: keyframes only. */
const fastest = 4;

/** Loaded before the target, so that small steps back need nothing new. */
const leadUs = 2 * 60 * SECOND_US;
/** How much of the newest footage is loaded when going live. */
const liveLeadUs = 60 * SECOND_US;
/** Behind the newest whole segment: one more has time to arrive before the picture runs out. */
const liveMarginS = 6;
/** Closer than this to the newest footage counts as live. */
const liveSlackUs = 20 * SECOND_US;
/** A jump of the wall clock longer than this while playing was a gap. */
const skipUs = 2 * SECOND_US;
/** Footage is stored a segment at a time; a source that has sent nothing for this long is gone for now. */
const arrivingUs = 15 * SECOND_US;
/** A decoder that trips this often within seconds is not tripping over single frames. */
const stumblesMost = 6;
/** What is shown once more after the end. */
const againUs = 60 * SECOND_US;
/** What is buffered may end a little before the run does: sound and picture are not cut at the same moment. */
const barrierReachS = 0.3;
/** Media times are rounded to microseconds, twice. */
const roundingS = 0.002;
/** No frame for this long: what is on screen is the newest. */
const snapshotMs = 500;
/** A frame while nothing better is known. */
const usualFrameS = 1 / 25;
/** Looked at this long before it is said that decoding cannot keep up. */
const paceMs = 3000;
/** A gap that is waited through is entered by a timer when it is this near. */
const soonS = 0.4;

export interface PlayerDeps {
  readonly stream: string;
  readonly load: LoadPiece;
  /** Whether gaps are waited through, in their own time, or skipped. */
  readonly waitsInGaps?: () => boolean;
  /** The clock that several players go by; without it each goes by its own picture. `null` while it is not set. */
  readonly clock?: () => WallUs | null;
  /** Whether the stream is being recorded right now. */
  readonly growing: () => boolean;
  readonly onSignedOut: () => void;
  /** Footage between two moments was missing and has been played over. */
  readonly onSkipped: (gap: Range) => void;
}

export interface Snapshot {
  readonly source: HTMLCanvasElement;
  readonly width: number;
  readonly height: number;
  /** When the frame was taken. */
  readonly at: WallUs;
}

export class Player {
  phase = $state.raw<Phase>({ kind: 'idle' });
  /** The moment on screen, or where the viewer asked to be. */
  position = $state.raw<WallUs | null>(null);
  paused = $state(true);
  /** Playing, but waiting for bytes. */
  waiting = $state(false);
  rate = $state(1);
  volume = $state(1);
  muted = $state(false);
  /** The newest picture is on screen, give or take a segment. */
  live = $state(false);
  /** The browser wants a click before it plays with sound. */
  needsClick = $state(false);
  /** A picture has been shown since the stream was opened. */
  hasPicture = $state(false);
  /** The canvas covers the video: the last picture of before, or one that came ahead of the video, or one of a row. */
  frozen = $state(false);
  /** Playing by single pictures: backwards, or faster than decoding goes. */
  shuttling = $state(false);
  /** Waiting in a gap for its end to come. */
  inGap = $state(false);
  /** What around the playhead is known to be recorded, newer than any coverage answer. */
  known = $state.raw<readonly Range[]>([]);

  #deps: PlayerDeps;
  #video: HTMLVideoElement;
  #still: HTMLCanvasElement;
  #session: Session | null = null;
  #keeper: Keeper | null = null;
  #mapping: Mapping = [];
  #wish = 0;
  #abort: AbortController | null = null;
  #target: WallUs | null = null;
  /** Runs this session will not play into, by the addresses of their init segments. */
  // Nothing on the page follows it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  #barriers = new Map<string, Barrier>();
  /** The frame drawn last, as far as the browser has told. */
  #frame = { mediaS: 0, lengthS: usualFrameS };
  /** Where the decoder tripped last, and how often since it last played on. */
  #stumble: { at: WallUs; times: number } | null = null;
  #undo: (() => void)[] = [];
  #shuttle: Shuttle | null = null;
  /** Ends when the video has what was asked for: a picture that comes later would be older. */
  #preview = new AbortController();
  #gapTimer: ReturnType<typeof setTimeout> | undefined;
  /** Frames that were asked for while there was none to go on from. */
  #stepsOwed = 0;
  /** A rate at which decoding did not keep up on this machine. */
  #tooFast = Infinity;
  #pace: { at: number; mediaS: number; frames: number } | null = null;

  constructor(video: HTMLVideoElement, still: HTMLCanvasElement, deps: PlayerDeps) {
    this.#video = video;
    this.#still = still;
    this.#deps = deps;
    this.#listen();
    // Fetched and compiled while the first playlist is on its way.
    void import('./hls');
  }

  destroy(): void {
    this.#newWish();
    this.#abort?.abort();
    this.#preview.abort();
    this.#endSession();
    for (const undo of this.#undo) undo();
  }

  /** How long the frames of what is playing are. */
  get frameUs(): number {
    return Math.round(this.#frame.lengthS * SECOND_US);
  }

  /** Where the newest footage the player knows of ends. */
  get edge(): WallUs | null {
    return this.#keeper ? span(this.#keeper.feed).end : null;
  }

  // -- wishes -------------------------------------------------------------------------------------------------------

  async seek(target: WallUs, options: { play?: boolean } = {}): Promise<void> {
    if (options.play !== undefined) this.paused = !options.play;
    this.position = target;
    this.#stumble = null;
    if (target > recorderNow()) {
      this.#abandon();
      this.phase = { kind: 'future', at: target };
      return;
    }
    const feed = this.#keeper?.feed;
    if (this.#session && feed && covers(feed, target)) {
      this.#newWish();
      this.#seekInside(target);
    } else {
      await this.#open(target);
    }
  }

  async goLive(): Promise<void> {
    this.paused = false;
    const { wish, signal } = this.#newWish();
    if (this.rate > 1 || this.rate < 0) this.setRate(1);
    this.phase = { kind: 'seeking', target: null };
    if (!this.#session) this.#showAhead(null);
    const piece = await this.#deps.load(shift(recorderNow(), -liveLeadUs), null, signal);
    if (wish !== this.#wish) return;
    if (piece.kind === 'problem') return this.#failWith(piece.problem);
    const feed = piece.kind === 'piece' ? startFeed(piece.playlist) : null;
    if (feed) return this.#begin(feed, null);
    const previousEnd = piece.kind === 'nothing' ? piece.previousEnd : null;
    this.#abandon();
    this.phase = { kind: 'nothing', at: recorderNow(), live: true, previousEnd, nextStart: null };
  }

  /** Steps in wall time, so that a step over a gap says so instead of landing somewhere else. */
  async step(byUs: number): Promise<void> {
    if (this.position === null) return;
    const edge = this.#deps.growing() ? this.edge : null;
    const target = shift(this.position, byUs);
    if (byUs > 0 && edge !== null && this.live && target >= edge) return;
    if (byUs > 0 && edge !== null && target > edge && target > shift(recorderNow(), -liveLeadUs)) return this.goLive();
    return this.seek(target);
  }

  /** One frame, also over the borders of segments and runs, and over gaps. */
  stepFrame(direction: 1 | -1): void {
    this.pause();
    if (this.phase.kind === 'seeking') {
      this.#stepsOwed += direction;
      return;
    }
    const { phase } = this;
    if (phase.kind === 'nothing') return void this.#stepOut(phase.at, direction);
    if (phase.kind !== 'showing' && phase.kind !== 'ended') return;
    const { mediaS, lengthS } = this.#frame;
    const nowS = this.#video.currentTime;
    // From the middle of a frame, so that rounding cannot show the same one again. After a seek the frame may not have
    // been told yet; one frame from wherever in it the seek went is right as well, and a little after: it may have gone to
    // where the frame begins.
    const told = mediaS - roundingS <= nowS && nowS < mediaS + lengthS + roundingS;
    const middleS = told ? mediaS + lengthS / 2 : nowS + roundingS;
    const step = frameStep(this.#mapping, middleS, lengthS, direction);
    if (!step) return;
    if (step.kind === 'outside') return void this.#stepOut(step.edge, direction);
    const { into, mediaS: thereS } = step;
    const entry = this.#keeper?.feed.entries.find((e) => e.start === into.start);
    const beyond = middleS < into.mediaStartS || middleS >= into.mediaEndS;
    // The session cannot play that run, or takes what is missing of it for a hole to leap over: a new one begins there.
    if (entry && beyond && (this.#barriers.has(entry.init) || !this.#isBuffered(thereS))) {
      return void this.#open(direction > 0 ? into.start : shift(into.end, (-lengthS / 2) * SECOND_US));
    }
    this.phase = { kind: 'showing' };
    this.#video.currentTime = Math.max(0, thereS);
  }

  /** To the first frame after or the last one before a moment, wherever that is. */
  async #stepOut(from: WallUs, direction: 1 | -1): Promise<void> {
    const halfUs = (this.#frame.lengthS / 2) * SECOND_US;
    await this.#open(direction > 0 ? from : shift(from, -halfUs));
    const { phase } = this;
    if (phase.kind !== 'nothing') return;
    if (direction > 0 && phase.nextStart !== null) return this.#open(phase.nextStart);
    if (direction < 0 && phase.previousEnd !== null) return this.#open(shift(phase.previousEnd, -halfUs));
  }

  /**
   * A copy of the picture on screen, with the frame's own time rather than the playhead's place inside it. `null` where
   * this browser shows none.
   */
  async snapshot(): Promise<Snapshot | null> {
    if (this.phase.kind !== 'showing' || this.frozen || this.#video.videoWidth === 0) return null;
    return this.paused ? this.#copy(this.#frameS()) : this.#copyNext();
  }

  /** Where the frame on screen begins, or where in it the playhead is. */
  #frameS(): number {
    const { mediaS, lengthS } = this.#frame;
    const nowS = this.#video.currentTime;
    return mediaS - roundingS <= nowS && nowS < mediaS + lengthS + roundingS ? mediaS : nowS;
  }

  /** While it plays, picture and time belong together only at the moment the browser draws one. */
  #copyNext(): Promise<Snapshot | null> {
    if (!('requestVideoFrameCallback' in this.#video)) return Promise.resolve(this.#copy(this.#frameS()));
    return new Promise((done) => {
      const handle = this.#video.requestVideoFrameCallback((_, frame) => {
        clearTimeout(late);
        done(this.#copy(frame.mediaTime));
      });
      const late = setTimeout(() => {
        this.#video.cancelVideoFrameCallback(handle);
        done(this.#copy(this.#frameS()));
      }, snapshotMs);
    });
  }

  #copy(mediaS: number): Snapshot | null {
    const at = toWall(this.#mapping, mediaS);
    const { videoWidth: width, videoHeight: height } = this.#video;
    const source = document.createElement('canvas');
    source.width = width;
    source.height = height;
    const ctx = source.getContext('2d');
    if (at === null || !ctx) return null;
    ctx.drawImage(this.#video, 0, 0);
    return { source, width, height, at };
  }

  toggle(): void {
    if (this.paused || this.needsClick) this.play();
    else this.pause();
  }

  play(): void {
    this.paused = false;
    switch (this.phase.kind) {
      case 'showing':
      case 'seeking':
        return this.#run();
      case 'nothing':
        return this.#leaveGap(this.phase.nextStart);
      case 'ended':
        return this.position === null ? undefined : void this.seek(shift(this.position, -againUs));
      case 'failed':
        return this.retry();
      case 'idle':
      case 'future':
    }
  }

  /** After a failure: the same moment again. */
  retry(): void {
    if (this.phase.kind !== 'failed') return;
    if (this.position === null) void this.goLive();
    else void this.#open(this.position);
  }

  pause(): void {
    this.paused = true;
    this.live = false;
    this.#stayInGap();
    if (this.#shuttle && this.position !== null) {
      // The last picture of the row stays up until the video has the same.
      this.#endShuttle();
      void this.#open(this.position);
    }
    this.#video.pause();
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.#pace = null;
    const byPictures = this.#byPictures;
    if (!byPictures) {
      this.#video.defaultPlaybackRate = rate;
      this.#video.playbackRate = rate;
    }
    this.#session?.setRate(Math.abs(rate));
    if (this.paused) return;
    if (this.#shuttle && byPictures) this.#shuttle.setRate(rate);
    else if (this.#shuttle && this.position !== null) {
      this.#endShuttle();
      void this.#open(this.position);
    } else if (byPictures && this.phase.kind === 'showing') this.#run();
    else if (this.inGap) this.#waitInGap();
  }

  /** The next speed in the same direction. */
  changeSpeed(by: 1 | -1): void {
    const row: readonly number[] = this.rate < 0 ? reverseRates : rates;
    const next = row[row.indexOf(this.rate) + by];
    if (next !== undefined) this.setRate(next);
  }

  /** Backwards; asked again, faster, and from the fastest forwards again. */
  reverse(): void {
    const i = reverseRates.findIndex((rate) => rate === this.rate);
    this.setRate(reverseRates[i + 1] ?? 1);
    if (this.paused) this.play();
  }

  /** A little faster or slower than the rate, to stay in step with others. */
  nudge(factor: number): void {
    if (!this.#byPictures) this.#video.playbackRate = Math.min(16, Math.max(0.0625, this.rate * factor));
  }

  /** The moment on screen right now, between two frames as well; `position` is as of the last frame. */
  get moment(): WallUs | null {
    if (this.phase.kind !== 'showing' || !this.#session || this.#video.seeking) return null;
    return toWall(this.#mapping, this.#video.currentTime);
  }

  setVolume(volume: number, muted: boolean): void {
    this.volume = volume;
    this.muted = muted;
    this.#video.volume = volume;
    this.#video.muted = muted;
  }

  // -- loading ------------------------------------------------------------------------------------------------------

  async #open(target: WallUs): Promise<void> {
    const { wish, signal } = this.#newWish();
    this.#freeze();
    this.position = target;
    this.phase = { kind: 'seeking', target };
    this.#showAhead(target);
    const piece = await this.#deps.load(shift(target, -leadUs), shift(target, pieceUs), signal);
    if (wish !== this.#wish) return;
    if (piece.kind === 'problem') return this.#failWith(piece.problem);
    const feed = piece.kind === 'piece' ? startFeed(piece.playlist) : null;
    if (feed && covers(feed, target)) return this.#begin(feed, target);
    await this.#explain(target, wish, signal);
  }

  /** Asks for the moment itself: the answer names its neighbours, however far away they are. */
  async #explain(at: WallUs, wish: number, signal: AbortSignal): Promise<void> {
    const piece = await this.#deps.load(at, shift(at, SECOND_US), signal);
    if (wish !== this.#wish) return;
    if (piece.kind === 'problem') return this.#failWith(piece.problem);
    if (piece.kind === 'piece') {
      const feed = startFeed(piece.playlist);
      const first = feed?.entries[0];
      // Footage begins within this second: that is what was meant.
      if (feed && first) return this.#begin(feed, at > first.start ? at : first.start);
    }
    const { previousEnd, nextStart } = piece.kind === 'nothing' ? piece : { previousEnd: null, nextStart: null };
    // What has just happened is not stored yet: the newest there is was meant.
    const arriving = nextStart === null && previousEnd !== null && at - previousEnd < arrivingUs;
    const live = arriving && this.#deps.growing();
    // With a clock of others this player waits until what they show has arrived here.
    if (live && !this.#deps.clock) return this.goLive();
    this.#abandon();
    this.phase = { kind: 'nothing', at, live, previousEnd, nextStart };
    this.#waitInGap();
  }

  /** The keyframe before the target, or the newest: on screen long before the video is. */
  #showAhead(target: WallUs | null): void {
    const { signal } = this.#preview;
    void keyframe(this.#deps.stream, target, signal).then((picture) => {
      if (!picture || signal.aborted || this.phase.kind !== 'seeking') return;
      this.#cover(picture);
      this.hasPicture = true;
    });
  }

  #cover(picture: Picture): void {
    paint(this.#still, picture.image);
    this.frozen = true;
  }

  async #begin(feed: Feed, target: WallUs | null): Promise<void> {
    const wish = this.#wish;
    const hls = await import('./hls');
    if (wish !== this.#wish) return;
    if (!hls.canPlay()) {
      this.phase = { kind: 'failed', trouble: { kind: 'unsupported' } };
      return;
    }
    this.#freeze();
    this.#endSession();
    const keeper = new Keeper(feed, this.#deps.load, () => ({
      playhead: this.position ?? span(feed).start,
      now: recorderNow(),
      rate: this.rate,
      growing: this.#deps.growing(),
    }));
    this.#keeper = keeper;
    this.known = footage(feed);
    this.#mapping = estimate(feed);
    const startS = target === null ? this.#liveStartS() : (toMedia(this.#mapping, target) ?? 0);
    this.#target = target ?? toWall(this.#mapping, startS);
    this.position = this.#target;
    this.phase = { kind: 'seeking', target };
    const session = hls.startSession(
      this.#video,
      { current: () => keeper.feed, next: () => this.#nextFeed(keeper) },
      startS,
      {
        mapped: () => {
          if (this.#session === session) this.#mapping = session.mapping();
        },
        barrier: (barrier) => {
          if (this.#session !== session) return;
          this.#barriers.set(barrier.init, barrier);
          this.#checkBarrier();
        },
        trouble: (trouble) => {
          if (this.#session === session) this.#onTrouble(trouble);
        },
      },
    );
    this.#session = session;
    session.setRate(Math.abs(this.rate));
    if (!this.#byPictures) {
      this.#video.defaultPlaybackRate = this.rate;
      this.#video.playbackRate = this.rate;
    }
    // A row of pictures begins when the first of them is there.
    if (!this.paused && !this.#byPictures) this.#tryToPlay();
  }

  async #nextFeed(keeper: Keeper): Promise<Feed> {
    const before = keeper.feed;
    const { feed, problem } = await keeper.next();
    if (problem?.status === 401) this.#deps.onSignedOut();
    if (feed !== before && keeper === this.#keeper) this.known = footage(feed);
    return feed;
  }

  #liveStartS(): number {
    const first = this.#mapping[0]?.mediaStartS ?? 0;
    const last = this.#mapping[this.#mapping.length - 1];
    return Math.max(first, (last?.mediaEndS ?? 0) - liveMarginS);
  }

  #seekInside(target: WallUs): void {
    const mediaS = toMedia(this.#mapping, target);
    if (mediaS === null) return void this.#open(target);
    this.#target = target;
    this.phase = { kind: 'seeking', target };
    if (!this.#isBuffered(mediaS)) {
      this.#freeze();
      this.#showAhead(target);
    }
    this.#video.currentTime = mediaS;
    if (!this.paused && !this.#byPictures) this.#tryToPlay();
  }

  #isBuffered(mediaS: number): boolean {
    const { buffered } = this.#video;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= mediaS && mediaS < buffered.end(i)) return true;
    }
    return false;
  }

  #newWish(): { wish: number; signal: AbortSignal } {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#preview.abort();
    this.#preview = new AbortController();
    this.#stayInGap();
    this.#endShuttle();
    this.#stepsOwed = 0;
    this.#pace = null;
    this.#wish += 1;
    this.needsClick = false;
    return { wish: this.#wish, signal: this.#abort.signal };
  }

  /** Leaves the footage: nothing plays, the last picture stays, dimmed by the page. */
  #abandon(): void {
    this.#newWish();
    this.#freeze();
    this.#endSession();
    this.live = false;
    this.waiting = false;
  }

  #endSession(): void {
    this.#session?.destroy();
    this.#session = null;
    this.#keeper = null;
    this.#barriers.clear();
    this.#mapping = [];
  }

  #freeze(): void {
    const { videoWidth, videoHeight } = this.#video;
    if (this.frozen || videoWidth === 0 || this.#video.readyState < 2) return;
    this.#still.width = videoWidth;
    this.#still.height = videoHeight;
    this.#still.getContext('2d')?.drawImage(this.#video, 0, 0);
    this.frozen = true;
  }

  // -- by pictures --------------------------------------------------------------------------------------------------

  get #byPictures(): boolean {
    return this.rate < 0 || this.rate > fastest || this.rate >= this.#tooFast;
  }

  /** Plays on from what is on screen, in the way the rate asks for. */
  #run(): void {
    if (this.#byPictures && this.phase.kind === 'showing') this.#startShuttle();
    else if (!this.#byPictures) this.#tryToPlay();
  }

  #startShuttle(): void {
    const from = this.position;
    if (from === null || this.#shuttle) return;
    this.#freeze();
    this.#newWish();
    this.#endSession();
    this.#video.pause();
    this.live = false;
    this.shuttling = true;
    const { stream, load, clock = () => null } = this.#deps;
    this.#shuttle = new Shuttle(
      startOf(from, this.rate),
      this.rate,
      { load, clock, waitsInGaps: () => this.#waitsInGaps, slides: (wish, signal) => slidesOf(stream, wish, signal) },
      {
        shown: (picture) => {
          this.#cover(picture);
          this.position = picture.at;
          this.inGap = false;
          this.phase = { kind: 'showing' };
        },
        skipped: (gap) => this.#deps.onSkipped(gap),
        within: (gap, at) => {
          this.position = at;
          if (this.phase.kind === 'nothing') return;
          this.phase = { kind: 'nothing', at, live: false, previousEnd: gap.start, nextStart: gap.end };
          this.inGap = true;
        },
        ended: (last) => this.#endOfRow(last),
        trouble: (problem) => {
          this.#endShuttle();
          this.#failWith(problem);
        },
      },
    );
  }

  #endShuttle(): void {
    this.#shuttle?.stop();
    this.#shuttle = null;
    this.shuttling = false;
  }

  /** All there is has gone by: forwards that is now, or the end; backwards the first picture. */
  #endOfRow(last: WallUs | null): void {
    const forwards = this.rate > 0;
    const others = this.#deps.clock?.();
    this.#endShuttle();
    if (others != null) return void this.#open(others);
    if (forwards && this.#deps.growing()) return void this.goLive();
    this.setRate(1);
    if (forwards) return this.#finish();
    this.paused = true;
    // A fast row may have left the very first picture out.
    const first = last ?? this.position;
    if (first !== null) void this.#open(first);
  }

  /** Decoding that does not keep up shows a few frames and stops: pictures at the right pace are better. */
  #checkPace(frames: number): void {
    const now = performance.now();
    const before = this.#pace;
    if (before && now - before.at < paceMs) return;
    this.#pace = { at: now, mediaS: this.#video.currentTime, frames };
    if (!before || this.rate <= 1 || this.paused || this.phase.kind !== 'showing' || document.hidden) return;
    const passedS = (now - before.at) / 1000;
    const share = (this.#video.currentTime - before.mediaS) / (passedS * this.rate);
    const shownPerS = (frames - before.frames) / passedS;
    // A camera that sends a frame a second is not a decoder that cannot keep up.
    const enoughPerS = Math.min(3, (this.rate / this.#frame.lengthS) * 0.3);
    if (share > 0.6 && shownPerS > enoughPerS) return;
    this.#tooFast = Math.min(this.#tooFast, this.rate);
    this.#startShuttle();
  }

  // -- gaps ---------------------------------------------------------------------------------------------------------

  get #waitsInGaps(): boolean {
    return this.#deps.clock !== undefined || (this.#deps.waitsInGaps?.() ?? false);
  }

  /** Near the end of footage, where gaps are waited through: stops on its last picture. */
  #watchForGap(mediaS: number): void {
    clearTimeout(this.#gapTimer);
    if (!this.#waitsInGaps || this.paused) return;
    const i = this.#mapping.findLastIndex((s) => s.mediaStartS <= mediaS);
    const [here, next] = [this.#mapping[i], this.#mapping[i + 1]];
    if (!here || !next || next.start - here.end < skipUs) return;
    const leftS = (here.mediaEndS - mediaS) / this.#video.playbackRate;
    if (leftS > soonS) return;
    const wish = this.#wish;
    this.#gapTimer = setTimeout(
      () => {
        if (wish !== this.#wish || this.paused || this.phase.kind !== 'showing') return;
        this.phase = { kind: 'nothing', at: here.end, live: false, previousEnd: here.end, nextStart: next.start };
        this.position = here.end;
        this.#video.pause();
        // The timer may have been late: back onto the last picture before the gap.
        this.#video.currentTime = here.mediaEndS - this.#frame.lengthS / 2;
        this.#waitInGap();
      },
      Math.max(0, leftS - this.#frame.lengthS / 2) * 1000,
    );
  }

  /** Time passes, and with it the gap. */
  #waitInGap(): void {
    this.#stayInGap();
    const { phase } = this;
    if (phase.kind !== 'nothing' || phase.nextStart === null || this.paused || !this.#waitsInGaps) return;
    const { nextStart } = phase;
    const [from, since] = [this.position ?? phase.at, performance.now()];
    this.inGap = true;
    const tick = () => {
      const own = shift(from, (performance.now() - since) * 1000 * this.rate);
      const at = this.#deps.clock ? (this.#deps.clock() ?? from) : own;
      if (this.rate < 0) return this.#passGapBackwards(at);
      if (at >= nextStart) return void this.seek(wallUs(Math.max(at, nextStart)));
      this.position = at;
      this.#gapTimer = setTimeout(tick, Math.min(100, (nextStart - at) / 1000 / this.rate));
    };
    tick();
  }

  #stayInGap(): void {
    clearTimeout(this.#gapTimer);
    this.inGap = false;
  }

  /** By itself at once: where it is waited for backwards as well, the row of pictures does that. */
  #passGapBackwards(at: WallUs): void {
    const { phase } = this;
    if (phase.kind !== 'nothing' || phase.previousEnd === null) return;
    if (!this.#deps.clock) return this.#leaveGap(null);
    if (at < phase.previousEnd) return void this.seek(at);
    this.position = at;
    this.#gapTimer = setTimeout(() => this.#passGapBackwards(this.#deps.clock?.() ?? at), 100);
  }

  #leaveGap(nextStart: WallUs | null): void {
    const { phase } = this;
    if (phase.kind !== 'nothing') return;
    if (this.rate < 0) {
      if (phase.previousEnd !== null) void this.seek(shift(phase.previousEnd, (-usualFrameS / 2) * SECOND_US));
    } else if (this.#waitsInGaps && nextStart !== null) this.#waitInGap();
    else if (nextStart !== null) void this.seek(nextStart);
  }

  // -- what happens -------------------------------------------------------------------------------------------------

  #failWith(problem: Problem): void {
    if (problem.code === 'aborted') return;
    if (problem.status === 401) return this.#onTrouble({ kind: 'signed_out' });
    if (problem.status === 403) return this.#onTrouble({ kind: 'forbidden' });
    if (problem.status === 410 || problem.status === 404) return this.#onTrouble({ kind: 'missing' });
    this.#onTrouble({ kind: problem.code === 'damaged' ? 'damaged' : 'network' });
  }

  #onTrouble(trouble: Trouble): void {
    if (trouble.kind === 'signed_out') this.#deps.onSignedOut();
    if (trouble.kind === 'decoder' && this.#stepOver()) return;
    this.#abandon();
    this.phase = { kind: 'failed', trouble };
  }

  /**
   * The decoder tripped: the same place once more in a fresh session, then the next segment. One bad frame, such as the
   * last one of a connection that was cut, is not the end of the recording; `false` when it trips again and again.
   */
  #stepOver(): boolean {
    const at = this.#target ?? this.position;
    const feed = this.#keeper?.feed;
    if (at === null || !feed) return false;
    const before = this.#stumble;
    const times = (before?.times ?? 0) + 1;
    if (times > stumblesMost) return false;
    this.#stumble = { at, times };
    const again = before !== null && Math.abs(at - before.at) < SECOND_US;
    // With less than a second left, a seek would find too few pictures to begin with.
    const useless = again || span(feed).end - at < SECOND_US;
    const next = useless ? feed.entries.find((entry) => entry.start > at)?.start : at;
    if (next !== undefined) void this.#open(next);
    else if (this.#deps.growing()) this.#nothingMore();
    else this.#finish();
    return true;
  }

  #finish(): void {
    this.paused = true;
    this.phase = { kind: 'ended' };
  }

  /** Passes a barrier once the playhead is there: into a new session, or to the words that say why it cannot. */
  #checkBarrier(reachS = 0): void {
    const playhead = this.#target ?? this.position;
    if (this.#barriers.size === 0 || !this.#keeper || playhead === null) return;
    const { entries } = this.#keeper.feed;
    const first = entries.find((e, i) => this.#barriers.has(e.init) && entryEnd(entries, i) > playhead);
    const barrier = first && this.#barriers.get(first.init);
    const mediaS = first && toMedia(this.#mapping, first.start);
    // A session that has just begun has not moved to its target yet.
    const hereS = (this.#target !== null && toMedia(this.#mapping, this.#target)) || this.#video.currentTime;
    if (!barrier || mediaS == null || hereS < mediaS - reachS) return;
    const target = playhead > first.start ? playhead : first.start;
    if (target - playhead > skipUs) this.#deps.onSkipped({ start: playhead, end: target });
    if (barrier.lacking === null) return void this.#open(target);
    this.position = target;
    this.#onTrouble({ kind: 'unplayable', codec: barrier.lacking });
  }

  #tryToPlay(): void {
    this.#video.play().catch((error: unknown) => {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      this.needsClick = true;
    });
  }

  #listen(): void {
    const on = (name: string, act: () => void) => {
      this.#video.addEventListener(name, act);
      this.#undo.push(() => this.#video.removeEventListener(name, act));
    };
    on('seeking', () => this.#waitAtEdge());
    on('seeked', () => this.#arrive());
    on('loadeddata', () => this.#arrive());
    on('playing', () => {
      this.waiting = false;
      this.needsClick = false;
      this.#arrive();
    });
    on('waiting', () => {
      this.waiting = !this.paused;
      this.#pace = null;
      this.#checkBarrier(this.paused ? 0 : barrierReachS);
      this.#waitAtEdge();
    });
    on('ended', () => {
      if (this.#barriers.size > 0) this.#checkBarrier(barrierReachS);
      else this.#finish();
    });
    // Media keys and the browser's own controls; a player that has run out or broken also counts as paused.
    for (const name of ['play', 'pause']) {
      on(name, () => {
        const { paused, ended, error } = this.#video;
        if (this.phase.kind === 'showing' && !this.shuttling && !ended && error === null) this.paused = paused;
      });
    }
    on('timeupdate', () => {
      this.#look(this.#video.currentTime);
      this.#checkBarrier();
    });
    this.#watchFrames();
  }

  /** Nothing comes any more: says so instead of waiting for ever. What comes later is for the page to notice. */
  #waitAtEdge(): void {
    const [wish, mediaS] = [this.#wish, this.#video.currentTime];
    setTimeout(() => {
      const stuck = (this.waiting || this.phase.kind === 'seeking') && this.#video.currentTime === mediaS;
      const at = this.#target ?? this.position;
      if (wish !== this.#wish || !stuck || at === null || this.edge === null || !this.#deps.growing()) return;
      if (at > this.edge - liveSlackUs) this.#nothingMore();
    }, arrivingUs / 1000);
  }

  /** Footage may come, and has not. */
  #nothingMore(): void {
    const previousEnd = this.edge;
    this.#abandon();
    this.phase = { kind: 'nothing', at: recorderNow(), live: true, previousEnd, nextStart: null };
  }

  /** Frame by frame where the browser tells; `timeupdate`, four times a second, everywhere else. */
  #watchFrames(): void {
    if (!('requestVideoFrameCallback' in this.#video)) return;
    let handle = 0;
    let steps = [usualFrameS];
    const onFrame = (_: number, frame: VideoFrameCallbackMetadata) => {
      const step = frame.mediaTime - this.#frame.mediaS;
      // A busy machine leaves frames out, a fast playback does all the time: the shortest of the last few is one frame.
      if (step > 0.004 && step < 0.21 && this.rate <= 1) steps = [...steps.slice(-7), step];
      this.#frame = { mediaS: frame.mediaTime, lengthS: Math.min(...steps) };
      this.#look(frame.mediaTime);
      this.#checkPace(frame.presentedFrames);
      handle = this.#video.requestVideoFrameCallback(onFrame);
    };
    handle = this.#video.requestVideoFrameCallback(onFrame);
    this.#undo.push(() => this.#video.cancelVideoFrameCallback(handle));
  }

  /** The picture of the newest wish is there. */
  #arrive(): void {
    if (!this.#session || this.#video.seeking || this.#video.readyState < 2) return;
    // On the last picture before a gap that is waited through.
    if (this.phase.kind === 'nothing') return;
    const shown = toWall(this.#mapping, this.#video.currentTime);
    const target = this.#target;
    this.#target = null;
    if (target !== null && shown !== null && Math.abs(shown - target) > SECOND_US / 5) {
      // Where the segment really lies was only known once it was loaded.
      const exact = toMedia(this.#mapping, target);
      if (exact !== null && Math.abs(exact - this.#video.currentTime) > 0.1) {
        this.#video.currentTime = exact;
        return;
      }
    }
    this.#preview.abort();
    this.phase = { kind: 'showing' };
    this.hasPicture = true;
    this.frozen = false;
    this.#look(this.#video.currentTime);
    if (!this.paused && this.#byPictures) return this.#startShuttle();
    const owed = this.#stepsOwed;
    if (owed === 0) return;
    this.#stepsOwed = owed - Math.sign(owed);
    this.stepFrame(owed > 0 ? 1 : -1);
  }

  #look(mediaS: number): void {
    if (!this.#session || this.phase.kind !== 'showing' || this.#video.seeking) return;
    const at = toWall(this.#mapping, mediaS);
    if (at === null || at === this.position) return;
    const before = this.position;
    this.position = at;
    if (this.#stumble && at - this.#stumble.at > arrivingUs) this.#stumble = null;
    this.#watchForGap(mediaS);
    if (before !== null && !this.paused && at - before > skipUs * Math.max(1, this.rate)) {
      this.#deps.onSkipped({ start: before, end: at });
    }
    const edge = this.edge;
    this.live =
      this.#deps.growing() && edge !== null && edge > shift(recorderNow(), -liveLeadUs) && edge - at < liveSlackUs;
    // Faster than life is only possible in the past.
    if (!this.#deps.clock && this.live && this.rate > 1 && edge !== null && edge - at < liveSlackUs / 2)
      this.setRate(1);
  }
}
