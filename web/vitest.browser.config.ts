import { defineConfig } from 'vitest/config';

/** Drives the real binary with a real Chromium; see tests/browser/. */
export default defineConfig({
  test: {
    include: ['tests/browser/**/*.test.ts'],
    globalSetup: 'tests/browser/setup.ts',
    environment: 'node',
    // One recorder and one processor or two: what runs at the same time only gets slower.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
