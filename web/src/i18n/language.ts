export type Language = 'en' | 'fr';
export const languages: readonly Language[] = ['en', 'fr'];

/** The first language of the browser's list that we speak; English when there is none. */
export function preferred(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0];
    const found = languages.find((l) => l === base);
    if (found) return found;
  }
  return 'en';
}
