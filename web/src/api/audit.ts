/** The log of who did what. */
import type { WallUs } from '../time/timestamp';
import { json, query } from './client';
import type { components } from './schema';
import type { Timed } from './types';

export type AuditRecord = Timed<components['schemas']['AuditRecord']>;
export type AuditPage = Timed<components['schemas']['AuditPage']>;

export interface AuditQuestion {
  account?: string;
  person?: string;
  stream?: string;
  act?: string;
  start?: string;
  end?: string;
  before?: number;
  limit?: number;
}

/** When the chain was last gone through, and what was found. */
export interface Verification {
  verified_at_us: WallUs | null;
  records: number | null;
  ok: boolean | null;
  first_bad?: { n: number; why: string } | null;
  checkpoint_at_us?: WallUs | null;
  running?: boolean;
}

/** Going through millions of records takes a while. */
const verifyPatienceMs = 180_000;

export const auditApi = {
  /** Newest first. */
  records: (asked: AuditQuestion) => json<AuditPage>(`audit?${query({ order: 'desc', ...asked })}`),
  exportUrl: (asked: AuditQuestion) => new URL(`v1/audit/export?${query({ ...asked })}`, document.baseURI).href,
  verification: () => json<Verification>('audit/verification'),
  verify: () =>
    json<Verification>('audit/verification', { method: 'POST', signal: AbortSignal.timeout(verifyPatienceMs) }),
  checkpoint: () => json<Record<string, unknown>>('audit/checkpoints', { method: 'POST' }),
};
