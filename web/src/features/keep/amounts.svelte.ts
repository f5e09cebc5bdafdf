/** What a part holds over one or several streams: asked for a moment after it stopped changing. */
import { api } from '../../api/client';
import { clipFacts } from '../../api/keep';
import type { Coverage } from '../../api/types';
import type { Range } from '../../time/range';
import { intersection, length, range } from '../../time/range';
import { type Contents, contentsOf } from './part';

export interface Amounts extends Contents {
  /** Of files over the part; `null` where it could not be found out. */
  readonly bytes: number | null;
  /** Given up by retention, and not deleted yet. */
  readonly markedUs: number;
}

const nothing: Amounts = { recordedUs: 0, missingUs: 0, gaps: 0, bytes: 0, markedUs: 0 };
/** Marks are dragged: the recorder is asked when they rest. */
const restMs = 200;

export class PartAmounts {
  /** `null` while not known. */
  value = $state.raw<Amounts | null>(null);
  failed = $state(false);
  #asking: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Forgets what was known and asks again. */
  show(streams: readonly string[], part: Range | null): void {
    this.stop();
    this.value = streams.length === 0 ? nothing : null;
    this.failed = false;
    if (!part || streams.length === 0) return;
    this.#timer = setTimeout(() => void this.#ask(streams, part), restMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
  }

  async #ask(streams: readonly string[], part: Range): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    const each = await Promise.all(streams.map((stream) => amountsOf(stream, part, asking.signal)));
    if (this.#asking !== asking) return;
    this.failed = each.includes(null);
    this.value = each.reduce<Amounts>((sum, one) => (one ? add(sum, one) : sum), nothing);
  }
}

async function amountsOf(stream: string, part: Range, signal: AbortSignal): Promise<Amounts | null> {
  const answer = await api.coverage(stream, part);
  if (!answer.ok || signal.aborted) return null;
  const contents = contentsOf(part, answer.value.runs);
  const markedUs = markedIn(answer.value, part);
  // A file over nothing does not exist: asking for it would be refused.
  if (contents.recordedUs === 0) return { ...contents, bytes: 0, markedUs };
  const facts = await clipFacts(stream, part, signal);
  return { ...contents, bytes: facts.ok ? facts.value.bytes : null, markedUs };
}

function markedIn(coverage: Coverage, part: Range): number {
  return coverage.marked.reduce((sum, mark) => {
    const inside = intersection(range(mark.start_us, mark.end_us), part);
    return sum + (inside ? length(inside) : 0);
  }, 0);
}

function add(a: Amounts, b: Amounts): Amounts {
  return {
    recordedUs: a.recordedUs + b.recordedUs,
    missingUs: a.missingUs + b.missingUs,
    gaps: a.gaps + b.gaps,
    bytes: a.bytes === null || b.bytes === null ? null : a.bytes + b.bytes,
    markedUs: a.markedUs + b.markedUs,
  };
}
