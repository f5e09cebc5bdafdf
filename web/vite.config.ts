import { svelte } from '@sveltejs/vite-plugin-svelte';
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin, Rollup } from 'vite';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Where `npm run dev` finds a running Retroview. */
const recorder = process.env['RETROVIEW_URL'] ?? 'http://127.0.0.1:8080';

/** Which file of the build holds what, for `npm run budget`; beside `dist`, so that the recorder does not serve it. */
function noteBundle(): Plugin {
  return {
    name: 'note-bundle',
    writeBundle(_, bundle) {
      const nameOf = (file: string, chunk: Rollup.OutputChunk) =>
        chunk.isEntry ? 'index.html' : relative(root, chunk.facadeModuleId ?? file);
      const chunks = Object.entries(bundle).flatMap(([file, c]) => (c.type === 'chunk' ? [[file, c] as const] : []));
      const names = new Map(chunks.map(([file, chunk]) => [file, nameOf(file, chunk)]));
      const noted = chunks.map(([file, { imports }]) => [
        names.get(file),
        { file, imports: imports.map((i) => names.get(i)) },
      ]);
      writeFileSync('.bundle.json', JSON.stringify(Object.fromEntries(noted)));
    },
  };
}

export default defineConfig({
  plugins: [svelte(), noteBundle()],
  // Relative, so that the app also works below a path of a reverse proxy.
  base: './',
  build: {
    target: 'es2022',
    // hls.js is about 380 kB before compression; it is loaded when a stream is opened, not with the first page.
    chunkSizeWarningLimit: 450,
    // Everything stays a file of its own: a data: URL would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '/v1': { target: recorder, changeOrigin: false } },
  },
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
  },
});
