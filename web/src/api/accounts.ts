/** Customers, and what they bought. */
import type { Window } from './retention';
import { json, path } from './client';
import type { components } from './schema';
import type { Timed } from './types';

type Schemas = components['schemas'];
export type Account = Timed<Schemas['Account']>;
export type Subscription = Timed<Schemas['Subscription']>;
export type Quote = Timed<Schemas['Quote']>;
export type Ledger = Timed<Schemas['Ledger']>;

/** What a plan gives under one key. */
export type Grant =
  | { kind: 'boolean'; granted: boolean }
  | { kind: 'static'; value: unknown }
  | { kind: 'metered'; limit: number | null; per: 'month' };

export interface Plan {
  name: string;
  version: number;
  title: { en: string; fr: string };
  rank: number;
  fee_minor: number;
  currency: string;
  grants: Record<string, Grant>;
}

/** What an account has now, under one key. */
export interface Entitled {
  has_access: boolean;
  kind: 'boolean' | 'static' | 'metered';
  value?: unknown;
  limit?: number;
  used?: number;
  balance?: number;
  resets_at_us?: number;
}

export interface NewAccount {
  id: string;
  name: string;
  zone: string;
  language: string;
  plan: string;
  term_months: number;
  renews: boolean;
  release_needs_second: boolean;
}
export interface AccountChange {
  name?: string;
  zone?: string;
  language?: string;
  release_needs_second?: boolean;
}

const subscription = (account: string, ...more: string[]) => path('accounts', account, 'subscription', ...more);

export const accountsApi = {
  all: () => json<{ accounts: Account[] }>('accounts'),
  one: (id: string) => json<Account>(path('accounts', id)),
  add: (body: NewAccount) => json<Account>('accounts', { method: 'POST', body }),
  change: (id: string, body: AccountChange) => json<Account>(path('accounts', id), { method: 'PATCH', body }),
  entitlements: (id: string) => json<{ entitlements: Record<string, Entitled> }>(path('accounts', id, 'entitlements')),
  ledger: (id: string) => json<Ledger>(path('accounts', id, 'ledger')),

  plans: () => json<{ plans: Plan[] }>('plans'),
  addPlan: (body: Plan) => json<Plan>('plans', { method: 'POST', body }),

  subscription: (id: string) => json<Subscription>(subscription(id)),
  quote: (id: string, plan: string) => json<Quote>(subscription(id, 'quote'), { method: 'POST', body: { plan } }),
  upgrade: (id: string, quote: Quote, words: string) =>
    json<Subscription>(subscription(id, 'upgrade'), {
      method: 'POST',
      body: {
        plan: quote.to.plan,
        plan_version: quote.to.plan_version,
        version: quote.version,
        quoted_at_us: quote.quoted_at_us,
        words,
      },
    }),
  downgrade: (id: string, plan: string, version: number, words: string) =>
    json<Subscription>(subscription(id, 'downgrade'), { method: 'POST', body: { plan, version, words } }),
  cancelDowngrade: (id: string, version: number, words: string) =>
    json<Subscription>(subscription(id, 'downgrade', 'cancel'), { method: 'POST', body: { version, words } }),
  renew: (id: string, renews: boolean, version: number, words: string) =>
    json<Subscription>(subscription(id), { method: 'PATCH', body: { renews, version, words } }),
};

/** How long footage stays on a plan; what cannot be read keeps everything, as the recorder does. */
export function windowOf(plan: Plan): Window {
  const grant = plan.grants['retroview.window'];
  const value = grant?.kind === 'static' ? grant.value : 'unlimited';
  const months = typeof value === 'object' && value !== null ? (value as { months?: unknown }).months : undefined;
  return typeof months === 'number' ? { months } : 'unlimited';
}
