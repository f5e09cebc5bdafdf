/** What is recorded on the day in view, kept fresh while the day lasts. */
import { api } from '../../api/client';
import { hearClock } from '../../api/clock';
import type { Coverage } from '../../api/types';
import { type Range, range } from '../../time/range';
import type { WallUs } from '../../time/timestamp';
import type { Recorded } from '../../timeline/record';
import { union } from '../../timeline/record';
import { type Poll, poll } from '../../ui/poll';
import { app } from '../shell/app.svelte';

/** How often today is asked for again; in between the player's own feed knows what is new. */
const refreshMs = 10_000;

export class DayCoverage {
  coverage = $state.raw<Coverage | null>(null);
  failed = $state(false);
  #poll: Poll | null = null;

  /** Shows another day; forgets the one before. */
  show(stream: string, day: Range): void {
    this.stop();
    this.coverage = null;
    this.failed = false;
    const asked = poll(refreshMs, async () => {
      const answer = await api.coverage(stream, day);
      if (this.#poll !== asked) return true;
      app.hear(answer.ok ? null : answer.problem);
      this.failed = !answer.ok;
      if (!answer.ok) return false;
      hearClock(answer.value.now_us);
      this.coverage = answer.value;
      if (answer.value.now_us > day.end) this.stop();
      return true;
    });
    this.#poll = asked;
  }

  stop(): void {
    this.#poll?.stop();
    this.#poll = null;
  }

  /** Together with what the player knows already. */
  recorded(known: readonly Range[], first: WallUs | null, now: WallUs): Recorded | null {
    if (!this.coverage) return null;
    const { start_us, end_us, runs, gaps } = this.coverage;
    return {
      range: range(start_us, end_us),
      footage: union(
        runs.map((run) => range(run.start_us, run.end_us)),
        known,
      ),
      gaps,
      first,
      now,
    };
  }
}
