/**
 * The exports of whoever is signed in, wherever on the page they are shown: asked for once a second while one is under
 * way, rarely otherwise, and not at all while nothing on the page shows them.
 */
import { type ExportFormat, type ExportJob, jobs as api } from '../../api/keep';
import type { Problem } from '../../api/problem';
import type { Range } from '../../time/range';
import { app } from '../shell/app.svelte';
import { askAgainMs, isOpen, merge } from './jobs';

class Jobs {
  /** Newest first. `null` while not known. */
  list = $state.raw<readonly ExportJob[] | null>(null);
  failed = $state(false);
  /** The last answer has nothing older. */
  complete = $state(false);
  #account: string | null = null;
  #watchers = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = 0;

  get open(): readonly ExportJob[] {
    return (this.list ?? []).filter(isOpen);
  }

  /** Keeps the list fresh until the returned function is called. `null`: everybody's one may see. */
  watch(account: string | null): () => void {
    if (account !== this.#account) {
      this.#account = account;
      this.list = null;
      this.complete = false;
    }
    this.#watchers += 1;
    void this.#ask();
    return () => {
      this.#watchers -= 1;
      if (this.#watchers === 0) clearTimeout(this.#timer);
    };
  }

  async begin(streams: string[], part: Range, format: ExportFormat, note: string): Promise<Problem | null> {
    const answer = await api.begin(streams, part, format, note);
    if (!answer.ok) return this.#hear(answer.problem);
    this.list = merge([answer.value], this.list ?? []);
    this.#again();
    return null;
  }

  async remove(job: ExportJob): Promise<Problem | null> {
    const answer = await api.remove(job.id);
    if (!answer.ok && answer.problem.status !== 404) return this.#hear(answer.problem);
    await this.#ask(isOpen(job) ? null : job.id);
    return null;
  }

  retry(): void {
    void this.#ask();
  }

  async more(): Promise<void> {
    const last = this.list?.[this.list.length - 1];
    if (!last) return;
    const answer = await api.of(this.#account, last.id);
    this.#hear(answer.ok ? null : answer.problem);
    if (!answer.ok) return;
    this.complete = answer.value.exports.length === 0;
    this.list = merge(this.list ?? [], answer.value.exports);
  }

  async #ask(gone: string | null = null): Promise<void> {
    const asking = (this.#asking += 1);
    clearTimeout(this.#timer);
    if (!document.hidden) {
      const answer = await api.of(this.#account, null);
      if (asking !== this.#asking) return;
      this.#hear(answer.ok ? null : answer.problem);
      this.failed = !answer.ok;
      if (answer.ok) {
        const older = (this.list ?? []).filter((job) => job.id !== gone && !this.#isGone(job, answer.value.exports));
        this.list = merge(answer.value.exports, older);
      }
    }
    this.#again();
  }

  /** Newer than the oldest of a fresh page and not on it: deleted by somebody. */
  #isGone(job: ExportJob, fresh: readonly ExportJob[]): boolean {
    const oldest = fresh[fresh.length - 1];
    return !oldest || job.created_at_us >= oldest.created_at_us;
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (this.#watchers === 0) return;
    const slower = this.failed ? 5 : 1;
    this.#timer = setTimeout(() => void this.#ask(), askAgainMs(this.list ?? []) * slower);
  }

  #hear(problem: Problem | null): Problem | null {
    app.hear(problem);
    return problem;
  }
}

export const jobs = new Jobs();
