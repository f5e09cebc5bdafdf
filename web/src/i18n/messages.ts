import type { en } from './en';

export type Plural = { readonly one: string; readonly other: string };
export type Key = keyof typeof en;
export type PluralKey = { [K in Key]: (typeof en)[K] extends string ? never : K }[Key];
export type TextKey = Exclude<Key, PluralKey>;
/** Every language has every key: a missing one does not compile. */
export type Messages = { readonly [K in Key]: (typeof en)[K] extends string ? string : Plural };

/** One file of another language: every sentence of the English one, in the same form. */
export type In<English> = { readonly [K in keyof English]: English[K] extends string ? string : Plural };

export type Values = Readonly<Record<string, string | number>>;

/** Puts values into `{name}` places. A place without a value stays visible, so that it is noticed. */
export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

export function places(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1] ?? '').sort();
}
