/** What went wrong with a request, in the recorder's stable codes (RFC 9457) and a few of our own. */
import type { WallUs } from '../time/timestamp';

export interface Problem {
  /** 0 when there was no answer at all. */
  readonly status: number;
  /** Stable name: the recorder's, or `unreachable`, `aborted`, `unreadable`. */
  readonly code: string;
  readonly detail: string;
  /** With `no_footage`: the end of the footage before and the start of the footage after. */
  readonly previous_end_us?: WallUs | null;
  readonly next_start_us?: WallUs | null;
}

export type Result<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export function isSignedOut(problem: Problem): boolean {
  return problem.status === 401;
}

/** Reads an answer that is not a success. */
export async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const code = fields['code'];
  const detail = fields['detail'];
  return {
    ...neighbours(fields),
    status: response.status,
    code: typeof code === 'string' ? code : fallbackCode(response.status),
    detail: typeof detail === 'string' ? detail : '',
  };
}

function neighbours(fields: Record<string, unknown>): Pick<Problem, 'previous_end_us' | 'next_start_us'> {
  const time = (name: string) => (typeof fields[name] === 'number' ? (fields[name] as WallUs) : null);
  return 'previous_end_us' in fields || 'next_start_us' in fields
    ? { previous_end_us: time('previous_end_us'), next_start_us: time('next_start_us') }
    : {};
}

function fallbackCode(status: number): string {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  return status >= 500 ? 'server' : 'refused';
}
