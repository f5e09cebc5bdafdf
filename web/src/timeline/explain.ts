/** Words for a moment of the timeline. */
import type { Gap } from '../api/types';
import { duration, language, t } from '../i18n/index.svelte';
import { formatDay, formatExactClock, locale } from '../time/format';
import { DAY_US, type WallUs } from '../time/timestamp';
import { type Zone, dayOf } from '../time/zone';
import type { Fate, Moment, shortGapsAt } from './record';

export interface Words {
  readonly title: string;
  readonly lines: readonly string[];
}

export function explainMoment(moment: Moment, zone: Zone): Words {
  if (moment.kind !== 'gap') return { title: t(`bar.${moment.kind}`), lines: [] };
  const { gap } = moment;
  const lines = [gapSpan(gap, zone)];
  return { title: t(`gap.cause.${gap.cause}`), lines: gap.detail ? [...lines, gap.detail] : lines };
}

/** `10 % of it is missing: the source`. */
export function explainShortGaps(gaps: ReturnType<typeof shortGapsAt>): string[] {
  if (!gaps) return [];
  const percent = new Intl.NumberFormat(locale(language()), { style: 'percent', maximumSignificantDigits: 2 });
  return [t('bar.short_gaps', { share: percent.format(gaps.share), kind: t(`bar.kind.${gaps.kind}`) })];
}

export function explainFate(fate: Fate, zone: Zone): string[] {
  const lines: string[] = [];
  if (fate.held) lines.push(t('bar.held'));
  if (fate.marked) {
    const { due } = fate.marked;
    lines.push(due === null ? t('bar.marked') : t('bar.marked_due', { time: stamp(due, zone) }));
  } else if (fate.leaves !== null && !fate.held) lines.push(t('bar.leaves', { time: stamp(fate.leaves, zone) }));
  return lines;
}

/** `14:01:10 – 14:09:55, 8 min 45 s`, with the days where they are not the same. */
export function gapSpan(gap: Gap, zone: Zone): string {
  const sameDay = dayOf(gap.start_us, zone) === dayOf(gap.end_us, zone);
  const name = (at: WallUs) => (sameDay ? formatExactClock(at, zone) : stamp(at, zone));
  const long = gap.end_us - gap.start_us >= DAY_US;
  const until = gap.ongoing
    ? t('gap.ongoing')
    : long
      ? formatDay(dayOf(gap.end_us, zone), language(), 'short')
      : name(gap.end_us);
  const from = long ? formatDay(dayOf(gap.start_us, zone), language(), 'short') : name(gap.start_us);
  // A length is not torn apart.
  return `${from} – ${until}, ${duration(gap.end_us - gap.start_us).replaceAll(' ', '\u00a0')}`;
}

/** `14:03:22, 3 May 2026`. */
export function stamp(at: WallUs, zone: Zone): string {
  return `${formatExactClock(at, zone)}, ${formatDay(dayOf(at, zone), language(), 'short')}`;
}
