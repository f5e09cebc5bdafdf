/** Wall time ↔ the player's media time. The player's time runs through gaps as if they were not there. */
import { SECOND_US, type WallUs, wallUs } from '../time/timestamp';
import { type Feed, entryEnd } from './feed';

/** One segment in both times. */
export interface Span {
  readonly start: WallUs;
  readonly end: WallUs;
  readonly mediaStartS: number;
  readonly mediaEndS: number;
}

/** In time order, both ways. */
export type Mapping = readonly Span[];

/** Where the player will put each entry as long as it has seen none: one after the other by their lengths. */
export function estimate(feed: Feed, originS = 0): Mapping {
  let s = originS;
  return feed.entries.map((entry, i) => {
    const mediaStartS = s;
    s += entry.mediaUs / SECOND_US;
    return { start: entry.start, end: entryEnd(feed.entries, i), mediaStartS, mediaEndS: s };
  });
}

/** `null` in a gap and outside. */
export function toMedia(mapping: Mapping, at: WallUs): number | null {
  const span = lastWhere(mapping, (s) => s.start <= at);
  if (!span || at >= span.end) return null;
  const share = (at - span.start) / (span.end - span.start);
  return span.mediaStartS + share * (span.mediaEndS - span.mediaStartS);
}

/**
 * The moment shown at a media time. Between two spans (rounding, a hole between runs) the end of the one before, and
 * outside the nearest end; `null` only when nothing is mapped.
 */
export function toWall(mapping: Mapping, mediaS: number): WallUs | null {
  const first = mapping[0];
  if (!first) return null;
  const span = lastWhere(mapping, (s) => s.mediaStartS <= mediaS);
  if (!span) return first.start;
  const length = span.mediaEndS - span.mediaStartS;
  const share = length > 0 ? Math.min(1, (mediaS - span.mediaStartS) / length) : 0;
  return wallUs(span.start + share * (span.end - span.start));
}

/** Where one frame further is. */
export type FrameStep =
  /** In the same session, at this media time; `into` is the segment it is in. */
  | { kind: 'inside'; mediaS: number; into: Span }
  /** Before or after all that is mapped, next to this moment. */
  | { kind: 'outside'; edge: WallUs };

/**
 * One frame on or back from the middle of a frame. Between two runs media time may have a hole (their sound and picture
 * end at different moments): then the first frame beyond it, or the last one before.
 */
export function frameStep(mapping: Mapping, middleS: number, lengthS: number, direction: 1 | -1): FrameStep | null {
  const i = mapping.findLastIndex((s) => s.mediaStartS <= middleS);
  const here = mapping[Math.max(0, i)];
  if (!here) return null;
  const mediaS = middleS + direction * lengthS;
  const beside = mapping[Math.max(0, i) + direction];
  if (direction > 0) {
    if (mediaS < here.mediaEndS) return { kind: 'inside', mediaS, into: here };
    if (!beside) return { kind: 'outside', edge: here.end };
    return { kind: 'inside', mediaS: Math.max(mediaS, beside.mediaStartS + lengthS / 4), into: beside };
  }
  if (mediaS >= here.mediaStartS) return { kind: 'inside', mediaS, into: here };
  if (!beside) return { kind: 'outside', edge: here.start };
  return { kind: 'inside', mediaS: Math.min(mediaS, beside.mediaEndS - lengthS / 4), into: beside };
}

function lastWhere(mapping: Mapping, holds: (span: Span) => boolean): Span | undefined {
  let low = 0;
  let high = mapping.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const span = mapping[middle];
    if (span && holds(span)) low = middle + 1;
    else high = middle;
  }
  return mapping[low - 1];
}
