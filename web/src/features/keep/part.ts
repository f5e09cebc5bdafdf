/** The part between two marks: what is in it, how large it gets, what a file of it is called. Pure. */
import type { Coverage } from '../../api/types';
import { type Range, intersection, length, range } from '../../time/range';
import { MILLISECOND_US, SECOND_US, type WallUs, toRfc3339, wallUs } from '../../time/timestamp';
import { union } from '../../timeline/record';

export type Marks = Partial<Range>;

/** What is marked; `null` while a mark is missing or they are the wrong way round. */
export function partOf(marks: Marks): Range | null {
  const { start, end } = marks;
  return start !== undefined && end !== undefined && start < end ? range(start, end) : null;
}

export function isReversed({ start, end }: Marks): boolean {
  return start !== undefined && end !== undefined && start >= end;
}

export interface Contents {
  /** How much of the part is recorded. */
  readonly recordedUs: number;
  readonly missingUs: number;
  /** Holes in it that are worth telling. */
  readonly gaps: number;
}

/** A shorter one is the join between two connections. */
const gapLeastUs = SECOND_US;

export function contentsOf(part: Range, runs: Coverage['runs']): Contents {
  const footage = union(
    runs.map((run) => range(run.start_us, run.end_us)),
    [],
  ).flatMap((run) => intersection(run, part) ?? []);
  const recordedUs = footage.reduce((sum, run) => sum + length(run), 0);
  const edges = [part.start, ...footage.flatMap((run) => [run.start, run.end]), part.end];
  let gaps = 0;
  for (let i = 0; i + 1 < edges.length; i += 2) {
    if ((edges[i + 1] ?? 0) - (edges[i] ?? 0) >= gapLeastUs) gaps += 1;
  }
  return { recordedUs, missingUs: length(part) - recordedUs, gaps };
}

/** How large footage of that length gets at that rate; `null` where nobody knows the rate. */
export function estimateBytes(recordedUs: number, bitsPerSecond: number | null | undefined): number | null {
  return bitsPerSecond ? Math.round((recordedUs / SECOND_US) * (bitsPerSecond / 8)) : null;
}

/** `20260503T140322Z`: safe on every file system, sorted by time. */
function stamp(at: WallUs): string {
  return `${toRfc3339(at).slice(0, 19).replace(/[-:]/g, '')}Z`;
}

export function clipName(stream: string, part: Range): string {
  return `${stream}-${stamp(part.start)}-${stamp(part.end)}.mp4`;
}

/** `front-door-20260503T140322.250Z.png`: a still is of one moment, to the millisecond. */
export function stillName(stream: string, at: WallUs): string {
  const ms = String(Math.floor((at % SECOND_US) / MILLISECOND_US)).padStart(3, '0');
  return `${stream}-${stamp(at).slice(0, -1)}.${ms}Z.png`;
}

/** Moves one mark, and never past the other. */
export function nudge(marks: Marks, edge: 'start' | 'end', byUs: number): Marks {
  const at = marks[edge];
  if (at === undefined) return marks;
  const other = edge === 'start' ? marks.end : marks.start;
  let moved = at + byUs;
  if (other !== undefined) {
    const least = 100 * MILLISECOND_US;
    moved =
      edge === 'start' ? Math.min(moved, Math.max(at, other - least)) : Math.max(moved, Math.min(at, other + least));
  }
  return { ...marks, [edge]: wallUs(moved) };
}
