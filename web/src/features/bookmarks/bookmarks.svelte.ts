/** The bookmarks of the stream in view: one list for the panel beside the video and for the timeline. */
import { type Bookmark, type NewBookmark, bookmarks as api } from '../../api/keep';
import type { Problem } from '../../api/problem';
import { type Range, range } from '../../time/range';
import { DAY_US, type WallUs } from '../../time/timestamp';
import { type Poll, poll } from '../../ui/poll';
import { app } from '../shell/app.svelte';
import { byTime, without } from './order';

/** Others make bookmarks, too. */
const refreshMs = 20_000;
/** The most that one answer has. */
const most = 1000;
/** Where a stream has more than that, those this far around the playhead are listed. */
const aroundUs = 30 * DAY_US;

export class StreamBookmarks {
  /** By time. `null` while not known. */
  list = $state.raw<readonly Bookmark[] | null>(null);
  failed = $state(false);
  /** Only those around the playhead are listed: there are too many. */
  some = $state(false);
  #stream = '';
  #poll: Poll | null = null;

  show(stream: string, around: () => WallUs | null): void {
    this.stop();
    this.#stream = stream;
    const asked = poll(refreshMs, async () => {
      const found = await this.#find(stream, around());
      if (this.#poll !== asked) return true;
      this.failed = found === null;
      if (found) this.list = found;
      return found !== null;
    });
    this.#poll = asked;
  }

  stop(): void {
    this.#poll?.stop();
    this.#poll = null;
    this.#stream = '';
    this.list = null;
    this.failed = false;
  }

  async add(bookmark: NewBookmark): Promise<Problem | null> {
    const stream = this.#stream;
    const answer = await api.add(stream, bookmark);
    if (!answer.ok) return this.#hear(answer.problem);
    if (stream === this.#stream) this.list = byTime([...(this.list ?? []), answer.value]);
    return null;
  }

  async change(bookmark: Bookmark, change: { title: string; note: string }): Promise<Problem | null> {
    const answer = await api.change(bookmark, change);
    if (!answer.ok) return this.#hear(answer.problem);
    this.list = byTime([...without(this.list ?? [], bookmark), answer.value]);
    return null;
  }

  async remove(bookmark: Bookmark): Promise<Problem | null> {
    const answer = await api.remove(bookmark);
    // Somebody else was faster: gone is gone.
    if (!answer.ok && answer.problem.status !== 404) return this.#hear(answer.problem);
    this.list = without(this.list ?? [], bookmark);
    return null;
  }

  async #find(stream: string, around: WallUs | null): Promise<readonly Bookmark[] | null> {
    const all = await this.#ask(stream, always);
    this.some = (all?.length ?? 0) >= most && around !== null;
    if (!this.some || around === null) return all;
    return this.#ask(stream, range(around - aroundUs, around + aroundUs));
  }

  async #ask(stream: string, within: Range): Promise<readonly Bookmark[] | null> {
    const answer = await api.of(stream, within);
    app.hear(answer.ok ? null : answer.problem);
    return answer.ok ? byTime(answer.value.bookmarks) : null;
  }

  #hear(problem: Problem): Problem {
    app.hear(problem);
    return problem;
  }
}

/** Years before and after any footage. */
const always = range(0, 4_000_000_000_000_000);

export const streamBookmarks = new StreamBookmarks();
