import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { gapCauses } from '../api/types';
import { en } from './en';
import { fr } from './fr';
import { preferred } from './language';
import { type Key, fill, places } from './messages';

const forms = (message: string | { one: string; other: string }) =>
  typeof message === 'string' ? [message] : [message.one, message.other];

describe('both languages', () => {
  test('have the same keys', () => {
    expect(Object.keys(fr).sort()).toEqual(Object.keys(en).sort());
  });
  test('say nothing twice: a later file would silently take the place of an earlier one', () => {
    const folder = new URL('./en/', import.meta.url);
    const keys = readdirSync(folder).flatMap((file) =>
      [...readFileSync(new URL(file, folder), 'utf8').matchAll(/^ {2}'([a-z0-9_.]+)':/gm)].map((m) => m[1]),
    );
    expect(keys.sort()).toEqual(Object.keys(en).sort());
  });
  test.each(Object.keys(en) as Key[])('say the same with the same values: %s', (key) => {
    expect(forms(fr[key]).map(places)).toEqual(forms(en[key]).map(places));
    for (const text of [...forms(en[key]), ...forms(fr[key])]) expect(text.trim()).not.toBe('');
  });
  test('have a sentence for every cause of a gap', () => {
    const causes = Object.keys(en).filter((k) => k.startsWith('gap.cause.'));
    expect(causes.sort()).toEqual(gapCauses.map((c) => `gap.cause.${c}`).sort());
  });
  test('never break a line before French punctuation', () => {
    for (const text of Object.values(fr).flatMap(forms)) {
      expect(text).not.toMatch(/ [:;?!»]|« /);
      expect(text).not.toMatch(/\w[;?!]/);
    }
  });
});

describe('the language', () => {
  test.each([
    [['fr-CA', 'en'], 'fr'],
    [['de-DE', 'fr', 'en'], 'fr'],
    [['en-US'], 'en'],
    [['ja'], 'en'],
    [[], 'en'],
  ])('for a browser that asks for %j is %s', (wanted, expected) => expect(preferred(wanted)).toBe(expected));
});

test('a place without a value stays visible', () => {
  expect(fill('From {from} to {to}', { from: 'A' })).toBe('From A to {to}');
});
