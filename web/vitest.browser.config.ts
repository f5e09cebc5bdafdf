import { defineConfig } from 'vitest/config';

/** Drives the real binary with a real Chromium; see tests/browser/. */
export default defineConfig({
  test: {
    include: ['tests/browser/**/*.test.ts'],
    globalSetup: 'tests/browser/setup.ts',
    environment: 'node',
    // Playing is mostly waiting, so two at a time take half as long; on the two processors of a small machine more would
    // only get slower.
    maxWorkers: 2,
    minWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
