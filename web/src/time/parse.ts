/**
 * What people type to go to a time.
 *
 * `14:03` · `14:03:22` · `14:03:22.5` · `14h03` · `140322` — on the day in view;
 * `2026-05-03 14:03` · `3/5/2026 14:03:22` (day first) · `2026-05-03` — with a day;
 * `2026-05-03T14:03:22Z` · `…+02:00` — exact, whatever the zone in view;
 * `-90s` · `-15m` · `-2h` · `-1d` — before now · `now`.
 */
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US, type WallUs, fromRfc3339, wallUs } from './timestamp';
import { type Day, type Zone, fromCivil, parseDay } from './zone';

export type ParsedTime =
  | { kind: 'time'; at: WallUs; clock: 'once' | 'twice' | 'skipped' }
  | { kind: 'now' }
  | { kind: 'empty' }
  /** Not understood. */
  | { kind: 'unclear' }
  /** Understood, but no clock or calendar shows it: 25:00, 31 February. */
  | { kind: 'impossible' };

export interface ParseContext {
  readonly zone: Zone;
  /** The day that a time alone is on. */
  readonly day: Day;
  readonly now: WallUs;
}

export function parseTime(text: string, context: ParseContext): ParsedTime {
  const typed = text.trim().replace(/\s+/g, ' ');
  if (typed === '') return { kind: 'empty' };
  if (/^(now|live|maintenant|direct)$/i.test(typed)) return { kind: 'now' };
  const ago = /^[-−] ?(\d+(?:[.,]\d+)?) ?(s|m|min|h|d|j)$/i.exec(typed);
  if (ago) return before(context.now, ago[1] ?? '', ago[2] ?? '');
  const exact = fromRfc3339(typed);
  if (exact !== null) return { kind: 'time', at: exact, clock: 'once' };
  return onCalendar(typed, context);
}

const unitsUs: Record<string, number> = {
  s: SECOND_US,
  m: MINUTE_US,
  min: MINUTE_US,
  h: HOUR_US,
  d: DAY_US,
  j: DAY_US,
};

function before(now: WallUs, amount: string, unit: string): ParsedTime {
  const us = Number(amount.replace(',', '.')) * (unitsUs[unit.toLowerCase()] ?? SECOND_US);
  return { kind: 'time', at: wallUs(now - us), clock: 'once' };
}

function onCalendar(typed: string, context: ParseContext): ParsedTime {
  const m = /^(?:(\d{4}-\d\d-\d\d)|(\d{1,2})[/.](\d{1,2})[/.](\d{4}))?(?:[T ,]+|$)?(.*)$/.exec(typed);
  if (!m) return { kind: 'unclear' };
  const [, iso, dayFirst, month, year, rest = ''] = m;
  let day = context.day;
  if (iso) day = iso;
  else if (dayFirst) day = `${year}-${(month ?? '').padStart(2, '0')}-${dayFirst.padStart(2, '0')}`;
  else if (rest !== typed) return { kind: 'unclear' };
  const clock = parseClock(rest.trim(), Boolean(iso ?? dayFirst));
  if (!clock) return { kind: 'unclear' };
  const date = parseDay(day);
  if (!date || clock.hour > 23 || clock.minute > 59 || clock.second > 59) return { kind: 'impossible' };
  const found = fromCivil({ ...date, ...clock }, context.zone);
  return { kind: 'time', at: found.at, clock: found.kind };
}

function parseClock(
  text: string,
  dayGiven: boolean,
): { hour: number; minute: number; second: number; us: number } | null {
  if (text === '') return dayGiven ? { hour: 0, minute: 0, second: 0, us: 0 } : null;
  const m =
    /^(\d{1,2})(?::|h)(\d{2})(?:(?::|m|min)(\d{2})s?(?:[.,](\d{1,6}))?)?$/i.exec(text) ??
    /^(\d{2})(\d{2})(?:(\d{2}))?$/.exec(text) ??
    /^(\d{1,2})h$/i.exec(text);
  if (!m) return null;
  return {
    hour: Number(m[1]),
    minute: Number(m[2] ?? 0),
    second: Number(m[3] ?? 0),
    us: Number((m[4] ?? '').padEnd(6, '0')),
  };
}
