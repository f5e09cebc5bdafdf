/** Times, days and lengths as people read them. Clocks are always 24 hours: a recorder's a.m. is an accident. */
import type { Language } from '../i18n/language';
import { HOUR_US, MINUTE_US, SECOND_US, type WallUs } from './timestamp';
import { type Day, type Zone, civil, dayOf, isRepeated, offsetName, parseDay } from './zone';

export type Precision = 'minute' | 'second' | 'millisecond';

/** `14:03`, `14:03:22` or `14:03:22.250`. */
export function formatClock(at: WallUs, zone: Zone, precision: Precision = 'second'): string {
  const c = civil(at, zone);
  const minutes = `${two(c.hour)}:${two(c.minute)}`;
  if (precision === 'minute') return minutes;
  const seconds = `${minutes}:${two(c.second)}`;
  return precision === 'second' ? seconds : `${seconds}.${String(Math.floor(c.us / 1000)).padStart(3, '0')}`;
}

/** As `formatClock`, and in the hour that comes twice with the offset that tells the two apart: `02:30:00 UTC+2`. */
export function formatExactClock(at: WallUs, zone: Zone, precision: Precision = 'second'): string {
  const clock = formatClock(at, zone, precision);
  return isRepeated(at, zone) ? `${clock} ${offsetName(at, zone)}` : clock;
}

/** `2026-05-03 14:03:22`: sortable, the same in every language, accepted by the time field. */
export function formatStamp(at: WallUs, zone: Zone): string {
  const c = civil(at, zone);
  return `${c.year}-${two(c.month)}-${two(c.day)} ${formatClock(at, zone)}`;
}

/** `3 May 2026, 14:03`, `3 mai 2026, 14:03`: for people to read, not to type. */
export function formatMoment(at: WallUs, zone: Zone, language: Language, precision: Precision = 'minute'): string {
  return `${formatDay(dayOf(at, zone), language, 'short')}, ${formatClock(at, zone, precision)}`;
}

/** `Sunday 3 May 2026`, `dimanche 3 mai 2026`. */
export function formatDay(day: Day, language: Language, length: 'long' | 'short' = 'long'): string {
  const d = parseDay(day);
  if (!d) return day;
  const options: Intl.DateTimeFormatOptions =
    length === 'long'
      ? { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }
      : { day: 'numeric', month: 'short', year: 'numeric' };
  return new Intl.DateTimeFormat(locale(language), { ...options, timeZone: 'UTC' }).format(
    Date.UTC(d.year, d.month - 1, d.day, 12),
  );
}

/** `0.4 s`, `42 s`, `4 min 12 s`, `2 h 05 min`, `3 d 4 h`: two units at most, rounded down. */
export function formatDuration(us: number, language: Language): string {
  const s = us / SECOND_US;
  if (s < 10)
    return `${new Intl.NumberFormat(locale(language), { maximumFractionDigits: 1 }).format(Math.max(0, s))} s`;
  if (us < MINUTE_US) return `${Math.floor(s)} s`;
  if (us < HOUR_US) return pair(Math.floor(us / MINUTE_US), 'min', Math.floor(s) % 60, 's');
  const hours = Math.floor(us / HOUR_US);
  if (hours < 48) return pair(hours, 'h', Math.floor(us / MINUTE_US) % 60, 'min');
  return pair(Math.floor(hours / 24), language === 'fr' ? 'j' : 'd', hours % 24, 'h');
}

/** `1.4 GB`, `1,4 Go`. */
export function formatBytes(bytes: number, language: Language): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return new Intl.NumberFormat(locale(language), {
    style: 'unit',
    unit: units[step] ?? 'byte',
    maximumFractionDigits: value < 10 && step > 0 ? 1 : 0,
  }).format(value);
}

/** `2.1 Mb/s`, `2,1 Mbit/s`. */
export function formatBitrate(bitsPerSecond: number, language: Language): string {
  const mega = bitsPerSecond >= 1e6;
  const value = bitsPerSecond / (mega ? 1e6 : 1e3);
  return new Intl.NumberFormat(locale(language), {
    style: 'unit',
    unit: mega ? 'megabit-per-second' : 'kilobit-per-second',
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}

/** `€12.50`, `12,50 €`: from minor units, as many as the currency has. */
export function formatMoney(minor: number, currency: string, language: Language): string {
  const format = new Intl.NumberFormat(locale(language), { style: 'currency', currency });
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** `en-GB` rather than `en`: days before months, as everywhere else on the page. */
export function locale(language: Language): string {
  return language === 'fr' ? 'fr-FR' : 'en-GB';
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function pair(a: number, unitA: string, b: number, unitB: string): string {
  return b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
}
