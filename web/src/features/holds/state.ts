import type { Hold } from '../../api/types';

/** `release_asked`: it keeps what it touches until a second person agrees. */
export type HoldState = Hold['state'];

export function isOver({ state }: Pick<Hold, 'state'>): boolean {
  return state === 'released' || state === 'expired';
}

/** What waits for somebody first, then what keeps something, then the past; the newest of each first. */
export function inOrder(holds: readonly Hold[]): Hold[] {
  const rank = { release_asked: 0, active: 1, released: 2, expired: 2 } as const;
  return [...holds].sort((a, b) => rank[a.state] - rank[b.state] || b.id - a.id);
}
