/** Where the timeline writes times, from years to milliseconds, on the clocks and calendars of a zone. */
import type { Language } from '../i18n/language';
import { formatClock, locale } from '../time/format';
import { type Range, range } from '../time/range';
import { type TimeScale, usPerPx } from '../time/scale';
import { DAY_US, HOUR_US, MILLISECOND_US, MINUTE_US, SECOND_US, type WallUs, toMs, wallUs } from '../time/timestamp';
import {
  type Zone,
  civil,
  clockChanges,
  dayOf,
  fromCivil,
  isRepeated,
  offsetName,
  offsetUs,
  shiftDay,
} from '../time/zone';

type Unit = 'clock' | 'day' | 'week' | 'month' | 'year';

interface Step {
  readonly unit: Unit;
  readonly n: number;
  readonly us: number;
  /** Room that a label needs. */
  readonly px: number;
}

export interface Tick {
  readonly at: WallUs;
  /** Empty for a mark between two labels. */
  readonly label: string;
}

/** What a stretch of the ruler belongs to: a day, a month or a year. */
export interface Stretch {
  readonly start: WallUs;
  readonly end: WallUs;
  /** Longest first; the longest that fits is written. */
  readonly labels: readonly string[];
}

export interface Ruler {
  /** What was computed: more than is in view, so that most movements need nothing new. */
  readonly range: Range;
  readonly key: string;
  readonly ticks: readonly Tick[];
  readonly stretches: readonly Stretch[];
  /** Where clocks are changed, `UTC+2 → UTC+1`. */
  readonly changes: readonly Tick[];
}

const clock = (us: number, px: number): Step => ({ unit: 'clock', n: us, us, px });
const steps: readonly Step[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => clock(n * MILLISECOND_US, 100)),
  ...[1, 2, 5, 10, 15, 30].map((n) => clock(n * SECOND_US, 78)),
  ...[1, 2, 5, 10, 15, 30].map((n) => clock(n * MINUTE_US, 62)),
  ...[1, 2, 3, 6, 12].map((n) => clock(n * HOUR_US, 62)),
  { unit: 'day', n: 1, us: DAY_US, px: 56 },
  { unit: 'week', n: 1, us: 7 * DAY_US, px: 62 },
  ...[1, 3].map((n): Step => ({ unit: 'month', n, us: n * 30.4 * DAY_US, px: 48 })),
  ...[1, 2, 5, 10, 20].map((n): Step => ({ unit: 'year', n, us: n * 365.25 * DAY_US, px: 52 })),
];

/** Marks closer together than this are noise. */
const markPx = 8;
/** Clock changes are only worth a word while hours can be told from one another. */
const changesUpToUs = 12 * DAY_US;

/** The ruler for a scale; `before` is given back when it still does. */
export function ruler(scale: TimeScale, zone: Zone, language: Language, before: Ruler | null = null): Ruler {
  const us = usPerPx(scale);
  const labelled = steps.find((step) => step.us / us >= step.px) ?? (steps[steps.length - 1] as Step);
  const marked = markStep(us, labelled);
  const key = `${zone} ${language} ${labelled.unit}${labelled.n} ${marked.unit}${marked.n}`;
  const view = scale.range;
  if (before && before.key === key && before.range.start <= view.start && before.range.end >= view.end) return before;
  const air = (view.end - view.start) * 0.75;
  const wide = range(view.start - air, view.end + air);
  return {
    range: wide,
    key,
    ticks: ticksOf(wide, marked, labelled, zone, language),
    stretches: stretchesOf(wide, labelled, zone, language),
    changes: view.end - view.start > changesUpToUs ? [] : changesOf(wide, zone),
  };
}

/** The finest step with room between its marks whose marks meet those with labels. */
function markStep(us: number, labelled: Step): Step {
  const fits = (step: Step) => step.us / us >= markPx && step.us <= labelled.us && meets(step, labelled);
  return steps.find(fits) ?? labelled;
}

function meets(fine: Step, coarse: Step): boolean {
  if (fine.unit === coarse.unit) return coarse.n % fine.n === 0;
  return fine.unit !== 'week' && (fine.unit !== 'clock' || DAY_US % fine.us === 0);
}

function ticksOf(r: Range, marked: Step, labelled: Step, zone: Zone, language: Language): Tick[] {
  const labels = marked === labelled ? null : new Set<number>(momentsOf(r, labelled, zone));
  return momentsOf(r, marked, zone).map((at) => ({
    at,
    label: labels === null || labels.has(at) ? labelOf(at, labelled, zone, language) : '',
  }));
}

