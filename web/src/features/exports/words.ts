import type { ExportState } from '../../api/keep';
import type { TextKey } from '../../i18n/messages';

const keys = {
  waiting: 'exports.state.waiting',
  running: 'exports.state.running',
  done: 'exports.state.done',
  failed: 'exports.state.failed',
  cancelled: 'exports.state.cancelled',
} as const satisfies Record<ExportState, TextKey>;

export function stateKey(state: ExportState): TextKey {
  return keys[state];
}
