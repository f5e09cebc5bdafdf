/** Calendar time in a time zone: days as people count them, 23 and 25 hour ones included. */
import { type Range } from './range';
import { DAY_US, HOUR_US, MILLISECOND_US, MINUTE_US, SECOND_US, type WallUs, wallUs } from './timestamp';

/** An IANA name, or `UTC`. */
export type Zone = string;
export const UTC: Zone = 'UTC';

/** A calendar day, `YYYY-MM-DD`: what `<input type="date">` speaks. */
export type Day = string;

export interface Civil {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Fraction of the second. */
  readonly us: number;
}

export function localZone(): Zone {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || UTC;
}

/** How far the zone's clocks are ahead of UTC at that moment. */
export function offsetUs(at: WallUs, zone: Zone): number {
  if (zone === UTC) return 0;
  // No zone changes its clocks and takes it back within a week: equal ends mean that nothing happens between.
  const week = Math.floor(at / WEEK_US);
  const first = offsetOfQuarter(week * quartersPerWeek, zone);
  const last = offsetOfQuarter((week + 1) * quartersPerWeek, zone);
  // No zone changes its clocks other than at a whole quarter of an hour.
  return first === last ? first : offsetOfQuarter(Math.floor(at / QUARTER_US), zone);
}

const QUARTER_US = 15 * MINUTE_US;
const WEEK_US = 7 * DAY_US;
const quartersPerWeek = WEEK_US / QUARTER_US;

const offsets = new Map<Zone, Map<number, number>>();

function offsetOfQuarter(quarter: number, zone: Zone): number {
  let known = offsets.get(zone);
  if (!known) offsets.set(zone, (known = new Map()));
  const offset = known.get(quarter);
  if (offset !== undefined) return offset;
  const found = lookUpOffset(quarter * QUARTER_US, zone);
  // Bounded: one a week, and a few hundred in a week when the clocks change.
  if (known.size >= 4096) known.clear();
  known.set(quarter, found);
  return found;
}

const formats = new Map<Zone, Intl.DateTimeFormat>();

function lookUpOffset(us: number, zone: Zone): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  const ms = Math.floor(us / MILLISECOND_US);
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(ms)) part[type] = Number(value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const shown = Date.UTC(year, month - 1, day, hour, minute, second);
  return (shown - Math.floor(ms / 1000) * 1000) * MILLISECOND_US;
}

export function civil(at: WallUs, zone: Zone): Civil {
  const local = at + offsetUs(at, zone);
  const seconds = Math.floor(local / SECOND_US);
  const d = new Date(seconds * 1000);
  return {
    year: d.getUTCFullYear(),
    month: d.getUTCMonth() + 1,
    day: d.getUTCDate(),
    hour: d.getUTCHours(),
    minute: d.getUTCMinutes(),
    second: d.getUTCSeconds(),
    us: local - seconds * SECOND_US,
  };
}

/**
 * The moment a clock on the wall shows this. `twice`: the clocks went back and show it twice; the first of the two is
 * given. `skipped`: the clocks went forward over it; the moment they would have shown it is given.
 */
export function fromCivil(c: Civil, zone: Zone): { at: WallUs; kind: 'once' | 'twice' | 'skipped' } {
  const asUtc = Date.UTC(c.year, c.month - 1, c.day, c.hour, c.minute, c.second) * MILLISECOND_US + c.us;
  const before = offsetUs(wallUs(asUtc - DAY_US), zone);
  const after = offsetUs(wallUs(asUtc + DAY_US), zone);
  const early = wallUs(asUtc - Math.max(before, after));
  const late = wallUs(asUtc - Math.min(before, after));
  const earlyIs = early + offsetUs(early, zone) === asUtc;
  const lateIs = late + offsetUs(late, zone) === asUtc;
  if (earlyIs && lateIs) return { at: early, kind: early === late ? 'once' : 'twice' };
  if (earlyIs) return { at: early, kind: 'once' };
  if (lateIs) return { at: late, kind: 'once' };
  return { at: wallUs(asUtc - before), kind: 'skipped' };
}

export function dayOf(at: WallUs, zone: Zone): Day {
  const c = civil(at, zone);
  return dayKey(c.year, c.month, c.day);
}

function dayKey(year: number, month: number, day: number): Day {
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** `null` when the text is not a day of the calendar. */
export function parseDay(text: string): { year: number; month: number; day: number } | null {
  const m = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (!m) return null;
  const [year, month, day] = [Number(m[1]), Number(m[2]), Number(m[3])];
  const d = new Date(Date.UTC(year, month - 1, day));
  return d.getUTCMonth() + 1 === month && d.getUTCDate() === day ? { year, month, day } : null;
}

export function shiftDay(day: Day, by: number): Day {
  const d = parseDay(day);
  if (!d) return day;
  const t = new Date(Date.UTC(d.year, d.month - 1, d.day + by));
  return dayKey(t.getUTCFullYear(), t.getUTCMonth() + 1, t.getUTCDate());
}

/** From midnight to midnight: 23 or 25 hours when the clocks change. */
export function dayRange(day: Day, zone: Zone): Range {
  return { start: midnight(day, zone), end: midnight(shiftDay(day, 1), zone) };
}

function midnight(day: Day, zone: Zone): WallUs {
  const d = parseDay(day) ?? { year: 1970, month: 1, day: 1 };
  const found = fromCivil({ ...d, hour: 0, minute: 0, second: 0, us: 0 }, zone);
  // Where clocks go forward at midnight the day begins at one o'clock, and that is the moment found.
  return found.at;
}

/** The same time of day on another day. */
export function onDay(at: WallUs, day: Day, zone: Zone): WallUs {
  const d = parseDay(day);
  return d ? fromCivil({ ...civil(at, zone), ...d }, zone).at : at;
}

/** `UTC+2`, `UTC−3:30`, `UTC`. */
export function offsetName(at: WallUs, zone: Zone): string {
  const offset = offsetUs(at, zone);
  if (offset === 0) return 'UTC';
  const hours = Math.floor(Math.abs(offset) / HOUR_US);
  const minutes = Math.round((Math.abs(offset) % HOUR_US) / MINUTE_US);
  return `UTC${offset < 0 ? '−' : '+'}${hours}${minutes ? `:${String(minutes).padStart(2, '0')}` : ''}`;
}

/** The moments in a range at which the clocks are changed, and by how much. */
export function clockChanges(r: Range, zone: Zone): { at: WallUs; before: number; after: number }[] {
  const found: { at: WallUs; before: number; after: number }[] = [];
  for (let week = Math.floor(r.start / WEEK_US); week * WEEK_US < r.end; week += 1) {
    let [low, high] = [week * quartersPerWeek, (week + 1) * quartersPerWeek];
    const [before, after] = [offsetOfQuarter(low, zone), offsetOfQuarter(high, zone)];
    if (zone === UTC || before === after) continue;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (offsetOfQuarter(middle, zone) === before) low = middle;
      else high = middle;
    }
    const at = wallUs(high * QUARTER_US);
    if (at >= r.start && at < r.end) found.push({ at, before, after });
  }
  return found;
}

/** Whether clocks show this time of day twice that day: then a time needs its offset to be told apart. */
export function isRepeated(at: WallUs, zone: Zone): boolean {
  if (zone === UTC) return false;
  const offset = offsetUs(at, zone);
  const around = [offsetUs(wallUs(at - 3 * HOUR_US), zone), offsetUs(wallUs(at + 3 * HOUR_US), zone)];
  return around.some((other) => {
    if (other === offset) return false;
    const twin = wallUs(at + offset - other);
    return offsetUs(twin, zone) === other;
  });
}
