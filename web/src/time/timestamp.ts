/**
 * Wall time as the recorder counts it: whole microseconds since the Unix epoch, UTC.
 *
 * A branded number, so that seconds, milliseconds and media time cannot be passed where wall time is meant. A double
 * holds whole microseconds exactly until the year 2255.
 */
export type WallUs = number & { readonly __unit: 'wall microseconds' };

export const MILLISECOND_US = 1_000;
export const SECOND_US = 1_000_000;
export const MINUTE_US = 60 * SECOND_US;
export const HOUR_US = 60 * MINUTE_US;
export const DAY_US = 24 * HOUR_US;

export function wallUs(us: number): WallUs {
  return Math.round(us) as WallUs;
}

export function fromMs(ms: number): WallUs {
  return wallUs(ms * MILLISECOND_US);
}

export function toMs(at: WallUs): number {
  return at / MILLISECOND_US;
}

export function shift(at: WallUs, byUs: number): WallUs {
  return wallUs(at + byUs);
}

/** RFC 3339 in UTC with all six decimals, as `start=`, `end=` and `at=` take it: `2026-05-03T14:00:00.250000Z`. */
export function toRfc3339(at: WallUs): string {
  const seconds = Math.floor(at / SECOND_US);
  const us = at - seconds * SECOND_US;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(us).padStart(6, '0')}Z`;
}

/** The shortest RFC 3339 form, for addresses people see: no decimals where there are none. */
export function toShortRfc3339(at: WallUs): string {
  return toRfc3339(at).replace(/\.?0*Z$/, 'Z');
}

/** Reads RFC 3339 with any number of decimals (past six they are cut off). `null` when it is something else. */
export function fromRfc3339(text: string): WallUs | null {
  const m = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,18}))?(Z|z|[+-]\d\d:\d\d)$/.exec(text);
  if (!m) return null;
  const ms = Date.parse(`${m[1]}T${m[2]}${m[4]?.toUpperCase()}`);
  if (Number.isNaN(ms)) return null;
  return wallUs(ms * MILLISECOND_US + Number((m[3] ?? '').slice(0, 6).padEnd(6, '0')));
}
