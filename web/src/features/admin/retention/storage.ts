/** A history and its forecast as two lines that meet. Pure. */
import type { StorageHistory } from '../../../api/retention';
import type { Day } from '../../../time/zone';

export interface StorageLines {
  readonly days: readonly Day[];
  readonly stored: readonly (number | null)[];
  readonly forecast: readonly (number | null)[];
}

export function storageLines(history: StorageHistory): StorageLines {
  const past = [...history.days].sort((a, b) => a.day.localeCompare(b.day));
  const last = past.at(-1);
  const ahead = history.forecast
    .filter((f) => last === undefined || f.day > last.day)
    .sort((a, b) => a.day.localeCompare(b.day));
  return {
    days: [...past, ...ahead].map((d) => d.day),
    stored: [...past.map((d) => d.stored_bytes), ...ahead.map(() => null)],
    // The forecast begins where the history ends, so that there is no hole between them.
    forecast: [
      ...past.map((d) => (d === last && ahead.length > 0 ? d.stored_bytes : null)),
      ...ahead.map((d) => d.stored_bytes),
    ],
  };
}
