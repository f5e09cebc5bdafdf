import type { Hold } from '../../api/types';
import type { WallUs } from '../../time/timestamp';

/** `asked`: it keeps what it touches until a second person agrees to its release. */
export type HoldState = 'keeps' | 'asked' | 'over';

export function holdState(hold: Hold, now: WallUs): HoldState {
  const expired = hold.expires_at_us !== null && hold.expires_at_us <= now;
  if (hold.released_at_us !== null || expired || !hold.active) return 'over';
  return hold.release_asked_by !== null ? 'asked' : 'keeps';
}

/** What waits for somebody first, then what keeps something, then the past; the newest of each first. */
export function inOrder(holds: readonly Hold[], now: WallUs): Hold[] {
  const rank = { asked: 0, keeps: 1, over: 2 } as const;
  return [...holds].sort((a, b) => rank[holdState(a, now)] - rank[holdState(b, now)] || b.id - a.id);
}
