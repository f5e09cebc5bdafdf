/** The installation itself. */
import type { WallUs } from '../time/timestamp';
import type { Verification } from './audit';
import { json, path } from './client';
import type { components } from './schema';
import type { RetentionStatus, Timed } from './types';

export type SigningKey = Timed<components['schemas']['SigningKey']>;

export interface SystemState {
  version: string;
  started_at_us: WallUs;
  uptime_s: number;
  /** `null`: the media folder is not there. */
  disk: { total_bytes: number; free_bytes: number; min_free_bytes: number } | null;
  database_bytes: number;
  workers: { alive: number; deaths: number; not_recording: 'no_workers' | 'stopping' | null };
  streams: Record<string, number>;
  retention: RetentionStatus;
  checkpoint_at_us: WallUs | null;
  audit: Verification;
  erasures_running: number;
  exports_running?: number;
}

export interface SetupState {
  needed: boolean;
  steps: { password: boolean; account: boolean; stream: boolean };
}

export const systemApi = {
  state: () => json<SystemState>('system'),
  setup: () => json<SetupState>('setup'),
  setupDone: () => json<null>('setup/done', { method: 'POST' }),
  keys: () => json<{ keys: SigningKey[] }>('signing-keys'),
  rotateKey: () => json<{ keys: SigningKey[] }>('signing-keys', { method: 'POST' }),
  removeKey: (id: number) => json<null>(path('signing-keys', id), { method: 'DELETE' }),
};
