/**
 * The feed: the stretch of footage the player knows of, as one playlist that moves with the playhead.
 *
 * The recorder is asked for a few minutes at a time. New pieces are appended here, old entries leave at the front, and
 * the player is shown the result as if it were one live playlist. So it plays on from any moment of the past to the
 * live edge without ever loading again, and no playlist is ever long. Sequence numbers are our own: the player needs
 * them to be stable from one look at the feed to the next and nobody else sees them.
 */
import { type Range, range } from '../time/range';
import { SECOND_US, type WallUs, shift } from '../time/timestamp';
import type { Entry, Playlist, Rendering } from './playlist';

/** Within a run segments follow one another but for the drift of the source's clock: 500 ppm of a long segment. */
const toleranceUs = SECOND_US / 10;

export interface Feed extends Rendering {
  readonly entries: readonly [Entry, ...Entry[]];
}

/** `null` when there is nothing in the piece. */
export function startFeed(piece: Playlist): Feed | null {
  const [first, ...rest] = piece.entries;
  if (!first) return null;
  return { ...piece, ended: false, entries: [first, ...rest], firstSequence: 0, firstDiscontinuity: 0 };
}

/** Adds what is later than all the feed has; pieces may overlap. */
export function append(feed: Feed, piece: Playlist): Feed {
  const last = lastOf(feed);
  const fresh = piece.entries.filter((e) => e.start > last.start);
  const [first, ...rest] = fresh;
  if (!first) return feed;
  // The first of a piece cannot know what it follows: another run, or the same one after something was lost.
  const apart = Math.abs(first.start - last.start - last.mediaUs) > toleranceUs;
  const joined: Entry = { ...first, discontinuity: first.discontinuity || first.init !== last.init || apart };
  return {
    ...feed,
    entries: [...feed.entries, joined, ...rest],
    targetDurationS: Math.max(feed.targetDurationS, piece.targetDurationS),
  };
}

/** Lets go of what ended before `before`; the last entry always stays. */
export function trim(feed: Feed, before: WallUs): Feed {
  let drop = 0;
  while (drop < feed.entries.length - 1 && entryEnd(feed.entries, drop) <= before) drop += 1;
  if (drop === 0) return feed;
  const gone = feed.entries.slice(0, drop);
  const [first, ...rest] = feed.entries.slice(drop) as [Entry, ...Entry[]];
  // EXT-X-DISCONTINUITY-SEQUENCE counts the marks that have left, the first entry's own included.
  const marks = gone.slice(1).filter((e) => e.discontinuity).length + (first.discontinuity ? 1 : 0);
  return {
    ...feed,
    entries: [first, ...rest],
    firstSequence: feed.firstSequence + drop,
    firstDiscontinuity: feed.firstDiscontinuity + marks,
  };
}

export function end(feed: Feed): Feed {
  return { ...feed, ended: true };
}

/** From the first picture to the end of the last; gaps inside included. */
export function span(feed: Feed): Range {
  return range(feed.entries[0].start, entryEnd(feed.entries, feed.entries.length - 1));
}

export function lastOf(feed: Feed): Entry {
  return feed.entries[feed.entries.length - 1] ?? feed.entries[0];
}

/**
 * Where an entry ends in wall time. Inside a run that is where the next begins; the source's clock alone would be off
 * by its drift.
 */
export function entryEnd(entries: readonly Entry[], i: number): WallUs {
  const entry = entries[i] as Entry;
  const next = entries[i + 1];
  const byMedia = shift(entry.start, entry.mediaUs);
  if (!next) return byMedia;
  if (!next.discontinuity) return next.start;
  return next.start < byMedia ? next.start : byMedia;
}

/** What is recorded of the feed's stretch: neighbouring entries joined, gaps left open. */
export function footage(feed: Feed): Range[] {
  const found: Range[] = [];
  for (const [i, entry] of feed.entries.entries()) {
    const ends = entryEnd(feed.entries, i);
    const before = found[found.length - 1];
    if (before && before.end === entry.start) found[found.length - 1] = range(before.start, ends);
    else found.push(range(entry.start, ends));
  }
  return found;
}

/** Whether a picture or sound of that moment is in the feed. */
export function covers(feed: Feed, at: WallUs): boolean {
  return footage(feed).some((r) => r.start <= at && at < r.end);
}

/** What to ask the recorder for next. */
export type Want = { kind: 'nothing' } | { kind: 'piece'; range: Range } | { kind: 'edge'; start: WallUs };

/** One piece is this long: about 150 segments, some 10 kB of playlist. */
export const pieceUs = 10 * 60 * SECOND_US;
/** Kept behind the playhead, for going back without loading again. */
export const keptBehindUs = 30 * 60 * SECOND_US;
/** Asked for when less than this is left ahead, at normal speed: time for a slow answer and a retry. */
const aheadUs = 120 * SECOND_US;

/**
 * `edge` asks for an unbounded playlist and is only sensible close to now; before that, bounded pieces keep the answer
 * short however far back the playhead is.
 */
export function wanted(feed: Feed, playhead: WallUs, now: WallUs, rate: number): Want {
  if (feed.ended) return { kind: 'nothing' };
  const reach = span(feed).end;
  if (reach - playhead > aheadUs * Math.max(1, rate)) return { kind: 'nothing' };
  const last = lastOf(feed).start;
  if (now - reach <= pieceUs) return { kind: 'edge', start: last };
  return { kind: 'piece', range: range(last, reach + pieceUs) };
}