function momentsOf(r: Range, step: Step, zone: Zone): WallUs[] {
  switch (step.unit) {
    case 'clock':
      return clockMoments(r, step.us, zone);
    case 'day':
      return daysOf(r, zone).map((day) => midnightOf(day, zone));
    case 'week':
      return daysOf(r, zone)
        .filter((day) => new Date(`${day}T00:00:00Z`).getUTCDay() === 1)
        .map((day) => midnightOf(day, zone));
    case 'month':
      return monthsOf(r, step.n, zone);
    case 'year':
      return monthsOf(r, step.n * 12, zone);
  }
}

/** Steps of the clock on the wall, so that a 6-hour grid stays on 00, 06, 12, 18 across a change of the clocks. */
function clockMoments(r: Range, stepUs: number, zone: Zone): WallUs[] {
  // Zones are whole quarter hours from UTC, so finer steps are the same everywhere and coarser ones are found among quarters.
  const walkUs = Math.min(stepUs, 15 * MINUTE_US);
  const found: WallUs[] = [];
  for (let us = Math.ceil(r.start / walkUs) * walkUs; us < r.end; us += walkUs) {
    const local = us + offsetUs(us as WallUs, zone);
    if ((((local % DAY_US) + DAY_US) % DAY_US) % stepUs === 0) found.push(wallUs(us));
  }
  return found;
}

function daysOf(r: Range, zone: Zone): string[] {
  const days: string[] = [];
  for (let day = dayOf(r.start, zone); midnightOf(day, zone) < r.end; day = shiftDay(day, 1)) days.push(day);
  return days;
}

function midnightOf(day: string, zone: Zone): WallUs {
  return startOf(Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8)), zone);
}

function startOf(year: number, month: number, day: number, zone: Zone): WallUs {
  return fromCivil({ year, month, day, hour: 0, minute: 0, second: 0, us: 0 }, zone).at;
}

/** Each `n`th month, counted from January of year 0. */
function monthsOf(r: Range, n: number, zone: Zone): WallUs[] {
  const { year, month } = civil(r.start, zone);
  const found: WallUs[] = [];
  for (let m = Math.floor((year * 12 + month - 1) / n) * n; ; m += n) {
    const at = startOf(Math.floor(m / 12), (m % 12) + 1, 1, zone);
    if (at >= r.end) return found;
    found.push(at);
  }
}

function labelOf(at: WallUs, step: Step, zone: Zone, language: Language): string {
  switch (step.unit) {
    case 'clock':
      return clockLabel(at, step.us, zone);
    case 'day':
      return format(at, zone, language, { weekday: 'short', day: 'numeric' });
    case 'week':
      return format(at, zone, language, { day: 'numeric', month: 'short' });
    case 'month':
      return format(at, zone, language, { month: 'short' });
    case 'year':
      return String(civil(at, zone).year);
  }
}

/** `02:30`; in the hour that comes twice `02:30 +2`, with the distance from UTC that tells the two apart. */
function clockLabel(at: WallUs, stepUs: number, zone: Zone): string {
  const precision = stepUs < SECOND_US ? 'millisecond' : stepUs < MINUTE_US ? 'second' : 'minute';
  const label = formatClock(at, zone, precision);
  return isRepeated(at, zone) ? `${label} ${offsetName(at, zone).replace('UTC', '') || 'UTC'}` : label;
}

function stretchesOf(r: Range, labelled: Step, zone: Zone, language: Language): Stretch[] {
  if (labelled.unit === 'clock') {
    const name = (at: WallUs) => [
      format(at, zone, language, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }),
      format(at, zone, language, { weekday: 'short', day: 'numeric', month: 'short' }),
      format(at, zone, language, { day: 'numeric' }),
    ];
    return joined(
      daysOf(r, zone).map((day) => midnightOf(day, zone)),
      r.end,
      name,
    );
  }
  if (labelled.unit === 'day' || labelled.unit === 'week') {
    return joined(monthsOf(r, 1, zone), r.end, (at) => [
      format(at, zone, language, { month: 'long', year: 'numeric' }),
      format(at, zone, language, { month: 'short' }),
    ]);
  }
  return labelled.unit === 'month' ? joined(monthsOf(r, 12, zone), r.end, (at) => [String(civil(at, zone).year)]) : [];
}

function joined(starts: readonly WallUs[], end: WallUs, name: (at: WallUs) => string[]): Stretch[] {
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? end, labels: name(start) }));
}

function changesOf(r: Range, zone: Zone): Tick[] {
  return clockChanges(r, zone).map(({ at }) => ({
    at,
    label: `${offsetName(wallUs(at - 1), zone)} → ${offsetName(at, zone)}`,
  }));
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(at: WallUs, zone: Zone, language: Language, options: Intl.DateTimeFormatOptions): string {
  const key = `${language} ${zone} ${Object.values(options).join(' ')} ${Object.keys(options).length}`;
  let made = formats.get(key);
  if (!made) formats.set(key, (made = new Intl.DateTimeFormat(locale(language), { ...options, timeZone: zone })));
  return made.format(toMs(at));
}
