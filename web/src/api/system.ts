/** The installation itself. */
import type { WallUs } from '../time/timestamp';
import { json, path } from './client';
import type { components } from './schema';
import type { Timed } from './types';

export type SigningKey = Timed<components['schemas']['SigningKey']>;

export interface SystemState {
  version: string;
  started_at_us?: WallUs;
  uptime_s: number;
  disk: { total_bytes: number; free_bytes: number; min_free_bytes: number };
  database_bytes: number;
  workers: { alive: number; restarts: number };
  streams: Record<string, number>;
  retention: { last_run_us: WallUs | null; stopped: string | null };
  last_checkpoint_us: WallUs | null;
  erasures_running: number;
  exports_running: number;
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
