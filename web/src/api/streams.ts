/** Streams as those see them who look after them. */
import { json, path, query } from './client';
import type { Result } from './problem';
import type { WallUs } from '../time/timestamp';
import type { components } from './schema';
import type { Stream, Timed } from './types';

export interface NewStream {
  id: string;
  source: string;
  title?: string;
  account?: string;
}

type Schemas = components['schemas'];
/** What a connection test found. */
export type Probe = Timed<Schemas['Probe']>;
export type ProbedTrack = Timed<Schemas['ProbedTrack']>;

/** A source may take its time before the first keyframe: more than other requests. */
const probePatienceMs = 45_000;

export const streamsApi = {
  all: async (): Promise<Result<Stream[]>> => {
    const answer = await json<{ streams: Stream[] }>('streams?removed=1');
    return answer.ok ? { ok: true, value: answer.value.streams } : answer;
  },
  probe: (body: { source: string; account?: string; stream?: string }) =>
    json<Probe>('streams/probe', { method: 'POST', body, signal: AbortSignal.timeout(probePatienceMs) }),
  add: (body: NewStream) => json<Stream>('streams', { method: 'POST', body }),
  change: (id: string, body: { title?: string; source?: string }) =>
    json<Stream>(path('streams', id), { method: 'PATCH', body }),
  pause: (id: string) => json<Stream>(path('streams', id, 'pause'), { method: 'POST' }),
  resume: (id: string) => json<Stream>(path('streams', id, 'resume'), { method: 'POST' }),
  remove: (id: string) => json<null>(path('streams', id), { method: 'DELETE' }),
  restore: (id: string) => json<Stream>(path('streams', id, 'restore'), { method: 'POST' }),
  setCap: (id: string, hours: number | null) =>
    json<null>(path('streams', id, 'cap'), { method: 'PUT', body: { hours } }),
  attestation: (id: string, date?: string) =>
    json<Attestation>(`${path('streams', id, 'attestation')}?${query({ date })}`),
};

/** The signed statement of a day, as it was signed; what the page reads of it. */
export interface Attestation {
  readonly stream: string;
  readonly day: string;
  readonly at_us: WallUs;
  readonly window_start_us: WallUs;
  readonly window_end_us: WallUs;
  readonly present_us: number;
  readonly gaps_us: Readonly<Record<string, number>>;
  readonly pruned_us: number;
  readonly unexplained_us: number;
  readonly key: string;
  readonly signature: string;
}
