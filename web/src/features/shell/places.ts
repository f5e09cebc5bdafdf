/** Who is shown which pages. What one may is decided by the recorder; this only spares people doors that do not open. */
import type { TextKey } from '../../i18n/messages';
import type { IconName } from '../../ui/Icon.svelte';
import type { Page, Route } from './route';

export type Role = 'viewer' | 'manager' | 'auditor' | 'operator';

export interface Place {
  readonly route: Route;
  readonly name: TextKey;
  readonly icon: IconName;
}

export interface Group {
  readonly name: TextKey;
  readonly places: readonly Place[];
}

const everyone: readonly Role[] = ['viewer', 'manager', 'auditor', 'operator'];
const watching: readonly Role[] = ['viewer', 'manager', 'operator'];
const managing: readonly Role[] = ['manager', 'operator'];
const proving: readonly Role[] = ['manager', 'auditor', 'operator'];
const operating: readonly Role[] = ['operator'];

const roles: Record<Exclude<Page, 'link' | 'share'>, readonly Role[]> = {
  streams: watching,
  watch: watching,
  wall: watching,
  bookmarks: watching,
  exports: watching,
  shares: watching,
  manage: managing,
  retention: proving,
  receipt: proving,
  holds: proving,
  audit: proving,
  people: managing,
  account: proving,
  accounts: operating,
  system: operating,
  setup: operating,
  me: everyone,
};

const groups: readonly Group[] = [
  {
    name: 'nav.footage',
    places: [
      { route: { page: 'streams' }, name: 'nav.streams', icon: 'streams' },
      { route: { page: 'wall', streams: [], at: null }, name: 'nav.wall', icon: 'wall' },
      { route: { page: 'bookmarks', account: null }, name: 'nav.bookmarks', icon: 'bookmark' },
      { route: { page: 'exports', account: null }, name: 'nav.exports', icon: 'download' },
      { route: { page: 'shares', account: null }, name: 'nav.shares', icon: 'link' },
    ],
  },
  {
    name: 'nav.account',
    places: [
      { route: { page: 'manage', account: null }, name: 'nav.manage', icon: 'camera' },
      { route: { page: 'retention', account: null }, name: 'nav.retention', icon: 'hourglass' },
      { route: { page: 'holds', account: null }, name: 'nav.holds', icon: 'lock' },
      { route: { page: 'audit', account: null, filter: {} }, name: 'nav.audit', icon: 'list' },
      { route: { page: 'people', account: null }, name: 'nav.people', icon: 'people' },
      { route: { page: 'account', account: null }, name: 'nav.plan', icon: 'card' },
    ],
  },
  {
    name: 'nav.installation',
    places: [
      { route: { page: 'accounts' }, name: 'nav.accounts', icon: 'building' },
      { route: { page: 'system' }, name: 'nav.system', icon: 'pulse' },
    ],
  },
];

export function roleOf(text: string): Role {
  return everyone.find((role) => role === text) ?? 'viewer';
}

export function mayOpen(role: Role, page: Page): boolean {
  return page === 'link' || page === 'share' || roles[page].includes(role);
}

/** Where one lands: auditors see no footage. */
export function home(role: Role): Route {
  return role === 'auditor' ? { page: 'retention', account: null } : { page: 'streams' };
}

/** What the menu offers: the role's pages that exist. */
export function menu(role: Role, exists: (page: Page) => boolean): Group[] {
  return groups
    .map(({ name, places }) => ({
      name,
      places: places.filter(({ route }) => exists(route.page) && mayOpen(role, route.page)),
    }))
    .filter(({ places }) => places.length > 0);
}

/** Watching takes the whole width; its menu is behind a button. */
export function hasRail(page: Page): boolean {
  return page !== 'watch' && page !== 'wall' && page !== 'share' && page !== 'setup';
}
