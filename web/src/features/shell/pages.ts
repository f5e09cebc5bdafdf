/**
 * The pages, each fetched when it is first opened. A page that is not in this table is linked from nowhere. The component
 * gets the route's fields as its properties.
 */
import type { Component } from 'svelte';
import type { Page, RouteOf } from './route';

type Loader<P extends Page> = () => Promise<{ default: Component<RouteOf<P>> | Component<Record<string, never>> }>;

export const pages: { readonly [P in Page]?: Loader<P> } = {
  streams: () => import('../streams/Streams.svelte'),
  manage: () => import('../admin/manage/Manage.svelte'),
  retention: () => import('../admin/retention/Retention.svelte'),
  receipt: () => import('../admin/retention/ReceiptPage.svelte'),
  audit: () => import('../admin/audit/Audit.svelte'),
  people: () => import('../admin/people/People.svelte'),
  me: () => import('../admin/people/Me.svelte'),
  account: () => import('../admin/plan/AccountPage.svelte'),
  accounts: () => import('../admin/plan/Accounts.svelte'),
  system: () => import('../admin/system/System.svelte'),
  setup: () => import('../admin/setup/Setup.svelte'),
  watch: () => import('../watch/Watch.svelte'),
  exports: () => import('../exports/Exports.svelte'),
  bookmarks: () => import('../bookmarks/Bookmarks.svelte'),
  holds: () => import('../holds/Holds.svelte'),
  wall: () => import('../wall/Wall.svelte'),
  shares: () => import('../share/Shares.svelte'),
  share: () => import('../share/SharePage.svelte'),
};
