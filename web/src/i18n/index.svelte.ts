/** The words of the page in the viewer's language. Reading one in a component follows the language when it changes. */
import { formatDuration, locale } from '../time/format';
import { MINUTE_US, SECOND_US } from '../time/timestamp';
import { en } from './en';
import { fr } from './fr';
import { type Language } from './language';
import { type Messages, type PluralKey, type TextKey, type Values, fill } from './messages';

const messages: Record<Language, Messages> = { en, fr };

let current = $state<Language>('en');

export function language(): Language {
  return current;
}

export function setLanguage(to: Language): void {
  current = to;
  document.documentElement.lang = to;
}

export function t(key: TextKey, values: Values = {}): string {
  return fill(messages[current][key], values);
}

/** `n` chooses the form and fills `{n}`. */
export function count(key: PluralKey, n: number): string {
  const form = new Intl.PluralRules(current).select(n) === 'one' ? 'one' : 'other';
  return fill(messages[current][key][form], { n: new Intl.NumberFormat(locale(current)).format(n) });
}

export function duration(us: number): string {
  return formatDuration(us, current);
}

/** `just now`, `4 min ago`. Whole minutes past the first: a text that changes each second is only restless. */
export function ago(us: number): string {
  if (us < 20 * SECOND_US) return t('ago.now');
  const rounded =
    us < MINUTE_US ? Math.floor(us / (10 * SECOND_US)) * 10 * SECOND_US : Math.floor(us / MINUTE_US) * MINUTE_US;
  return t('ago.past', { duration: duration(rounded) });
}
