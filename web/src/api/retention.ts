/** How long footage stays, and what proves it. */
import type { WallUs } from '../time/timestamp';
import { json, path, query } from './client';
import type { components } from './schema';
import type { Timed } from './types';

type Schemas = components['schemas'];
export type RetentionOverview = Timed<Schemas['RetentionOverview']>;
export type StreamRetention = Timed<Schemas['StreamRetention']>;
export type Amount = Schemas['FootageAmount'];
export type Window = Schemas['RetentionWindow'];
export type Forecast = Timed<Schemas['RetentionForecast']>;
export type RetentionRun = Timed<Schemas['RetentionRun']>;
export type Receipt = Timed<Schemas['Receipt']>;
export type Erasure = Timed<Schemas['Erasure']>;
export type ErasureDetail = Timed<Schemas['ErasureDetail']>;
export type AskedErasure = Timed<Schemas['AskedErasure']>;
export type Going = Timed<Schemas['GoingView']>;
export type HoldRow = Timed<Schemas['Hold']>;

/** "What if": each change alone, or together. */
export interface Change {
  at?: string;
  plan?: string;
  cap_hours?: number;
  released?: number;
  stream?: string;
}

export interface NewErasure {
  stream?: string;
  account?: string;
  start?: string;
  end?: string;
  all?: boolean;
  reason: string;
  asked_by: string;
  dry_run?: boolean;
}

/** Stored bytes by day (UTC), by stream, and what they will come to. */
export type StorageHistory = Schemas['Storage'];

/** A receipt as it was signed; what the page reads of it. */
export interface SignedReceipt {
  readonly kind: string;
  readonly made_us?: WallUs;
  readonly [member: string]: unknown;
}

/** Erasing looks through every block that it touches before it answers. */
const erasurePatienceMs = 120_000;

export const retentionApi = {
  overview: (account: string) => json<RetentionOverview>(path('accounts', account, 'retention')),
  forecast: (account: string, change: Change) =>
    json<Forecast>(`${path('accounts', account, 'retention', 'forecast')}?${query({ ...change })}`),
  run: (dry: boolean) => json<RetentionRun>('retention/run', { method: 'POST', body: { dry_run: dry } }),
  storage: (account: string, days: number) =>
    json<StorageHistory>(`${path('accounts', account, 'storage')}?${query({ days })}`),
  receipts: (account: string, before?: number) =>
    json<{ receipts: Receipt[] }>(`receipts?${query({ account, before })}`),
  receipt: (id: number) => json<SignedReceipt>(path('receipts', id)),
  erasures: (account: string, before?: number) =>
    json<{ erasures: Erasure[] }>(`erasures?${query({ account, before })}`),
  erasure: (id: number) => json<ErasureDetail>(path('erasures', id)),
  erase: (body: NewErasure) =>
    json<AskedErasure>('erasures', { method: 'POST', body, signal: AbortSignal.timeout(erasurePatienceMs) }),
  holds: (account: string) => json<{ holds: HoldRow[] }>(path('accounts', account, 'holds')),
};
