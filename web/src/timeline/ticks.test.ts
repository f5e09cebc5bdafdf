import { describe, expect, test } from 'vitest';
import { type Range, range } from '../time/range';
import { scale, toX } from '../time/scale';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US, fromRfc3339 } from '../time/timestamp';
import { UTC, clockChanges, dayRange, isRepeated } from '../time/zone';
import { formatExactClock } from '../time/format';
import { ruler } from './ticks';

const PARIS = 'Europe/Paris';

function at(text: string) {
  const t = fromRfc3339(text);
  if (t === null) throw new Error(`not a time: ${text}`);
  return t;
}

/** What is written in view. */
function labels(r: Range, zone = UTC, width = 1000, language: 'en' | 'fr' = 'en'): string[] {
  return ruler(scale(r, width), zone, language)
    .ticks.filter((tick) => tick.label && tick.at >= r.start && tick.at < r.end)
    .map((tick) => tick.label);
}

function stretches(r: Range, zone = UTC, language: 'en' | 'fr' = 'en'): string[] {
  return ruler(scale(r, 1000), zone, language)
    .stretches.filter((stretch) => stretch.end > r.start && stretch.start < r.end)
    .map((stretch) => stretch.labels[0] ?? '');
}

describe('ticks', () => {
  test('of a day are two hours apart on a wide bar and six on a narrow one', () => {
    const day = dayRange('2026-05-03', UTC);
    expect(labels(day).slice(0, 4)).toEqual(['00:00', '02:00', '04:00', '06:00']);
    expect(labels(day, UTC, 336)).toEqual(['00:00', '06:00', '12:00', '18:00']);
  });
  test('stay on the hours of the clock when the clocks change', () => {
    expect(labels(dayRange('2026-03-29', PARIS), PARIS, 336)).toEqual(['00:00', '06:00', '12:00', '18:00']);
  });
  test('tell the hour that comes twice apart', () => {
    const hours = labels(dayRange('2026-10-25', PARIS), PARIS, 2000);
    expect(hours.slice(0, 6)).toEqual(['00:00', '01:00', '02:00 +2', '02:00 +1', '03:00', '04:00']);
    expect(formatExactClock(at('2026-10-25T00:30:00Z'), PARIS)).toBe('02:30:00 UTC+2');
    expect(formatExactClock(at('2026-10-25T01:30:00Z'), PARIS)).toBe('02:30:00 UTC+1');
    expect(formatExactClock(at('2026-10-25T02:30:00Z'), PARIS)).toBe('03:30:00');
    expect(isRepeated(at('2026-03-29T01:00:00Z'), PARIS)).toBe(false);
    expect(isRepeated(at('2026-10-25T00:30:00Z'), UTC)).toBe(false);
  });
  test('say where the clocks are changed', () => {
    const day = dayRange('2026-10-25', PARIS);
    expect(ruler(scale(day, 1000), PARIS, 'en').changes.map((c) => c.label)).toEqual(['UTC+2 → UTC+1']);
    expect(clockChanges(range(at('2026-01-01T00:00:00Z'), at('2027-01-01T00:00:00Z')), PARIS).map((c) => c.at)).toEqual(
      [at('2026-03-29T01:00:00Z'), at('2026-10-25T01:00:00Z')],
    );
  });
  test('of a zone with an odd quarter stand on its own hours', () => {
    expect(labels(dayRange('2026-05-03', 'Asia/Kathmandu'), 'Asia/Kathmandu')[1]).toBe('02:00');
  });
  test('show seconds, then milliseconds when zoomed in', () => {
    const start = at('2026-05-03T14:00:00Z');
    expect(labels(range(start, start + MINUTE_US)).slice(0, 3)).toEqual(['14:00:00', '14:00:05', '14:00:10']);
    expect(labels(range(start, start + SECOND_US)).slice(0, 3)).toEqual([
      '14:00:00.000',
      '14:00:00.100',
      '14:00:00.200',
    ]);
  });
  test('are days, weeks, months and years when zoomed out, in the reader’s words', () => {
    const start = at('2026-05-01T00:00:00Z');
    expect(
      labels(range(start, start + 10 * DAY_US))
        .slice(0, 2)
        .map((l) => l.replace(',', '')),
    ).toEqual(['Fri 1', 'Sat 2']);
    expect(labels(range(start, start + 60 * DAY_US)).slice(0, 2)).toEqual(['4 May', '11 May']);
    expect(labels(range(start, start + 365 * DAY_US)).slice(0, 3)).toEqual(['May', 'Jun', 'Jul']);
    expect(labels(range(start, start + 365 * DAY_US), UTC, 1000, 'fr').slice(0, 3)).toEqual(['mai', 'juin', 'juil.']);
    expect(labels(range(start, start + 12 * 365 * DAY_US)).slice(0, 3)).toEqual(['2027', '2028', '2029']);
  });
  test('begin at midnight of the zone', () => {
    const [first] = ruler(scale(dayRange('2026-05-03', PARIS), 1000), PARIS, 'en').stretches.slice(-1);
    expect(first?.start).toBe(at('2026-05-03T22:00:00Z'));
  });
  test('belong to days, months, years', () => {
    expect(stretches(dayRange('2026-05-03', UTC)).map((l) => l.replace(',', ''))).toEqual(['Sunday 3 May 2026']);
    expect(stretches(dayRange('2026-05-03', UTC), UTC, 'fr')).toEqual(['dimanche 3 mai 2026']);
    const start = at('2026-05-01T00:00:00Z');
    expect(stretches(range(start, start + 40 * DAY_US))).toEqual(['May 2026', 'June 2026']);
    expect(stretches(range(start, start + 700 * DAY_US))).toEqual(['2026', '2027', '2028']);
  });
  test('have room, and are bounded at every zoom', () => {
    for (const zone of [UTC, PARIS]) {
      for (let us = SECOND_US / 2; us < 12 * 365 * DAY_US; us *= 1.37) {
        const s = scale(range(at('2026-05-03T14:00:00Z'), at('2026-05-03T14:00:00Z') + us), 1400);
        const made = ruler(s, zone, 'en');
        expect(made.ticks.length).toBeLessThan(1000);
        const xs = made.ticks.filter((tick) => tick.label).map((tick) => toX(s, tick.at));
        expect(xs.length).toBeGreaterThan(0);
        const apart = xs.slice(1).map((x, i) => x - (xs[i] as number));
        // An hour that comes twice or not at all stands closer to its neighbour.
        expect(Math.min(Infinity, ...apart)).toBeGreaterThan(28);
      }
    }
  });
  test('are computed anew only when they have to', () => {
    const day = dayRange('2026-05-03', PARIS);
    const first = ruler(scale(day, 1000), PARIS, 'en');
    const moved = range(day.start + HOUR_US, day.end + HOUR_US);
    expect(ruler(scale(moved, 1000), PARIS, 'en', first)).toBe(first);
    expect(ruler(scale(moved, 1000), UTC, 'en', first)).not.toBe(first);
    expect(ruler(scale(range(day.start + 2 * DAY_US, day.end + 2 * DAY_US), 1000), PARIS, 'en', first)).not.toBe(first);
  });
});
