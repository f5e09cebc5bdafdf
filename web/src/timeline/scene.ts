/** Everything the layers need to draw one picture of the time bar. Values only: no layer asks the clock or the page. */
import type { Range } from '../time/range';
import type { TimeScale } from '../time/scale';
import type { WallUs } from '../time/timestamp';
import type { Box } from './boxes';
import type { GapKind } from './kinds';
import type { Tick } from './ticks';

export interface Palette {
  readonly ground: string;
  readonly future: string;
  readonly line: string;
  readonly text: string;
  readonly footage: string;
  readonly footageEdge: string;
  readonly gap: Readonly<Record<GapKind, string>>;
  readonly gapGround: Readonly<Record<GapKind, string>>;
  readonly playhead: string;
  readonly cursor: string;
  readonly mark: string;
  readonly markGround: string;
}

/** Vertical places, in CSS pixels. */
export interface Rows {
  readonly height: number;
  readonly band: { readonly y: number; readonly height: number };
}

export const rows: Rows = { height: 76, band: { y: 26, height: 42 } };

export interface Scene {
  readonly scale: TimeScale;
  readonly palette: Palette;
  readonly font: string;
  readonly ticks: readonly Tick[];
  readonly footage: readonly Box[];
  readonly gaps: Readonly<Record<GapKind, readonly Box[]>>;
  readonly now: WallUs;
  readonly position: WallUs | null;
  readonly cursor: WallUs | null;
  readonly marks: Partial<Range>;
}

export type Layer = (ctx: CanvasRenderingContext2D, scene: Scene) => void;
