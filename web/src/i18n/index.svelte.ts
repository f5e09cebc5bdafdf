/** The words of the page in the viewer's language. Reading one in a component follows the language when it changes. */
import { formatDuration, locale } from '../time/format';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US } from '../time/timestamp';
import { type Language } from './language';
import { type Messages, type PluralKey, type TextKey, type Values, fill } from './messages';

/** Each language is a file of its own: nobody fetches the one they do not read. */
const loaders: Record<Language, () => Promise<Messages>> = {
  en: async () => (await import('./en')).en,
  fr: async () => (await import('./fr')).fr,
};

let current = $state<Language>('en');
/** `null` until the first language is there: nothing is shown before. */
let words = $state.raw<Messages | null>(null);
let wanted: Language | null = null;
let latest: Promise<void> = Promise.resolve();

export function language(): Language {
  return current;
}

/** Resolves when the page speaks it, or what was chosen since. Where it cannot be fetched, the page goes on in the one it speaks. */
export function setLanguage(to: Language): Promise<void> {
  if (wanted !== to) {
    wanted = to;
    latest = change(to);
  }
  return latest;
}

async function change(to: Language): Promise<void> {
  const fetched = await loaders[to]().catch(() => null);
  if (wanted !== to) return latest;
  if (!fetched) {
    wanted = null;
    return;
  }
  [current, words] = [to, fetched];
  document.documentElement.lang = to;
}

export function t(key: TextKey, values: Values = {}): string {
  return words ? fill(words[key], values) : key;
}

/** `n` chooses the form and fills `{n}`. */
export function count(key: PluralKey, n: number): string {
  if (!words) return key;
  const form = new Intl.PluralRules(current).select(n) === 'one' ? 'one' : 'other';
  return fill(words[key][form], { n: new Intl.NumberFormat(locale(current)).format(n) });
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
