/** Numbers and times as the reader writes them. */
import type { Problem } from '../../api/problem';
import type { Amount, Window } from '../../api/retention';
import { count, duration, language, t } from '../../i18n/index.svelte';
import type { TextKey } from '../../i18n/messages';
import { formatBitrate, formatBytes, formatDay, formatMoment, formatMoney, locale } from '../../time/format';
import { type WallUs } from '../../time/timestamp';
import { type Zone, dayOf } from '../../time/zone';
import { settings } from '../shell/settings.svelte';

export const bytes = (n: number) => formatBytes(n, language());
export const bitrate = (bps: number) => formatBitrate(bps, language());
export const money = (minor: number, currency: string) => formatMoney(minor, currency, language());
export const number = (n: number) => new Intl.NumberFormat(locale(language())).format(n);
export const moment = (at: WallUs) => formatMoment(at, settings.zone, language());
export const exactly = (at: WallUs) => formatMoment(at, settings.zone, language(), 'second');
export const day = (at: WallUs, zone: Zone = settings.zone) => formatDay(dayOf(at, zone), language(), 'short');

/** `3 months`, `without end`. */
export function windowText(window: Window): string {
  return window === 'unlimited' ? t('window.unlimited') : count('window.months', window.months);
}

/** `12 h 4 min, 3.1 GB`. */
export function amountText(amount: Amount): string {
  if (amount.segments === 0) return t('amount.nothing');
  return t('amount.some', { duration: duration(amount.duration_us), bytes: bytes(amount.bytes) });
}

/** Codes that have a sentence of their own; for others the recorder's, in English. */
const known: Record<string, TextKey> = {
  unreachable: 'problem.unreachable',
  forbidden: 'problem.forbidden',
  missing_scope: 'problem.forbidden',
  changed: 'problem.changed',
  quote_outdated: 'problem.quote_outdated',
  stream_exists: 'problem.stream_exists',
  account_exists: 'problem.account_exists',
  user_exists: 'problem.user_exists',
  last_operator: 'problem.last_operator',
  bad_credentials: 'problem.bad_credentials',
  too_many_attempts: 'problem.too_many_attempts',
  held: 'problem.held',
  key_in_use: 'problem.key_in_use',
  retention_running: 'problem.retention_running',
  no_attestation: 'problem.no_attestation',
};

export interface Said {
  readonly text: string;
  /** Of the text, where it is not the page's own. */
  readonly lang?: 'en';
}

export function problemText(problem: Problem): Said {
  const key = known[problem.code];
  if (key) return { text: t(key) };
  return problem.detail ? { text: problem.detail, lang: 'en' } : { text: t('problem.other', { code: problem.code }) };
}
