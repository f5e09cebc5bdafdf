/**
 * The one place that sends requests to the recorder. Every answer is a `Result`; nothing here throws. The routes of one
 * room of the page are in a file of their own beside this one, made of `json`, `path` and `query`.
 */
import { type Range } from '../time/range';
import { type WallUs, toRfc3339 } from '../time/timestamp';
import { hearDate } from './clock';
import { type Problem, type Result, problemOf } from './problem';
import type { Coverage, LinkInfo, RetentionStatus, Session, Stream } from './types';

/** Relative, so that the app works below any path. */
export const base = new URL('v1/', globalThis.document?.baseURI ?? 'http://localhost/').href;

/** A request that takes longer has failed: the recorder answers in milliseconds or waits in vain. */
const patienceMs = 20_000;

export const api = {
  session: () => json<Session>('session'),
  signIn: (user: string, password: string) => json<Session>('session', { method: 'POST', body: { user, password } }),
  signOut: () => json<null>('session', { method: 'DELETE' }),
  /** What a one-time link is for. In the body, not in the address: no log has it. */
  link: (link: string) => json<LinkInfo>('links/show', { method: 'POST', body: { link } }),
  useLink: (link: string, password: string) =>
    json<{ user: string }>('links/use', { method: 'POST', body: { link, password } }),
  /** Where retention stands: for those who see to the installation. */
  retention: () => json<RetentionStatus>('retention'),
  confirmRetention: () => json<RetentionStatus['stopped']>('retention/confirm', { method: 'POST' }),
  streams: async (): Promise<Result<Stream[]>> => {
    const answer = await json<{ streams: Stream[] }>('streams');
    return answer.ok ? { ok: true, value: answer.value.streams } : answer;
  },
  stream: (id: string) => json<Stream>(`streams/${encodeURIComponent(id)}`),
  coverage: (id: string, r: Range, resolutionS?: number, signal?: AbortSignal) =>
    json<Coverage>(
      `streams/${encodeURIComponent(id)}/coverage?${query({
        start: toRfc3339(r.start),
        end: toRfc3339(r.end),
        ...(resolutionS ? { resolution: String(resolutionS) } : {}),
      })}`,
      signal ? { signal } : {},
    ),
};

/** The picture at a time (`null`: the newest). Same address, same picture: the browser may keep it. */
export function frameUrl(id: string, at: WallUs | null, width?: number): string {
  return streamUrl(id, 'frame.jpg', { ...moment(at), ...(width ? { width: String(width) } : {}) });
}

/** The keyframe at or before a time, as a file of one frame. */
export function frameMp4Url(id: string, at: WallUs | null): string {
  return streamUrl(id, 'frame.mp4', moment(at));
}

function moment(at: WallUs | null): Record<string, string> {
  return at === null ? {} : { at: toRfc3339(at) };
}

export function clipUrl(id: string, r: Range): string {
  return streamUrl(id, 'clip.mp4', { start: toRfc3339(r.start), end: toRfc3339(r.end) });
}

/** Without an end the playlist grows with the recording. */
export function playlistUrl(id: string, start: WallUs, end: WallUs | null): string {
  return streamUrl(id, 'media.m3u8', { start: toRfc3339(start), ...(end === null ? {} : { end: toRfc3339(end) }) });
}

/** An answer as text, with the address it finally came from. */
export async function text(url: string, signal?: AbortSignal): Promise<Result<{ text: string; url: string }>> {
  const answer = await send(url, signal ? { signal } : {});
  if (!answer.ok) return answer;
  try {
    return { ok: true, value: { text: await answer.value.text(), url: answer.value.url || url } };
  } catch {
    return failure('unreachable');
  }
}

export function streamUrl(id: string, what: string, parameters: Record<string, string>): string {
  return new URL(presenting(`streams/${encodeURIComponent(id)}/${what}?${query(parameters)}`), base).href;
}

/** Behind a share's link: which cookie counts, before that of whoever is signed in in this browser. */
let token: string | null = null;

/** From now on footage is asked for with this; `null`: as whoever is signed in. */
export function present(next: string | null): void {
  token = next;
}

function presenting(to: string): string {
  if (token === null || !to.startsWith('streams/')) return to;
  return `${to}${to.includes('?') ? '&' : '?'}${query({ token })}`;
}

/** What has no value is left out. */
export function query(parameters: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

/** A path of escaped parts: path('accounts', id, 'users') */
export function path(...parts: (string | number)[]): string {
  return parts.map((part) => encodeURIComponent(part)).join('/');
}

export interface Sending {
  method?: string;
  body?: unknown;
  /** Instead of the usual patience. */
  signal?: AbortSignal;
}

/** Sends JSON and reads JSON; `to` is relative to `/v1/`. An answer without a body is `null`. */
export async function json<T>(to: string, options: Sending = {}): Promise<Result<T>> {
  const method = options.method ?? 'GET';
  const answer = await send(new URL(presenting(to), base).href, {
    method,
    ...(options.signal ? { signal: options.signal } : {}),
    headers: {
      accept: 'application/json',
      // Proof against cross-site requests: another origin cannot add a header without asking first.
      ...(method === 'GET' ? {} : { 'x-retroview': '1' }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  if (!answer.ok) return answer;
  if (answer.value.status === 204) return { ok: true, value: null as T };
  try {
    return { ok: true, value: (await answer.value.json()) as T };
  } catch {
    return failure('unreadable', answer.value.status);
  }
}

export async function send(url: string, options: RequestInit): Promise<Result<Response>> {
  const timeout = AbortSignal.timeout(patienceMs);
  try {
    const response = await fetch(url, { credentials: 'same-origin', ...options, signal: options.signal ?? timeout });
    // What comes out of a cache is dated when it went in.
    if (!response.headers.get('cache-control')?.includes('max-age')) hearDate(response.headers.get('date'));
    return response.ok ? { ok: true, value: response } : { ok: false, problem: await problemOf(response) };
  } catch {
    return failure(options.signal?.aborted ? 'aborted' : 'unreachable');
  }
}

function failure(code: Problem['code'], status = 0): { ok: false; problem: Problem } {
  return { ok: false, problem: { status, code, detail: '' } };
}
