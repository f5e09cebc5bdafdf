/** What the whole page shares: who is signed in, where we are, whether the recorder answers. */
import { untrack } from 'svelte';
import { api } from '../../api/client';
import type { Problem } from '../../api/problem';
import type { Session } from '../../api/types';
import { type Role, roleOf } from './places';
import { type Route, formatRoute, parseRoute } from './route';
import { recorderIsBack } from '../../ui/poll';
import { settings } from './settings.svelte';

export type Access =
  | { kind: 'asking' }
  | { kind: 'unreachable' }
  | { kind: 'signed_out'; expired: boolean }
  | { kind: 'signed_in'; session: Session };

class App {
  access = $state.raw<Access>({ kind: 'asking' });
  route = $state.raw<Route>({ page: 'streams' });
  /** The last question to the recorder got no answer. */
  offline = $state(false);

  /** `null` for whoever is not signed in: behind a share's link, nobody's menu. */
  get role(): Role | null {
    return this.access.kind === 'signed_in' ? roleOf(this.access.session.role) : null;
  }

  /** One's own. */
  get account(): string {
    return this.access.kind === 'signed_in' ? this.access.session.account : '';
  }

  get user(): string {
    return this.access.kind === 'signed_in' ? this.access.session.user : '';
  }

  start(): void {
    addEventListener('online', () => dispatchEvent(new Event(recorderIsBack)));
    const follow = () => (this.route = parseRoute(location.hash));
    addEventListener('hashchange', follow);
    follow();
    void this.ask();
  }

  async ask(): Promise<void> {
    const answer = await api.session();
    if (answer.ok) this.#enter(answer.value);
    else if (answer.problem.status === 401) this.access = { kind: 'signed_out', expired: false };
    else {
      this.access = { kind: 'unreachable' };
      setTimeout(() => void this.ask(), 3000);
    }
  }

  async signIn(user: string, password: string): Promise<Problem | null> {
    const answer = await api.signIn(user, password);
    if (!answer.ok) return answer.problem;
    this.#enter(answer.value);
    return null;
  }

  async signOut(): Promise<void> {
    const answer = await api.signOut();
    if (answer.ok || answer.problem.status === 401) this.access = { kind: 'signed_out', expired: false };
    else this.hear(answer.problem);
  }

  /** Every answer passes here: an ended session and a silent recorder are everybody's business. */
  hear(problem: Problem | null): void {
    if (problem?.code === 'unreachable') this.#away();
    else if (this.offline) this.#back();
    if (problem?.status === 401) this.expire();
  }

  /** Asks for the recorder until it answers: pages poll more slowly, and some not at all. */
  #away(): void {
    if (this.offline) return;
    this.offline = true;
    const knock = async () => {
      if (!this.offline) return;
      const answer = await api.session();
      if (answer.ok || answer.problem.code !== 'unreachable') this.hear(answer.ok ? null : answer.problem);
      else setTimeout(() => void knock(), 2000);
    };
    setTimeout(() => void knock(), 1000);
  }

  #back(): void {
    this.offline = false;
    dispatchEvent(new Event(recorderIsBack));
  }

  expire(): void {
    if (this.access.kind === 'signed_in') this.access = { kind: 'signed_out', expired: true };
  }

  go(route: Route): void {
    location.hash = formatRoute(route);
  }

  /** The link has been used: on to where its address leads now. */
  leaveLink(): void {
    this.route = parseRoute(location.hash);
    if (this.access.kind !== 'signed_in') void this.ask();
  }

  /**
   * Writes the state of the page into the address without a step in the history. A page that was left goes on showing,
   * and noting, until the next one is fetched: that must not call the viewer back.
   */
  note(route: Route): void {
    if (untrack(() => this.route.page) !== route.page) return;
    const hash = formatRoute(route);
    if (hash !== location.hash) history.replaceState(history.state, '', hash);
  }

  /** Goes elsewhere without a step in the history. */
  replace(route: Route): void {
    history.replaceState(history.state, '', formatRoute(route));
    this.route = route;
  }

  #enter(session: Session): void {
    settings.suggestLanguage(session.language);
    this.offline = false;
    // What was noted since the last navigation counts: after an ended session the same moment comes back.
    this.route = parseRoute(location.hash);
    this.access = { kind: 'signed_in', session };
    settings.accountZone = session.zone;
  }
}

export const app = new App();
