/** One recorder for all browser tests; what it holds is described in `footage.ts`. */
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { record } from './footage';
import { Recorder } from './recorder';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The gallery has one of its own.
  if (process.env['RETROVIEW_GALLERY']) return async () => undefined;
  const recorder = new Recorder();
  try {
    await record(recorder);
    await recorder.start();
    await recorder.push('live');
  } catch (error) {
    await recorder.stop();
    throw error;
  }
  project.provide('url', recorder.url);
  project.provide('media', join(recorder.folder, 'data', 'media'));
  return () => recorder.stop();
}

declare module 'vitest' {
  interface ProvidedContext {
    url: string;
    /** The folder of its footage. */
    media: string;
  }
}
