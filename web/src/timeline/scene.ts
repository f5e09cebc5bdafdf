/** Everything the layers need to draw one picture of the timeline. Values only: no layer asks the clock or the page. */
import type { Range } from '../time/range';
import type { TimeScale } from '../time/scale';
import type { WallUs } from '../time/timestamp';
import type { Boxes, RowBoxes } from './boxes';
import type { GapKind } from './kinds';
import type { Layout } from './layout';
import type { Ruler } from './ticks';

export interface Palette {
  readonly ground: string;
  readonly future: string;
  readonly line: string;
  readonly text: string;
  readonly ink: string;
  readonly footage: string;
  readonly footageEdge: string;
  readonly gap: Readonly<Record<GapKind, string>>;
  readonly gapGround: Readonly<Record<GapKind, string>>;
  readonly playhead: string;
  readonly cursor: string;
  readonly mark: string;
  readonly markGround: string;
  readonly hold: string;
  readonly leaving: string;
  readonly bookmark: string;
  readonly live: string;
  readonly window: string;
}

/** A place somebody wrote down. */
export interface Bookmark {
  readonly id: string | number;
  readonly at_us: WallUs;
  readonly end_us: WallUs | null;
  readonly title: string;
}

export interface RowScene extends RowBoxes {
  readonly holds: Boxes;
  /** Given up, not deleted yet. */
  readonly marked: Boxes;
  /** Leaves the retention window within days. */
  readonly expiring: Boxes;
  /** Before it nothing is served. */
  windowStart: WallUs | null;
}

export interface Overview {
  readonly scale: TimeScale;
  readonly row: RowScene;
}

export interface Scene {
  readonly scale: TimeScale;
  readonly layout: Layout;
  readonly palette: Palette;
  readonly patterns: Patterns;
  readonly ruler: Ruler;
  readonly rows: readonly RowScene[];
  readonly overview: Overview;
  readonly now: WallUs;
  /** Something is being recorded: now is a live edge and not just now. */
  readonly growing: boolean;
  readonly position: WallUs | null;
  readonly cursor: WallUs | null;
  readonly marks: Partial<Range>;
  readonly bookmarks: readonly Bookmark[];
  /** Length of a frame where single ones can be told apart, and where one of them begins. */
  readonly frames: { readonly from: WallUs; readonly us: number } | null;
  /** Which row the picture is of; others are quieter. */
  readonly active: number;
}

/** Hatching for what must not depend on colour alone. */
export interface Patterns {
  readonly gap: Readonly<Record<GapKind, CanvasPattern | null>>;
  readonly leaving: CanvasPattern | null;
  readonly mixed: Readonly<Record<GapKind, CanvasPattern | null>>;
}

export type Layer = (ctx: CanvasRenderingContext2D, scene: Scene) => void;

export const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
export const boldFont = `600 ${font}`;
