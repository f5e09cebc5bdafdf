/** The words of the page in the viewer's language. Reading one in a component follows the language when it changes. */
import { formatDuration, locale } from '../time/format';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US } from '../time/timestamp';
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

/** `just now`, `40 s ago`, `4 min ago`, `3 d ago`: one unit, because a text that changes all the time is only restless. */
export function ago(us: number): string {
  if (us < 20 * SECOND_US) return t('ago.now');
  const step =
    [
      { from: 2 * DAY_US, us: DAY_US },
      { from: 2 * HOUR_US, us: HOUR_US },
      { from: MINUTE_US, us: MINUTE_US },
    ].find(({ from }) => us >= from)?.us ?? 10 * SECOND_US;
  return t('ago.past', { duration: duration(us - (us % step)) });
}
