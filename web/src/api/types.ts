/** The shapes of the HTTP API that the web app uses. Times are wall time in microseconds, names end in `_us`. */
import type { WallUs } from '../time/timestamp';

export interface Session {
  user: string;
  account: string;
  language?: string | null;
}

export type StreamKind = 'pull' | 'push' | 'file';
export type StreamState = 'connecting' | 'recording' | 'stalled' | 'backing_off' | 'quarantined' | 'disabled';

export interface Stream {
  id: string;
  account: string;
  title: string;
  /** Without credentials. */
  source: string;
  kind: StreamKind;
  paused: boolean;
  state: StreamState;
  state_detail: string;
  state_since_us: WallUs;
  first_start_us: WallUs | null;
  last_end_us: WallUs | null;
  bytes: number;
  segments: number;
  blocks: number;
  reconnects: number;
  codecs: string | null;
  width: number | null;
  height: number | null;
  has_video: boolean;
  has_audio: boolean;
}

export const gapCauses = [
  'unknown',
  'source_unreachable',
  'source_refused',
  'source_silent',
  'source_ended',
  'source_invalid',
  'timestamp_jump',
  'clock_jump',
  'codec_change',
  'disk_full',
  'write_failed',
  'overload',
  'worker_crashed',
  'service_stopped',
  'service_killed',
  'paused',
  'no_publisher',
  'not_imported',
  'damaged',
  'removed',
] as const;
export type GapCause = (typeof gapCauses)[number];

export interface CoverageRun {
  start_us: WallUs;
  end_us: WallUs;
  /** `null` where several runs were merged because they are finer than the resolution. */
  run: string | null;
}

export interface Gap {
  start_us: WallUs;
  end_us: WallUs;
  cause: GapCause;
  /** One sentence by the recorder, in English; often empty. */
  detail: string;
  ongoing: boolean;
}

export interface Coverage {
  stream: string;
  start_us: WallUs;
  end_us: WallUs;
  resolution_us: number;
  /** The recorder's clock. */
  now_us: WallUs;
  runs: CoverageRun[];
  gaps: Gap[];
}
