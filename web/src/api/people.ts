/** Who there is: users, their sessions, tokens of programs. */
import { json, path, query } from './client';
import type { components } from './schema';
import type { Timed } from './types';

type Schemas = components['schemas'];
export type User = Timed<Schemas['User']>;
export type OneTimeLink = Timed<Schemas['OneTimeLink']>;
export type InvitedUser = Timed<Schemas['InvitedUser']>;
export type BrowserSession = Timed<Schemas['BrowserSession']>;
export type Token = Timed<Schemas['Token']>;
export type FreshToken = Timed<Schemas['FreshToken']>;

export interface NewUser {
  name: string;
  role: string;
  streams: string[];
  language?: string;
}
export interface UserChange {
  role?: string;
  streams?: string[];
  language?: string;
  disabled?: boolean;
}
export interface NewToken {
  account: string;
  name: string;
  role?: string;
  scopes?: string[];
  streams: string[];
  expires_in_s?: number;
}

const user = (account: string, name: string, ...more: string[]) => path('accounts', account, 'users', name, ...more);

export const peopleApi = {
  users: (account: string, after?: string) =>
    json<{ users: User[] }>(`${path('accounts', account, 'users')}?${query({ after })}`),
  invite: (account: string, body: NewUser) =>
    json<InvitedUser>(path('accounts', account, 'users'), { method: 'POST', body }),
  change: (account: string, name: string, body: UserChange) =>
    json<User>(user(account, name), { method: 'PATCH', body }),
  remove: (account: string, name: string) => json<null>(user(account, name), { method: 'DELETE' }),
  link: (account: string, name: string) => json<OneTimeLink>(user(account, name, 'link'), { method: 'POST' }),
  sessions: (account: string, name: string) => json<{ sessions: BrowserSession[] }>(user(account, name, 'sessions')),
  endSession: (account: string, name: string, id: string) =>
    json<null>(user(account, name, 'sessions', id), { method: 'DELETE' }),
  endSessions: (account: string, name: string) => json<null>(user(account, name, 'sessions'), { method: 'DELETE' }),

  ownSessions: () => json<{ sessions: BrowserSession[] }>('sessions'),
  endOwnSession: (id: string) => json<null>(path('sessions', id), { method: 'DELETE' }),
  endOtherSessions: () => json<null>('sessions', { method: 'DELETE' }),
  changePassword: (current: string, password: string) =>
    json<null>('session/password', { method: 'PUT', body: { current, password } }),

  tokens: (account: string) => json<{ tokens: Token[] }>(`tokens?${query({ account })}`),
  makeToken: (body: NewToken) => json<FreshToken>('tokens', { method: 'POST', body }),
  revokeToken: (id: string) => json<null>(path('tokens', id), { method: 'DELETE' }),
};
