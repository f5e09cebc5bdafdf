/** What is served, in Shaka Player and video.js: the playlists are HLS, not a dialect of ours. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';

const require = createRequire(import.meta.url);
const shakaScript = readFileSync(require.resolve('shaka-player/dist/shaka-player.compiled.js'), 'utf8');
const videoJsScript = readFileSync(require.resolve('video.js/dist/video.min.js'), 'utf8');
const at = (time: string) => Date.parse(`${day}T${time}Z`);

interface ShakaPlayer {
  attach(video: HTMLVideoElement): Promise<void>;
  load(address: string): Promise<void>;
  isLive(): boolean;
  addEventListener(name: 'error', hear: (event: { detail: { code: number; severity: number } }) => void): void;
}
interface VideoJsPlayer {
  src(source: { src: string; type: string }): void;
  on(name: 'error', hear: () => void): void;
  error(): { message: string } | null;
  play(): Promise<void>;
}
declare global {
  interface Window {
    shaka: { Player: new () => ShakaPlayer; polyfill: { installAll(): void } };
    shakaPlayer: ShakaPlayer;
    videojs: (video: HTMLVideoElement, options: object) => VideoJsPlayer;
    failures: string[];
  }
}

let visit: Visit;
beforeEach(async () => {
  visit = await Visit.open();
  await visit.bare();
  await visit.page.evaluate(() => {
    window.failures = [];
  });
});
afterEach(async () => {
  const failures = await visit.page.evaluate(() => window.failures);
  await visit.close();
  expect(failures).toEqual([]);
});

const players = {
  'Shaka Player': async (address: string) => {
    await visit.page.addScriptTag({ content: shakaScript });
    await visit.page.evaluate(async (address) => {
      const video = document.querySelector('video') as HTMLVideoElement;
      window.shaka.polyfill.installAll();
      const player = new window.shaka.Player();
      player.addEventListener('error', ({ detail }) => {
        // Severity 2 is what playing stops at.
        if (detail.severity === 2) window.failures.push(`shaka ${detail.code}`);
      });
      await player.attach(video);
      await player.load(address);
      window.shakaPlayer = player;
      await video.play();
    }, address);
  },
  'video.js': async (address: string) => {
    await visit.page.addScriptTag({ content: videoJsScript });
    await visit.page.evaluate((address) => {
      const video = document.querySelector('video') as HTMLVideoElement;
      const player = window.videojs(video, {
        muted: true,
        html5: { vhs: { overrideNative: true, withCredentials: false }, nativeAudioTracks: false },
      });
      player.on('error', () => window.failures.push(`video.js ${player.error()?.message}`));
      player.src({ src: address, type: 'application/vnd.apple.mpegurl' });
      void player.play();
    }, address);
  },
};

const absolute = (path: string) => new URL(path, visit.page.url()).href;

describe.each(Object.entries(players))('%s', (_, open) => {
  test('plays a past range over a gap and a change of size', async () => {
    await open(absolute(`/v1/streams/yard/playlist.m3u8?start=${day}T10:00:50Z&end=${day}T10:05:10Z`));
    const first = await visit.reaches(`${day}T10:00:50Z`);
    expect(first).toBeLessThan(at('10:00:55'));
    await visit.reaches(`${day}T10:05:03Z`);
  });

  test('seeks in it', async () => {
    await open(absolute(`/v1/streams/yard/playlist.m3u8?start=${day}T10:00:00Z&end=${day}T10:01:00Z`));
    await visit.reaches(`${day}T10:00:01Z`);
    await visit.page.$eval('video', (v: HTMLVideoElement) => (v.currentTime += 40));
    await visit.reaches(`${day}T10:00:40Z`);
    await visit.page.$eval('video', (v: HTMLVideoElement) => (v.currentTime -= 35));
    await visit.sees(at('10:00:08'), 4000);
  });

  test('plays live, and goes on as it grows', async () => {
    await open(absolute('/v1/streams/live/playlist.m3u8'));
    const first = await visit.sees(Date.now() - 15_000, 16_000);
    await visit.reaches(new Date(first + 12_000).toISOString());
  });
});
