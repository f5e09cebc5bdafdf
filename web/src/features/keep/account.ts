import { app } from '../shell/app.svelte';

/** The account a page is about: the one in its address, or one's own. */
export function accountOf(named: string | null): string {
  if (named !== null) return named;
  return app.access.kind === 'signed_in' ? app.access.session.account : '';
}

/** Whether whoever is signed in may place holds and see to other people's things. */
export function manages(): boolean {
  return app.role === 'manager' || app.role === 'operator';
}
