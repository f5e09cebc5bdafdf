/**
 * The shapes of the HTTP API that the web app uses, from the recorder's own OpenAPI document: `npm run api` writes
 * `schema.ts` from `tests/data/openapi.json`.
 */
import type { WallUs } from '../time/timestamp';
import type { components } from './schema';

type Schemas = components['schemas'];

/**
 * As generated, but with a type of its own for wall time: every number called `…_us` that is not a length. And what may
 * be null is always there: the document calls it optional, the recorder writes `null`.
 */
export type Timed<T> = T extends readonly (infer Item)[]
  ? Timed<Item>[]
  : T extends object
    ? {
        [K in keyof T]-?: K extends 'resolution_us' | 'missing_us'
          ? T[K]
          : K extends `${string}_us`
            ? Wall<T[K]>
            : Timed<T[K]>;
      }
    : T;
type Wall<T> = T extends number ? WallUs : T;

export type Session = Timed<Schemas['Session']>;

export type Account = Timed<Schemas['Account']>;

export type LinkInfo = Timed<Schemas['LinkInfo']>;

export type Stream = Timed<Schemas['Stream']>;

/** Where retention stands; `stopped` while nothing is deleted until an operator has looked. */
export type RetentionStatus = Timed<Schemas['RetentionStatus']>;
export type RetentionStop = Timed<Schemas['RetentionStop']>;

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
  'erased',
] as const satisfies readonly GapCause[];

/** Does not compile when the recorder knows a cause that the list lacks. */
type Missing = Exclude<GapCause, (typeof gapCauses)[number]>;
export const noCauseIsMissing: [Missing] extends [never] ? true : Missing = true;

/** In time order. `run` is `null` where several runs were merged because they are finer than the resolution. */
export type CoverageRun = Timed<Schemas['RunView']>;

/** In time order. `detail` is one sentence by the recorder, in English, often empty. */
export type Gap = Timed<Schemas['GapView']>;

export type Coverage = Timed<Schemas['CoverageView']>;

/** A range that nothing may prune, with what became of it. */
export type Hold = Timed<Schemas['Hold']>;
export type NewHold = Schemas['NewHold'];
export type PlacedHold = Hold & { readonly rescued_blocks: number; readonly too_late_blocks: number };
export interface ReleasedHold {
  readonly outcome: 'released' | 'asked' | 'needs_another' | 'was_released';
  readonly hold: Hold;
}
export type Forecast = Timed<Schemas['RetentionForecast']>;
