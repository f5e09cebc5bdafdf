/** What is recorded in view, as words need it: settled, a moment after the timeline has stopped moving. */
import { recorderNow } from '../../api/clock';
import { type Range, length } from '../../time/range';
import { type CoverageStore, type Found, coverageOf } from '../../timeline/coverage';
import { expiringUs } from '../../timeline/record';
import { joinGaps } from '../../timeline/tiles';

/** Long enough not to follow a hand that is still moving. */
const settleMs = 160;
/** As on the timeline: it asks for as much as a screen can show. */
const pixels = 1200;

/** What the timeline shows besides footage and gaps. */
export type Extra = 'hold' | 'marked' | 'expiring' | 'mixed';
const extras: readonly Extra[] = ['hold', 'marked', 'expiring', 'mixed'];

export class InView {
  shows = $state.raw<readonly Extra[]>([]);
  record = $state.raw<Found | null>(null);
  failed = $state(false);
  #store: CoverageStore;
  #view: Range | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #undo: () => void;

  constructor(stream: string) {
    this.#store = coverageOf(stream);
    this.#undo = this.#store.listen(() => this.#soon());
  }

  show(view: Range): void {
    this.#view = view;
    this.#soon();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#undo();
  }

  /** Nothing is recorded in view, and that is certain. */
  get empty(): boolean {
    const { record } = this;
    return record !== null && record.complete && record.footage.length === 0;
  }

  #extras(view: Range): Extra[] {
    const found: Extra[] = [];
    this.#store.visit(view, length(view) / pixels, (tile, start, end) => {
      const meets = (r: Range) => r.start < end && r.end > start;
      if (tile.holds.some(meets)) found.push('hold');
      if (tile.marked.some(meets)) found.push('marked');
      if (tile.missing.some((share) => share > 0)) found.push('mixed');
      const { windowStart, runs } = tile;
      if (
        windowStart !== null &&
        start < windowStart + expiringUs &&
        (runs[0] ?? Infinity) < windowStart + expiringUs
      ) {
        found.push('expiring');
      }
    });
    return extras.filter((extra) => found.includes(extra));
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), settleMs);
  }

  #look(): void {
    if (!this.#view) return;
    this.failed = this.#store.failed && this.record === null;
    this.shows = this.#extras(this.#view);
    const px = length(this.#view) / pixels;
    const found = this.#store.record(this.#view, px);
    const record: Found = {
      ...found,
      gaps: joinGaps(found.gaps.map((gap) => this.#store.gapAt(gap.start_us, px) ?? gap)),
    };
    // What has not happened yet is known to be empty.
    if (record.complete || record.footage.length > 0 || this.#view.start > recorderNow()) this.record = record;
  }
}
