/** What people keep of the footage: bookmarks, links for people without an account, exports, holds. */
import { type Range } from '../time/range';
import { type WallUs, toRfc3339 } from '../time/timestamp';
import { base, clipUrl, json, path, query, send } from './client';
import type { Result } from './problem';
import type { Forecast, Hold, NewHold, PlacedHold, ReleasedHold } from './types';

export interface Bookmark {
  readonly id: number;
  readonly stream: string;
  readonly at_us: WallUs;
  /** `null`: a moment rather than a range. */
  readonly end_us: WallUs | null;
  readonly title: string;
  readonly note: string;
  /** As in the audit log: `user ann`. */
  readonly author: string;
  readonly created_at_us: WallUs;
  /** Whether whoever asks may change and remove it. */
  readonly mine: boolean;
}

export interface NewBookmark {
  at: WallUs;
  end: WallUs | null;
  title: string;
  note: string;
}

/** A link that opens a range without an account. */
export interface Share {
  readonly id: string;
  readonly streams: string[];
  readonly start_us: WallUs;
  readonly end_us: WallUs;
  readonly expires_at_us: WallUs;
  readonly note: string;
  readonly download: boolean;
  readonly made_by: string;
  readonly created_at_us: WallUs;
  readonly revoked_at_us: WallUs | null;
  readonly revoked_by: string | null;
  readonly opens: number;
  readonly last_used_at_us: WallUs | null;
  readonly state: 'active' | 'expired' | 'revoked';
}

/** Told once: nobody can find the secret out again. */
export type FreshShare = Share & { readonly url: string; readonly secret: string };

/** What somebody with a link may see. */
export interface OpenedShare {
  readonly id: string;
  /** Picks this link's cookie among others, and before a session's. */
  readonly token: string;
  readonly streams: { id: string; title: string }[];
  readonly start_us: WallUs;
  readonly end_us: WallUs;
  readonly expires_at_us: WallUs;
  readonly download: boolean;
  readonly note: string;
  readonly now_us: WallUs;
}

export type ExportFormat = 'mp4' | 'archive';
export type ExportState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

/** A file being made, or made. */
export interface ExportJob {
  readonly id: string;
  readonly account: string;
  readonly streams: string[];
  readonly start_us: WallUs;
  readonly end_us: WallUs;
  readonly format: ExportFormat;
  readonly note: string;
  readonly by: string;
  readonly created_at_us: WallUs;
  readonly state: ExportState;
  readonly done_bytes: number;
  readonly total_bytes: number;
  readonly eta_s?: number | null;
  readonly error?: string | null;
  readonly file_name?: string | null;
  readonly size_bytes?: number | null;
  readonly sha256?: string | null;
  readonly expires_at_us?: WallUs | null;
}

const times = (r: Range) => ({ start: toRfc3339(r.start), end: toRfc3339(r.end) });

/** Lists come newest first, a page at a time: `before` is the id of the last one known. */
type Before = string | number | null;

export const bookmarks = {
  of: (stream: string, r: Range) =>
    json<{ bookmarks: Bookmark[] }>(`${path('streams', stream, 'bookmarks')}?${query(times(r))}`),
  all: (account: string, text: string, before: Before) =>
    json<{ bookmarks: Bookmark[] }>(`${path('accounts', account, 'bookmarks')}?${query({ q: text || null, before })}`),
  add: (stream: string, { at, end, title, note }: NewBookmark) =>
    json<Bookmark>(path('streams', stream, 'bookmarks'), {
      method: 'POST',
      body: { at: toRfc3339(at), ...(end === null ? {} : { end: toRfc3339(end) }), title, note },
    }),
  change: (b: Bookmark, change: { title: string; note: string }) =>
    json<Bookmark>(path('streams', b.stream, 'bookmarks', b.id), { method: 'PATCH', body: change }),
  remove: (b: Bookmark) => json<null>(path('streams', b.stream, 'bookmarks', b.id), { method: 'DELETE' }),
};

export const shares = {
  of: (account: string, before: Before) =>
    json<{ shares: Share[] }>(`${path('accounts', account, 'shares')}?${query({ before })}`),
  make: (streams: string[], r: Range, expires: WallUs, download: boolean, note: string) =>
    json<FreshShare>('shares', {
      method: 'POST',
      body: { streams, ...times(r), expires_at: toRfc3339(expires), download, note },
    }),
  revoke: (id: string) => json<null>(path('shares', id), { method: 'DELETE' }),
  /** The secret goes in the body, not in the address: no log has it. */
  open: (secret: string) => json<OpenedShare>('shares/open', { method: 'POST', body: { secret } }),
};

export const jobs = {
  /** Of one account; of all that one may see when none is named. */
  of: (account: string | null, before: Before) =>
    json<{ exports: ExportJob[] }>(`exports?${query({ account, before })}`),
  begin: (streams: string[], r: Range, format: ExportFormat, note: string) =>
    json<ExportJob>('exports', { method: 'POST', body: { streams, ...times(r), format, note } }),
  /** Stops one that is not done; deletes the file of one that is. */
  remove: (id: string) => json<null>(path('exports', id), { method: 'DELETE' }),
  fileUrl: (id: string) => new URL(path('exports', id, 'file'), base).href,
};

export const holds = {
  of: (account: string, after: number) =>
    json<{ holds: Hold[] }>(`${path('accounts', account, 'holds')}?${query({ after })}`),
  place: (account: string, hold: NewHold) =>
    json<PlacedHold>(path('accounts', account, 'holds'), { method: 'POST', body: hold }),
  release: (account: string, id: number) =>
    json<ReleasedHold>(path('accounts', account, 'holds', id, 'release'), { method: 'POST' }),
  /** What would leave now if the hold were gone. */
  withoutIt: (account: string, id: number) =>
    json<Forecast>(`${path('accounts', account, 'retention', 'forecast')}?${query({ released: id })}`),
};

export interface ClipFacts {
  readonly bytes: number;
  /** With the rest of the first and last segment: a clip is made of whole ones. */
  readonly start: WallUs | null;
  readonly end: WallUs | null;
}

/** How long and large one file over the range would be: known to the byte before any of it is read. */
export async function clipFacts(stream: string, r: Range, signal?: AbortSignal): Promise<Result<ClipFacts>> {
  const answer = await send(clipUrl(stream, r), { method: 'HEAD', ...(signal ? { signal } : {}) });
  if (!answer.ok) return answer;
  const header = (name: string) => {
    const text = answer.value.headers.get(name);
    return text === null || text === '' ? null : Number(text);
  };
  return {
    ok: true,
    value: {
      bytes: header('content-length') ?? 0,
      start: header('retroview-start-us') as WallUs | null,
      end: header('retroview-end-us') as WallUs | null,
    },
  };
}
