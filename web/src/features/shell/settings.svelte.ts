/** What the viewer chose for this browser: kept in it, and nowhere else. */
import { setLanguage } from '../../i18n/index.svelte';
import { type Language, languages, preferred } from '../../i18n/language';
import { UTC, type Zone, localZone } from '../../time/zone';

export type Theme = 'auto' | 'light' | 'dark';
export const themes: readonly Theme[] = ['auto', 'light', 'dark'];

interface Kept {
  language?: Language;
  theme?: Theme;
  utc?: boolean;
  accountTime?: boolean;
  volume?: number;
  muted?: boolean;
  waitsInGaps?: boolean;
}

const place = 'retroview.settings';

/** Whose clocks the page shows. */
export type ZoneKind = 'local' | 'account' | 'utc';
export const zoneKinds: readonly ZoneKind[] = ['local', 'account', 'utc'];

class Settings {
  /** The zone of the account of whoever is signed in; `null` until it is known. */
  accountZone = $state.raw<Zone | null>(null);
  #kept = $state.raw<Kept>(read());
  #systemDark = $state(false);
  #suggested: Language | undefined;

  /** Applies what was kept; to be over before the first component. */
  async start(): Promise<void> {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    this.#systemDark = dark.matches;
    dark.addEventListener('change', () => {
      this.#systemDark = dark.matches;
      void this.#apply();
    });
    await this.#apply();
  }

  get language(): Language {
    return this.#kept.language ?? this.#suggested ?? preferred(navigator.languages);
  }
  set language(language: Language) {
    this.#keep({ language });
  }

  /** The account's language, for a viewer who has not chosen one here. */
  suggestLanguage(tag: string | null | undefined): void {
    this.#suggested = languages.find((l) => l === tag);
    void this.#apply();
  }

  get theme(): Theme {
    return this.#kept.theme ?? 'auto';
  }
  set theme(theme: Theme) {
    this.#keep({ theme });
  }

  /** What is on screen now. */
  get look(): 'light' | 'dark' {
    if (this.theme !== 'auto') return this.theme;
    return this.#systemDark ? 'dark' : 'light';
  }

  get zoneKind(): ZoneKind {
    if (this.#kept.utc) return 'utc';
    return this.#kept.accountTime && this.accountZone !== null ? 'account' : 'local';
  }
  set zoneKind(kind: ZoneKind) {
    this.#keep({ utc: kind === 'utc', accountTime: kind === 'account' });
  }

  get zone(): Zone {
    if (this.zoneKind === 'utc') return UTC;
    return this.zoneKind === 'account' ? (this.accountZone ?? localZone()) : localZone();
  }

  get volume(): number {
    return this.#kept.volume ?? 1;
  }
  get muted(): boolean {
    return this.#kept.muted ?? false;
  }
  setSound(volume: number, muted: boolean): void {
    this.#keep({ volume, muted });
  }

  /** Whether playing waits in a gap, in the gap's own time, or skips it. */
  get waitsInGaps(): boolean {
    return this.#kept.waitsInGaps ?? false;
  }
  set waitsInGaps(waitsInGaps: boolean) {
    this.#keep({ waitsInGaps });
  }

  #keep(change: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...change };
    try {
      localStorage.setItem(place, JSON.stringify(this.#kept));
    } catch {
      // A browser that keeps nothing: the choice holds for this page.
    }
    void this.#apply();
  }

  async #apply(): Promise<void> {
    document.documentElement.dataset['theme'] = this.look;
    await setLanguage(this.language);
  }
}

/** Only what we understand: an older or newer version may have kept something else. */
function read(): Kept {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? '{}');
    if (typeof kept !== 'object' || kept === null) return {};
    const { language, theme, utc, accountTime, volume, muted, waitsInGaps } = kept as { [K in keyof Kept]: unknown };
    return {
      ...(languages.includes(language as Language) ? { language: language as Language } : {}),
      ...(themes.includes(theme as Theme) ? { theme: theme as Theme } : {}),
      ...(typeof utc === 'boolean' ? { utc } : {}),
      ...(typeof accountTime === 'boolean' ? { accountTime } : {}),
      ...(typeof volume === 'number' && volume >= 0 && volume <= 1 ? { volume } : {}),
      ...(typeof muted === 'boolean' ? { muted } : {}),
      ...(typeof waitsInGaps === 'boolean' ? { waitsInGaps } : {}),
    };
  } catch {
    return {};
  }
}

export const settings = new Settings();
