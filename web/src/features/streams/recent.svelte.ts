/** The newest picture of a stream, while it is in view, and not more often than need be. */
import { frameUrl } from '../../api/client';
import type { Stream } from '../../api/types';
import { SECOND_US, shift } from '../../time/timestamp';
import { fetchPicture } from './pictures';

export class RecentPicture {
  picture = $state<string | null>(null);
  /** There is footage, and no picture of it can be had. */
  missing = $state(false);
  #visible = $state(false);
  /** Counts failures, to try again after each. */
  #failures = $state(0);
  #fetchedAt = 0;
  #fetched = '';
  #width: number;
  #freshMs: number;

  /** No more than one new picture in `freshMs`, however fast footage comes in. */
  constructor(width: number, freshMs: number) {
    this.#width = width;
    this.#freshMs = freshMs;
  }

  /** For an effect: whether the element is in view, or nearly. */
  watch(element: HTMLElement): () => void {
    const observer = new IntersectionObserver(([entry]) => (this.#visible = entry?.isIntersecting ?? false), {
      rootMargin: '200px',
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      this.#show(null);
    };
  }

  /** For an effect: fetches what is newer than what is shown. */
  want(stream: Stream): (() => void) | undefined {
    void this.#failures;
    const url = this.#urlOf(stream);
    if (!this.#visible || url === null || url === this.#fetched) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(
      () => void this.#fetch(url, abort.signal),
      Math.max(0, this.#fetchedAt + this.#freshMs - Date.now()),
    );
    return () => {
      clearTimeout(timer);
      // A picture on its way is still the newest one we will have for a while.
      if (Date.now() - this.#fetchedAt > this.#freshMs) abort.abort();
    };
  }

  #urlOf(stream: Stream): string | null {
    if (!stream.has_video || stream.last_end_us === null) return null;
    // Just inside the newest segment: its end is the first moment that is not recorded.
    return frameUrl(stream.id, shift(stream.last_end_us, -SECOND_US / 4), this.#width);
  }

  async #fetch(url: string, signal: AbortSignal): Promise<void> {
    if (document.hidden) return;
    this.#fetchedAt = Date.now();
    const answer = await fetchPicture(url, signal);
    if (signal.aborted) return;
    if (answer.kind === 'failed') {
      this.#failures += 1;
      return;
    }
    this.#fetched = url;
    this.missing = answer.kind === 'none';
    if (answer.kind === 'picture') this.#show(answer.url);
  }

  #show(url: string | null): void {
    if (this.picture) URL.revokeObjectURL(this.picture);
    this.picture = url;
  }
}
