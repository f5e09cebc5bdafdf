/**
 * What the first screen costs: all JavaScript that is fetched until a stream plays, gzipped as the recorder sends it. Fails
 * when it is more than people were promised. `npm run budget`, after `npm run build`.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limitKb = 250;
/** The page itself, the way to a stream, and the player with hls.js. */
const roots = [
  'index.html',
  'src/features/watch/Watch.svelte',
  'src/player/hls.ts',
  'src/features/streams/Streams.svelte',
];

const dist = new URL('dist/', import.meta.url);
/** @type {Record<string, { file: string; imports?: string[] }>} */
const chunks = JSON.parse(readFileSync(new URL('../.bundle.json', dist), 'utf8'));

/** @type {Set<string>} */
const files = new Set();
/** @param {string} name */
function take(name) {
  const chunk = chunks[name];
  if (!chunk) throw new Error(`the build has no ${name}: budget.mjs names what has moved`);
  if (files.has(chunk.file)) return;
  files.add(chunk.file);
  chunk.imports?.forEach(take);
}
roots.forEach(take);

let bytes = 0;
for (const file of files) {
  const size = gzipSync(readFileSync(new URL(file, dist))).length;
  bytes += size;
  console.log(`${(size / 1000).toFixed(1).padStart(8)} kB  ${file}`);
}
const kept = bytes <= limitKb * 1000;
console.log(
  `${(bytes / 1000).toFixed(1).padStart(8)} kB of ${limitKb} kB for the first screen: ${kept ? 'kept' : 'TOO MUCH'}`,
);
process.exit(kept ? 0 : 1);
