/**
 * The shapes of the HTTP API that the web app uses, from the recorder's own OpenAPI document: `npm run api` writes
 * `schema.ts` from `tests/data/openapi.json`.
 */
import type { WallUs } from '../time/timestamp';
import type { components } from './schema';

type Schemas = components['schemas'];

/** As generated, but with a type of its own for wall time: every number called `…_us` that is not a length. */
type Timed<T> = T extends readonly (infer Item)[]
  ? Timed<Item>[]
  : T extends object
    ? { [K in keyof T]: K extends 'resolution_us' ? T[K] : K extends `${string}_us` ? Wall<T[K]> : Timed<T[K]> }
    : T;
type Wall<T> = T extends number ? WallUs : T;

export type Session = Schemas['Session'];

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

export type GapCause = Schemas['GapCause'];
/** All of them: a message must exist for each. */
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
] as const satisfies readonly GapCause[];

/** Does not compile when the recorder knows a cause that the list lacks. */
type Missing = Exclude<GapCause, (typeof gapCauses)[number]>;
export const noCauseIsMissing: [Missing] extends [never] ? true : Missing = true;

/** In time order. `run` is `null` where several runs were merged because they are finer than the resolution. */
export type CoverageRun = Timed<Schemas['RunView']>;

/** In time order. `detail` is one sentence by the recorder, in English, often empty. */
export type Gap = Timed<Schemas['GapView']>;

export type Coverage = Timed<Schemas['CoverageView']>;
