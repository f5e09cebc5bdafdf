/**
 * One clock for up to nine players.
 *
 * The clock is master: it runs by wall time at the speed that was asked for, and every player is kept in step with it.
 * One that is a little off is played a little faster or slower, one that is far off is sought; one in a gap waits for
 * the clock to come out of it. The clock itself waits for nobody but the start: a camera that loads slowly must not stop
 * the others.
 */
import { recorderNow } from '../../api/clock';
import { type Player, rates, reverseRates } from '../../player/player.svelte';
import { SECOND_US, type WallUs, shift, wallUs } from '../../time/timestamp';

/** How often each player is looked at. */
const lookMs = 100;
/** Nobody sees less: half a frame of a usual camera. */
const closeUs = 10_000;
/** Further off than this, catching up would take longer than a seek. */
const farUs = 700_000;
/** What is off is made up in about this time. */
const makeUpS = 0.5;
/** Speeds are changed by no more than this: it is not heard, and hardly seen. */
const nudgeMost = 0.3;
/** A player that was sought is left alone for this long. */
const settleMs = 2500;
/** After a seek the clock starts when all have a picture, or then. */
const startMs = 2500;
/** Behind now: every camera's newest segment has been stored by then, and the browser has it. */
export const behindLiveUs = 14 * SECOND_US;
/** A camera that says nothing about its frames has 25 a second. */
const usualFrameUs = SECOND_US / 25;

interface Member {
  readonly player: Player;
  soughtAt: number;
}

export class Conductor {
  /** What all of them show; moves a few times a second. */
  position = $state.raw<WallUs | null>(null);
  paused = $state(false);
  rate = $state(1);
  /** At the newest that all can show. */
  live = $state(false);

  // Nothing on the page follows it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  #members = new Map<string, Member>();
  #clock: { at: WallUs; since: number } | null = null;
  /** The clock stands until the players are there. */
  #startBy: number | null = null;
  #timer = setInterval(() => this.#look(), lookMs);

