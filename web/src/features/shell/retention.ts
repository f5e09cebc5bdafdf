/** Why retention stands still, in the reader's language. */
import type { RetentionStop } from '../../api/types';
import { language, t } from '../../i18n/index.svelte';
import { formatBytes, formatStamp } from '../../time/format';
import type { WallUs } from '../../time/timestamp';
import { settings } from './settings.svelte';

/** `why`: the recorder's own sentence, for a stop that this page does not know. */
export function stopText(stop: RetentionStop, why: string): string {
  const moment = (at: WallUs) => formatStamp(at, settings.zone);
  const bytes = (n: number) => formatBytes(n, language());
  switch (stop.guard) {
    case 'clock_forward':
      return t('retention.clock_forward', { last: moment(stop.last_run_us) });
    case 'clock_backward':
      return t('retention.clock_backward', { last: moment(stop.last_run_us) });
    case 'too_much':
      return stop.accounts
        .map((a) =>
          t('retention.too_much', {
            account: a.account,
            amount: bytes(a.bytes),
            foreseen: bytes(a.forecast_bytes),
          }),
        )
        .join(' ');
    case 'foreign_folder':
      return t('retention.foreign_folder', { detail: stop.detail });
    default:
      return why;
  }
}
