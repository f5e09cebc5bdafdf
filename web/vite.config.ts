import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds a running Retroview. */
const recorder = process.env['RETROVIEW_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
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
