/**
 * Where in the app we are, as the part of the address after `#`. It never reaches the recorder, so the same file serves
 * every page and nobody's time of interest stands in a log.
 */
import { type WallUs, fromRfc3339, toShortRfc3339 } from '../../time/timestamp';

export type Route =
  | { page: 'streams' }
  /** A one-time link with which somebody chooses a password. */
  | { page: 'link'; secret: string }
  /** `at` is `null` for the newest footage. */
  | { page: 'watch'; stream: string; at: WallUs | null };

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [page, id] = path.split('/');
  if (page === 'link' && id) return { page: 'link', secret: decode(id) };
  if (page !== 'watch' || !id) return { page: 'streams' };
  const t = new URLSearchParams(query).get('t');
  return { page: 'watch', stream: decode(id), at: t === null ? null : fromRfc3339(t) };
}

export function formatRoute(route: Route): string {
  if (route.page === 'streams') return '#/';
  if (route.page === 'link') return `#/link/${encodeURIComponent(route.secret)}`;
  const t = route.at === null ? '' : `?t=${toShortRfc3339(route.at)}`;
  return `#/watch/${encodeURIComponent(route.stream)}${t}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
