/** Lists of bookmarks. Pure. */
import type { Bookmark } from '../../api/keep';
import type { WallUs } from '../../time/timestamp';

export function byTime(list: readonly Bookmark[]): Bookmark[] {
  return [...list].sort((a, b) => a.at_us - b.at_us || a.created_at_us - b.created_at_us);
}

export function without(list: readonly Bookmark[], gone: Bookmark): Bookmark[] {
  return list.filter((bookmark) => bookmark.id !== gone.id);
}

/** The one the playhead is at or has passed last; `null` before the first. */
export function current(list: readonly Bookmark[], at: WallUs | null): Bookmark | null {
  if (at === null) return null;
  return list.reduce<Bookmark | null>((last, bookmark) => (bookmark.at_us <= at ? bookmark : last), null);
}
