/** Words for a moment of the time bar. */
import type { Gap } from '../../api/types';
import { duration, t } from '../../i18n/index.svelte';
import { formatClock } from '../../time/format';
import type { Zone } from '../../time/zone';
import type { Moment } from '../../timeline/record';

export function explainMoment(moment: Moment, zone: Zone): { title: string; lines: string[] } {
  switch (moment.kind) {
    case 'gap':
      return { title: t(`gap.cause.${moment.gap.cause}`), lines: [gapSpan(moment.gap, zone)] };
    case 'footage':
      return { title: t('bar.footage'), lines: [] };
    case 'before':
      return { title: t('bar.before'), lines: [] };
    case 'future':
      return { title: t('bar.future'), lines: [] };
    case 'arriving':
      return { title: t('bar.arriving'), lines: [] };
    case 'unknown':
      return { title: t('bar.unknown'), lines: [] };
  }
}

/** `14:01:10 – 14:09:55, 8 min 45 s`. */
export function gapSpan(gap: Gap, zone: Zone): string {
  const until = gap.ongoing ? t('gap.ongoing') : formatClock(gap.end_us, zone);
  return `${formatClock(gap.start_us, zone)} – ${until}, ${duration(gap.end_us - gap.start_us)}`;
}
