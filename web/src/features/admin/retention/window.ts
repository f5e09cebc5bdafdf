/** Calendar arithmetic of windows, as the recorder does it: months in the account's zone, never fewer than 30 days each. */
import type { Window } from '../../../api/retention';
import { DAY_US, HOUR_US, type WallUs, wallUs } from '../../../time/timestamp';
import { type Zone, civil, fromCivil } from '../../../time/zone';

/** So many calendar months on, the day clamped to the month's last. */
export function addMonths(at: WallUs, months: number, zone: Zone): WallUs {
  const c = civil(at, zone);
  const first = c.year * 12 + (c.month - 1) + months;
  const [year, month] = [Math.floor(first / 12), (((first % 12) + 12) % 12) + 1];
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return fromCivil({ ...c, year, month, day: Math.min(c.day, last) }, zone).at;
}

/** From when on footage is promised at `now`; `null`: from the very first. */
export function promisedFrom(now: WallUs, window: Window, capHours: number | null, zone: Zone): WallUs | null {
  const cap = capHours === null ? null : wallUs(now - capHours * HOUR_US);
  if (window === 'unlimited') return cap;
  const byMonths = addMonths(now, -window.months, zone);
  const plan = wallUs(Math.min(byMonths, now - window.months * 30 * DAY_US));
  return cap === null ? plan : wallUs(Math.max(plan, cap));
}

/** When footage that ends at `end` leaves; `null`: never. A little too late rather than too early. */
export function lastLeaves(end: WallUs, window: Window, capHours: number | null, zone: Zone): WallUs | null {
  const cap = capHours === null ? null : wallUs(end + capHours * HOUR_US);
  if (window === 'unlimited') return cap;
  const plan = wallUs(Math.max(addMonths(end, window.months, zone), end + window.months * 30 * DAY_US));
  return cap === null ? plan : wallUs(Math.min(plan, cap));
}
