/** The log of who did what. */
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
export type Verification = Timed<components['schemas']['AuditVerification']>;

export const auditApi = {
  /** Newest first. */
  records: (asked: AuditQuestion) => json<AuditPage>(`audit?${query({ order: 'desc', ...asked })}`),
  exportUrl: (asked: AuditQuestion) => new URL(`v1/audit/export?${query({ ...asked })}`, document.baseURI).href,
  verification: () => json<Verification>('audit/verification'),
  /** It goes on by itself; asking again says when it is over. */
  verify: () => json<Verification>('audit/verification', { method: 'POST' }),
  checkpoint: () => json<Record<string, unknown>>('audit/checkpoints', { method: 'POST' }),
};
