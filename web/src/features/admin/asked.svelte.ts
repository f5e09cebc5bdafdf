/** An answer of the recorder that a page shows: asked for when the page opens, again on demand or every so often. */
import type { Problem, Result } from '../../api/problem';
import { poll, recorderIsBack } from '../../ui/poll';
import { app } from '../shell/app.svelte';

export class Asked<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  busy = $state(false);
  #question: () => Promise<Result<T>>;
  #latest = 0;

  constructor(question: () => Promise<Result<T>>) {
    this.#question = question;
  }

  /** Whether it worked. An answer that a later question has overtaken is dropped. */
  async again(): Promise<boolean> {
    const mine = ++this.#latest;
    const asking = this.#question();
    this.busy = true;
    const answer = await asking;
    app.hear(answer.ok ? null : answer.problem);
    if (mine !== this.#latest) return answer.ok;
    this.busy = false;
    this.problem = answer.ok ? null : answer.problem;
    if (answer.ok) this.value = answer.value;
    return answer.ok;
  }

  /** For an effect: what the question reads is followed. Without an interval it is asked once, and again when it failed. */
  follow(everyMs?: number): () => void {
    if (everyMs !== undefined) {
      const asking = poll(everyMs, () => this.again());
      return () => asking.stop();
    }
    const retry = () => {
      if (this.problem) void this.again();
    };
    addEventListener(recorderIsBack, retry);
    void this.again();
    return () => removeEventListener(recorderIsBack, retry);
  }
}

/** Something that a person asks for with a button: one at a time, and what went wrong stays to be read. */
export class Doing {
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);

  /** The answer, or `null` where it failed. */
  async run<T>(act: () => Promise<Result<T>>): Promise<{ value: T } | null> {
    if (this.busy) return null;
    this.busy = true;
    this.problem = null;
    const answer = await act();
    app.hear(answer.ok ? null : answer.problem);
    this.busy = false;
    if (answer.ok) return { value: answer.value };
    this.problem = answer.problem;
    return null;
  }
}