  destroy(): void {
    clearInterval(this.#timer);
  }

  /** The master clock: what every player should show now. */
  now(): WallUs | null {
    if (!this.#clock) return null;
    if (this.paused || this.#startBy !== null) return this.#clock.at;
    return shift(this.#clock.at, (performance.now() - this.#clock.since) * 1000 * this.rate);
  }

  add(stream: string, player: Player): void {
    this.#members.set(stream, { player, soughtAt: performance.now() });
    player.setRate(this.rate);
    const at = this.now();
    if (at !== null) void player.seek(at, { play: !this.paused });
  }

  remove(stream: string): void {
    this.#members.delete(stream);
  }

  // -- wishes -------------------------------------------------------------------------------------------------------

  seek(at: WallUs): void {
    const newest = shift(recorderNow(), -behindLiveUs);
    if (at > newest && at < recorderNow()) return this.goLive();
    this.live = false;
    this.#goTo(at);
  }

  goLive(): void {
    this.live = true;
    this.paused = false;
    this.#setRate(1);
    this.#goTo(shift(recorderNow(), -behindLiveUs));
  }

  step(byUs: number): void {
    const at = this.now();
    if (at !== null && !(this.live && byUs > 0)) this.seek(shift(at, byUs));
  }

  stepFrame(direction: 1 | -1): void {
    const at = this.now();
    if (at === null) return;
    this.paused = true;
    this.live = false;
    this.#goTo(shift(at, direction * usualFrameUs));
  }

  toggle(): void {
    if (this.paused) this.play();
    else this.pause();
  }

  play(): void {
    const at = this.now();
    if (at === null) return;
    this.paused = false;
    this.#goTo(at);
  }

  /** All of them on the same frame. */
  pause(): void {
    const at = this.now();
    if (at === null) return;
    this.paused = true;
    this.live = false;
    this.#goTo(at);
  }

  setRate(rate: number): void {
    const at = this.now();
    this.#setRate(rate);
    if (at === null) return;
    if (rate !== 1) this.live = false;
    this.#set(at);
  }

  changeSpeed(by: 1 | -1): void {
    const row: readonly number[] = this.rate < 0 ? reverseRates : rates;
    const next = row[row.indexOf(this.rate) + by];
    if (next !== undefined) this.setRate(next);
  }

  reverse(): void {
    const i = reverseRates.findIndex((rate) => rate === this.rate);
    this.setRate(reverseRates[i + 1] ?? 1);
    if (this.paused) this.play();
  }

  /** News of a stream: what was waited for may be there. */
  hear(stream: string, lastEnd: WallUs | null): void {
    const [member, at] = [this.#members.get(stream), this.now()];
    if (!member || at === null || lastEnd === null) return;
    const { phase } = member.player;
    if (phase.kind === 'nothing' && phase.nextStart === null && lastEnd > at) this.#send(member, at);
    if (phase.kind === 'failed' && phase.trouble.kind === 'network') this.#send(member, at);
  }

  // -- the clock ----------------------------------------------------------------------------------------------------

  #set(at: WallUs): void {
    this.#clock = { at, since: performance.now() };
    this.position = at;
  }

  #setRate(rate: number): void {
    this.rate = rate;
    for (const { player } of this.#members.values()) player.setRate(rate);
  }

  #goTo(at: WallUs): void {
    this.#set(at);
    this.#startBy = this.paused ? null : performance.now() + startMs;
    for (const member of this.#members.values()) this.#send(member, at);
  }

  #send(member: Member, at: WallUs): void {
    member.soughtAt = performance.now();
    void member.player.seek(at, { play: !this.paused });
    if (this.paused) member.player.pause();
  }

  #look(): void {
    this.#startTogether();
    const at = this.now();
    if (at === null || this.paused || this.#startBy !== null) return;
    this.position = at;
    for (const member of this.#members.values()) this.#keepInStep(member, at);
    if (this.rate > 1 && at > shift(recorderNow(), -behindLiveUs)) this.goLive();
  }

  #startTogether(): void {
    if (this.#startBy === null || !this.#clock) return;
    const members = [...this.#members.values()];
    const late = members.some(({ player }) => player.phase.kind === 'seeking' || player.phase.kind === 'idle');
    if (late && performance.now() < this.#startBy) return;
    this.#startBy = null;
    // Some have run ahead while others were loading: the clock goes on from where they are.
    const there = members.map(({ player }) => player.moment).filter((m) => m !== null);
    const from = there.length > 0 ? wallUs(there.reduce((sum, m) => sum + m, 0) / there.length) : this.#clock.at;
    const near = Math.abs(from - this.#clock.at) < 3 * SECOND_US * Math.max(1, Math.abs(this.rate));
    this.#set(near && this.rate > 0 ? from : this.#clock.at);
  }

  #keepInStep(member: Member, at: WallUs): void {
    const { player } = member;
    const moment = player.moment;
    // By pictures it goes by the clock itself; in a gap and while it loads there is nothing to correct.
    if (player.shuttling || moment === null || player.paused) return this.#bring(member, at);
    const aheadUs = (moment - at) / Math.max(1, this.rate);
    if (Math.abs(aheadUs) > farUs) {
      if (performance.now() - member.soughtAt > settleMs) this.#send(member, at);
      return;
    }
    const share = -aheadUs / SECOND_US / makeUpS;
    const factor = Math.abs(aheadUs) < closeUs ? 1 : 1 + Math.min(nudgeMost, Math.max(-nudgeMost, share));
    player.nudge(factor);
  }

  /** One that has stopped where the others go on: at the end of what it had, or by a click of the browser's own. */
  #bring(member: Member, at: WallUs): void {
    const { phase, paused, shuttling } = member.player;
    const stopped = phase.kind === 'ended' || (phase.kind === 'showing' && paused && !shuttling);
    if (stopped && performance.now() - member.soughtAt > settleMs) this.#send(member, at);
  }
}
