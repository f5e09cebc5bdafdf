import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { en } from './en';

const root = fileURLToPath(new URL('..', import.meta.url));

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    const counts = /\.(ts|svelte)$/.test(path) && !/\.test\.ts$|i18n\/(en|fr)(\.ts|\/.*)$/.test(path);
    return counts ? [readFileSync(path, 'utf8')] : [];
  });
}

test('every sentence is used somewhere', () => {
  const code = sources(root).join('\n');
  /** Keys put together while running: t(`gap.cause.${cause}`). */
  const made = [...code.matchAll(/t\(\s*`([a-z_.]+)\$\{[^}]*\}([a-z_.]*)`/g)].map(([, a = '', b = '']) => ({ a, b }));
  const unused = Object.keys(en).filter(
    (key) => !code.includes(`'${key}'`) && !made.some(({ a, b }) => key.startsWith(a) && key.endsWith(b)),
  );
  expect(unused).toEqual([]);
});
