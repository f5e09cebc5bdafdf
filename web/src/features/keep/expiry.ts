/** How long something lasts: a few usual lengths, or until a day of the viewer's choice. Pure. */
import { DAY_US, HOUR_US, type WallUs, shift } from '../../time/timestamp';
import { type Day, type Zone, dayRange, parseDay } from '../../time/zone';

export type Lasting = 'hour' | 'day' | 'week' | 'month' | 'until';
export const lastings: readonly Lasting[] = ['hour', 'day', 'week', 'month', 'until'];

const lengths = { hour: HOUR_US, day: DAY_US, week: 7 * DAY_US, month: 30 * DAY_US } as const;

/** `null` when the day is missing, not a day, or over. With a day: until its midnight in the viewer's zone. */
export function expiryOf(lasting: Lasting, until: Day, now: WallUs, zone: Zone): WallUs | null {
  if (lasting !== 'until') return shift(now, lengths[lasting]);
  if (!parseDay(until)) return null;
  const { end } = dayRange(until, zone);
  return end > now ? end : null;
}
