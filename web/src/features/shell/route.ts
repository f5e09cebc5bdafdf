/**
 * Where in the app we are, as the part of the address after `#`. It never reaches the recorder, so the same file serves
 * every page and nobody's time of interest stands in a log.
 *
 * ```text
 * #/                                  the list of streams            ?find=&state=
 * #/watch/{stream}?t=&z=              one stream; z: seconds in view
 * #/wall/{a,b,c}?t=&z=                up to nine side by side
 * #/exports  #/bookmarks  #/shares  #/holds   … each of one account: #/holds/{account}, one's own when nothing is said
 * #/retention/{account}  #/receipts/{id}
 * #/audit/{account}?person=&stream=&act=&from=&to=
 * #/people/{account}  #/account/{account}  #/manage/streams/{account}
 * #/accounts  #/system  #/setup       the installation
 * #/me                                one's own password and sessions
 * #/share/{secret}  #/link/{secret}   without an account
 * ```
 */
import { type WallUs, fromRfc3339, toShortRfc3339 } from '../../time/timestamp';

/** Pages that show one account's things; `null`: the account of whoever is signed in. */
export type AccountPage = 'exports' | 'bookmarks' | 'shares' | 'holds' | 'retention' | 'people' | 'account' | 'manage';

export interface AuditFilter {
  readonly person?: string;
  readonly stream?: string;
  readonly act?: string;
  /** Days, as the date fields speak. */
  readonly from?: string;
  readonly to?: string;
}

export type Route =
  | { page: 'streams'; find?: string; state?: string }
  /** A one-time link with which somebody chooses a password. */
  | { page: 'link'; secret: string }
  /** A range of footage, opened without an account. */
  | { page: 'share'; secret: string }
  /** `at` is `null` for the newest footage; `zoom`: seconds in view. */
  | { page: 'watch'; stream: string; at: WallUs | null; zoom?: number }
  | { page: 'wall'; streams: string[]; at: WallUs | null; zoom?: number }
  | { page: AccountPage; account: string | null }
  | { page: 'audit'; account: string | null; filter: AuditFilter }
  | { page: 'receipt'; id: number }
  | { page: 'accounts' }
  | { page: 'system' }
  | { page: 'setup' }
  | { page: 'me' };

export type Page = Route['page'];
export type RouteOf<P extends Page> = Extract<Route, { page: P }>;

/** The first part of the address of pages that show one account's things. */
const accountPages: Record<string, AccountPage> = {
  exports: 'exports',
  bookmarks: 'bookmarks',
  shares: 'shares',
  holds: 'holds',
  retention: 'retention',
  people: 'people',
  account: 'account',
};
const plainPages = ['accounts', 'system', 'setup', 'me'] as const;
const auditFields = ['person', 'stream', 'act', 'from', 'to'] as const;

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...rest] = path.split('/').map(decode);
  const parameters = new URLSearchParams(query);
  const id = rest[0] ?? '';
  if ((page === 'link' || page === 'share') && id) return { page, secret: id };
  if (page === 'watch' && id) return { page, stream: id, ...moment(parameters) };
  if (page === 'wall') return { page, streams: id.split(',').filter(Boolean), ...moment(parameters) };
  if (page === 'receipts' && /^\d{1,15}$/.test(id)) return { page: 'receipt', id: Number(id) };
  if (page === 'manage' && id === 'streams') return { page, account: rest[1] || null };
  if (page === 'audit') return { page, account: id || null, filter: present(parameters, auditFields) };
  const ofAccount = Object.hasOwn(accountPages, page) ? accountPages[page] : undefined;
  if (ofAccount) return { page: ofAccount, account: id || null };
  const plain = plainPages.find((p) => p === page);
  if (plain) return { page: plain };
  return { page: 'streams', ...(page === '' ? present(parameters, ['find', 'state']) : {}) };
}

export function formatRoute(route: Route): string {
  switch (route.page) {
    case 'streams':
      return `#/${queryOf({ find: route.find, state: route.state })}`;
    case 'link':
    case 'share':
      return `#/${route.page}/${encodeURIComponent(route.secret)}`;
    case 'watch':
      return `#/watch/${encodeURIComponent(route.stream)}${momentOf(route)}`;
    case 'wall':
      return `#/wall/${route.streams.map(encodeURIComponent).join(',')}${momentOf(route)}`;
    case 'receipt':
      return `#/receipts/${route.id}`;
    case 'manage':
      return `#/manage/streams${below(route.account)}`;
    case 'audit':
      return `#/audit${below(route.account)}${queryOf({ ...route.filter })}`;
    case 'accounts':
    case 'system':
    case 'setup':
    case 'me':
      return `#/${route.page}`;
    default:
      return `#/${route.page}${below(route.account)}`;
  }
}

function moment(parameters: URLSearchParams): { at: WallUs | null; zoom?: number } {
  const [t, z] = [parameters.get('t'), Number(parameters.get('z'))];
  return { at: t === null ? null : fromRfc3339(t), ...(Number.isFinite(z) && z > 0 ? { zoom: z } : {}) };
}

function momentOf(route: { at: WallUs | null; zoom?: number }): string {
  return queryOf({
    t: route.at === null ? undefined : toShortRfc3339(route.at),
    z: route.zoom === undefined ? undefined : String(Math.round(route.zoom * 1000) / 1000),
  });
}

function present<F extends string>(parameters: URLSearchParams, fields: readonly F[]): { [K in F]?: string } {
  const found: { [K in F]?: string } = {};
  for (const field of fields) {
    const value = parameters.get(field);
    if (value) found[field] = value;
  }
  return found;
}

/** Colons stay as they are: an address that is read aloud. */
function queryOf(fields: Record<string, string | undefined>): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value ?? '').replaceAll('%3A', ':')}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}

function below(account: string | null): string {
  return account === null ? '' : `/${encodeURIComponent(account)}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
