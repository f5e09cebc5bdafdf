/** Vertical places of the timeline, in CSS pixels, and what lies under a point. Pure. */
import type { Range } from '../time/range';
import { type TimeScale, toX } from '../time/scale';
import type { WallUs } from '../time/timestamp';
import type { Bookmark } from './scene';

interface Lane {
  readonly y: number;
  readonly height: number;
}

export interface Layout {
  readonly height: number;
  /** Days, months, years. */
  readonly stretches: Lane;
  /** Times. */
  readonly times: Lane;
  readonly bands: readonly Lane[];
  /** From the top of the first band to the foot of the last. */
  readonly all: Lane;
  /** Bookmarks' flags. */
  readonly flags: Lane;
  /** All that is recorded, with the view in it. */
  readonly overview: Lane;
}

export function layoutOf(rows: number): Layout {
  const height = rows <= 1 ? 46 : rows <= 4 ? 26 : 20;
  const gap = rows <= 1 ? 0 : 3;
  const top = 40;
  const count = Math.max(1, rows);
  const bands = Array.from({ length: count }, (_, i) => ({ y: top + i * (height + gap), height }));
  const foot = top + count * (height + gap) - gap;
  return {
    height: foot + 40,
    stretches: { y: 0, height: 17 },
    times: { y: 17, height: 23 },
    bands,
    all: { y: top, height: foot - top },
    flags: { y: foot + 2, height: 14 },
    overview: { y: foot + 20, height: 16 },
  };
}

export type Hit =
  | { kind: 'ruler' }
  | { kind: 'band'; row: number }
  | { kind: 'playhead' }
  | { kind: 'mark'; edge: 'start' | 'end' }
  | { kind: 'bookmark'; bookmark: Bookmark }
  /** `inside`: on the frame that shows what is in view. */
  | { kind: 'overview'; inside: boolean };

export interface Things {
  readonly scale: TimeScale;
  readonly overview: TimeScale;
  readonly layout: Layout;
  readonly position: WallUs | null;
  readonly marks: Partial<Range>;
  readonly bookmarks: readonly Bookmark[];
}

/** `reach`: how near is near enough, larger for a finger than for a mouse. */
export function hitAt(x: number, y: number, things: Things, reach: number): Hit {
  const { layout, scale, overview, position, marks } = things;
  if (y >= layout.overview.y - 3) return { kind: 'overview', inside: isInWindow(x, scale, overview) };
  const near = (at: WallUs | null | undefined) => at != null && Math.abs(toX(scale, at) - x) <= reach;
  for (const edge of ['start', 'end'] as const) {
    // The handles stick out above the bands, where they do not cover what is recorded.
    if (near(marks[edge]) && y < layout.all.y + layout.all.height) return { kind: 'mark', edge };
  }
  if (near(position) && y > layout.times.y) return { kind: 'playhead' };
  if (y >= layout.flags.y - 1) {
    const bookmark = things.bookmarks.find((b) => near(b.at_us));
    if (bookmark) return { kind: 'bookmark', bookmark };
  }
  if (y < layout.all.y) return { kind: 'ruler' };
  const row = layout.bands.findIndex((band) => y < band.y + band.height + 2);
  return { kind: 'band', row: row < 0 ? layout.bands.length - 1 : row };
}

function isInWindow(x: number, scale: TimeScale, overview: TimeScale): boolean {
  const { from, to } = windowOf(scale, overview);
  return x >= from && x <= to;
}

/** Where the view is on the overview: never too narrow to be grabbed. */
export function windowOf(scale: TimeScale, overview: TimeScale): { from: number; to: number } {
  const [a, b] = [toX(overview, scale.range.start), toX(overview, scale.range.end)];
  const spare = Math.max(0, 10 - (b - a)) / 2;
  return { from: Math.max(0, a - spare), to: Math.min(overview.width, b + spare) };
}
