/** The installation itself. */
import { json, path } from './client';
import type { components } from './schema';
import type { Timed } from './types';

type Schemas = components['schemas'];
export type SigningKey = Timed<Schemas['SigningKey']>;

export type SystemState = Timed<Schemas['System']>;
export type SetupState = Schemas['Setup'];

export const systemApi = {
  state: () => json<SystemState>('system'),
  setup: () => json<SetupState>('setup'),
  setupDone: () => json<null>('setup/done', { method: 'POST' }),
  keys: () => json<{ keys: SigningKey[] }>('signing-keys'),
  rotateKey: () => json<{ keys: SigningKey[] }>('signing-keys', { method: 'POST' }),
  removeKey: (id: number) => json<null>(path('signing-keys', id), { method: 'DELETE' }),
};
