/** What `<input type="datetime-local">` speaks: a clock on the wall, without its zone. */
import { type WallUs } from './timestamp';
import { type Zone, civil, fromCivil } from './zone';

/** `null` while it is empty or half typed. */
export function fromInput(text: string, zone: Zone): WallUs | null {
  const m = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?/.exec(text);
  if (!m) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = m.slice(1).map((part) => Number(part ?? 0));
  return fromCivil({ year, month, day, hour, minute, second, us: 0 }, zone).at;
}

export function toInput(at: WallUs, zone: Zone): string {
  const c = civil(at, zone);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${String(c.year).padStart(4, '0')}-${two(c.month)}-${two(c.day)}T${two(c.hour)}:${two(c.minute)}:${two(c.second)}`;
}
