import type { GapCause } from '../api/types';

/** Whose doing a gap is: what the colour and the hatching say. */
export type GapKind = 'source' | 'recorder' | 'planned';
export const kinds: readonly GapKind[] = ['planned', 'source', 'recorder'];

export function kindOf(cause: GapCause): GapKind {
  switch (cause) {
    case 'source_unreachable':
    case 'source_refused':
    case 'source_silent':
    case 'source_ended':
    case 'source_invalid':
    case 'timestamp_jump':
    case 'codec_change':
    case 'no_publisher':
      return 'source';
    case 'unknown':
    case 'clock_jump':
    case 'disk_full':
    case 'write_failed':
    case 'overload':
    case 'worker_crashed':
    case 'service_killed':
    case 'damaged':
      return 'recorder';
    case 'service_stopped':
    case 'paused':
    case 'not_imported':
    case 'removed':
    case 'erased':
      return 'planned';
  }
}
