/**
 * The pages, each fetched when it is first opened. A page that is not in this table is linked from nowhere. The component
 * gets the route's fields as its properties.
 */
import type { Component } from 'svelte';
import type { Page, RouteOf } from './route';

type Loader<P extends Page> = () => Promise<{ default: Component<RouteOf<P>> | Component<Record<string, never>> }>;

export const pages: { readonly [P in Page]?: Loader<P> } = {
  streams: () => import('../streams/Streams.svelte'),
  watch: () => import('../watch/Watch.svelte'),
  bookmarks: () => import('../bookmarks/Bookmarks.svelte'),
  holds: () => import('../holds/Holds.svelte'),
};
