/** Where the time bar writes times. */
import { type TimeScale, toX, usPerPx } from '../time/scale';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US, type WallUs, wallUs } from '../time/timestamp';
import { formatClock } from '../time/format';
import { type Zone, offsetUs } from '../time/zone';

export interface Tick {
  readonly at: WallUs;
  readonly x: number;
  /** Empty for a mark between two labels. */
  readonly label: string;
}

/** Each divides the next, or a day: marks stay where they are while labels get sparser. */
const stepsUs = [
  ...[1, 5, 10, 30].map((n) => n * SECOND_US),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE_US),
  ...[1, 2, 3, 6, 12, 24].map((n) => n * HOUR_US),
];

/** Labelled steps are at least `labelPx` apart, marks at least an eighth of it. */
export function ticks(scale: TimeScale, zone: Zone, labelPx: number): Tick[] {
  const labelUs = stepFor(scale, labelPx);
  const markUs = stepFor(scale, labelPx / 8);
  const precision = labelUs < MINUTE_US ? 'second' : 'minute';
  const found: Tick[] = [];
  for (const at of multiples(scale, markUs, zone)) {
    const labelled = isMultiple(at, labelUs, zone);
    found.push({ at, x: toX(scale, at), label: labelled ? formatClock(at, zone, precision) : '' });
  }
  return found;
}

function stepFor(scale: TimeScale, px: number): number {
  const least = px * usPerPx(scale);
  return stepsUs.find((step) => step >= least) ?? DAY_US;
}

/** Steps of the clock on the wall, so that a 6-hour grid stays on 00, 06, 12, 18 across a change of the clocks. */
function multiples(scale: TimeScale, stepUs: number, zone: Zone): WallUs[] {
  // Zones are whole quarter hours from UTC, so finer steps are the same everywhere and coarser ones are found among quarters.
  const walkUs = Math.min(stepUs, 15 * MINUTE_US);
  const found: WallUs[] = [];
  for (let us = Math.ceil(scale.range.start / walkUs) * walkUs; us < scale.range.end; us += walkUs) {
    const at = wallUs(us);
    if (isMultiple(at, stepUs, zone)) found.push(at);
  }
  return found;
}

function isMultiple(at: WallUs, stepUs: number, zone: Zone): boolean {
  const local = at + offsetUs(at, zone);
  return (((local % DAY_US) + DAY_US) % DAY_US) % stepUs === 0;
}
