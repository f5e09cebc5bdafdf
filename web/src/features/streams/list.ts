/** Which streams of a long list are shown, and in which order. */
import type { Stream } from '../../api/types';
import { language } from '../../i18n/index.svelte';
import { locale } from '../../time/format';
import { shownState } from './state';

export function named(stream: Stream): string {
  return stream.title || stream.id;
}

/** States as people choose them; the one that needs somebody first. */
export const stateGroups = ['trouble', 'recording', 'paused', 'other'] as const;
export type StateGroup = (typeof stateGroups)[number];

export function groupOf(stream: Stream): StateGroup {
  const { key, tone } = shownState(stream);
  if (tone === 'bad') return 'trouble';
  if (key === 'state.recording') return 'recording';
  return key === 'state.paused' ? 'paused' : 'other';
}

/** By name, as the reader's language sorts, numbers by value. */
export function found(streams: readonly Stream[], text: string, state: string): Stream[] {
  const order = new Intl.Collator(locale(language()), { numeric: true, sensitivity: 'base' });
  const wanted = text.trim().toLowerCase();
  return streams
    .filter((s) => state === '' || groupOf(s) === state)
    .filter((s) => `${s.title} ${s.id}`.toLowerCase().includes(wanted))
    .sort((a, b) => order.compare(named(a), named(b)));
}
