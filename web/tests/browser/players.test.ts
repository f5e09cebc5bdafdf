/** What is served, in players that are not ours: hls.js as it comes, and a video element alone. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type HlsType from 'hls.js';
import { day } from './footage';
import { Visit } from './page';

const hlsScript = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');
const frameMs = 40;
const at = (time: string) => Date.parse(`${day}T${time}Z`);

declare global {
  interface Window {
    Hls: typeof HlsType;
    hls: HlsType;
    /** Every picture that was on screen, by its burned-in time. */
    seen: number[];
    errors: string[];
  }
}

let visit: Visit;
beforeEach(async () => {
  visit = await Visit.open();
  await visit.bare();
  await visit.page.evaluate(() => {
    [window.seen, window.errors] = [[], []];
    const video = document.querySelector('video') as HTMLVideoElement;
    const onFrame = () => {
      const ms = window.burnedIn(video);
      if (ms !== null && ms !== window.seen[window.seen.length - 1]) window.seen.push(ms);
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    video.addEventListener('error', () => window.errors.push(`element: ${video.error?.message}`));
  });
});
afterEach(async () => {
  const errors = await visit.page.evaluate(() => window.errors);
  await visit.close();
  expect(errors).toEqual([]);
});

const seen = () => visit.page.evaluate(() => window.seen);
const video = <T>(act: (video: HTMLVideoElement) => T): Promise<T> =>
  visit.page.$eval('video', act as (video: HTMLElement | SVGElement) => T) as Promise<T>;

async function playsToTheEnd(patienceMs = 45_000): Promise<number[]> {
  await expect.poll(() => video((v) => v.ended), { timeout: patienceMs, interval: 100 }).toBe(true);
  return seen();
}

/** Forwards all the time, and without a hole but where one is expected. */
function expectSteady(pictures: number[], rate: number, expectedHoles = 0): void {
  const steps = pictures.slice(1).map((ms, i) => ms - (pictures[i] as number));
  expect(steps.filter((step) => step <= 0)).toEqual([]);
  // A busy processor drops frames, never seconds.
  expect(steps.filter((step) => step > 3000 * rate).length).toBe(expectedHoles);
}

const first = (pictures: number[]) => pictures[0] ?? 0;
const last = (pictures: number[]) => pictures[pictures.length - 1] ?? 0;

describe('hls.js', () => {
  async function load(playlist: string, options: { rate?: number; backBufferLength?: number } = {}): Promise<void> {
    await visit.page.addScriptTag({ path: hlsScript });
    await visit.page.evaluate(
      ({ playlist, rate, backBufferLength }) => {
        const video = document.querySelector('video') as HTMLVideoElement;
        const hls = new window.Hls({ enableWorker: false, backBufferLength });
        hls.on(window.Hls.Events.ERROR, (_, data) => {
          if (data.fatal) window.errors.push(`${data.type} ${data.details} ${data.error}`);
        });
        video.defaultPlaybackRate = rate;
        hls.loadSource(playlist);
        hls.attachMedia(video);
        window.hls = hls;
        void video.play();
      },
      { playlist, rate: options.rate ?? 1, backBufferLength: options.backBufferLength ?? 90 },
    );
  }

  test('plays a past range to its end', async () => {
    await load(`/v1/streams/yard/playlist.m3u8?start=${day}T10:00:41Z&end=${day}T10:00:52Z`, { rate: 2 });
    const pictures = await playsToTheEnd();
    expect(Math.abs(first(pictures) - at('10:00:41'))).toBeLessThan(2000);
    expect(last(pictures)).toBeGreaterThanOrEqual(at('10:00:52') - 2 * frameMs);
    expectSteady(pictures, 2);
  });

  test('plays across a gap and a change of size and codec to the end', async () => {
    await load(`/v1/streams/yard/playlist.m3u8?start=${day}T10:00:52Z&end=${day}T10:05:50Z`, { rate: 4 });
    const pictures = await playsToTheEnd();
    expect(Math.abs(first(pictures) - at('10:00:52'))).toBeLessThan(2000);
    expect(last(pictures)).toBeGreaterThanOrEqual(at('10:05:50') - 4 * frameMs);
    expectSteady(pictures, 4, 1);
    expect(pictures.filter((ms) => ms > at('10:05:40')).length).toBeGreaterThan(10);
  });

  // hls.js takes a second for each EXT-X-GAP: the playlist without them is the one for long gaps.
  test('plays over a short gap that is spelled out', async () => {
    await load(`/v1/streams/shed/playlist.m3u8?start=${day}T12:00:24Z&end=${day}T12:00:46Z&gaps=1`, { rate: 2 });
    const pictures = await playsToTheEnd();
    expect(last(pictures)).toBeGreaterThanOrEqual(at('12:00:46') - 2 * frameMs);
    expectSteady(pictures, 2, 1);
    // The playlist's time runs like the clock.
    expect(await video((v) => v.duration)).toBeGreaterThan(22);
  });

  test('plays a range that is still growing to its end', async () => {
    const begun = Date.now();
    const [start, end] = [begun - 4000, begun + 4000].map((ms) => new Date(ms).toISOString());
    await load(`/v1/streams/live/playlist.m3u8?start=${start}&end=${end}`);
    const pictures = await playsToTheEnd();
    expect(Date.now()).toBeGreaterThan(begun + 4000);
    expect(last(pictures)).toBeGreaterThanOrEqual(begun + 4000 - 2 * frameMs);
    expectSteady(pictures, 1);
  });

  test('plays live, goes back to the start of the window and comes forward again', async () => {
    await load('/v1/streams/live/playlist.m3u8');
    const live = await visit.sees(Date.now() - 10_000, 10_000);
    await visit.reaches(new Date(live + 6000).toISOString());
    const start = await visit.page.evaluate(() => {
      const video = document.querySelector('video') as HTMLVideoElement;
      const start = window.hls.levels[0]?.details?.fragments[0];
      video.currentTime = (start?.start ?? 0) + 0.5;
      return start?.programDateTime ?? 0;
    });
    expect(Date.now() - start).toBeGreaterThan(15_000);
    const back = await visit.sees(start + 500, 2000);
    await visit.reaches(new Date(back + 3000).toISOString());
    await visit.page.evaluate(() => {
      const video = document.querySelector('video') as HTMLVideoElement;
      video.currentTime = window.hls.liveSyncPosition ?? 0;
    });
    await visit.sees(Date.now() - 10_000, 10_000);
  });

  test('goes back past the start of its buffer', async () => {
    await load(`/v1/streams/yard/playlist.m3u8?start=${day}T10:00:00Z&end=${day}T10:01:00Z`, { backBufferLength: 2 });
    await visit.sees(at('10:00:01'), 1000);
    await video((v) => (v.currentTime = 48));
    await visit.reaches(`${day}T10:00:54Z`);
    expect(await video((v) => v.buffered.start(0))).toBeGreaterThan(30);
    await video((v) => (v.currentTime = 2));
    await visit.sees(at('10:00:02'), 1000);
    await visit.reaches(`${day}T10:00:05Z`);
  });
});

describe('a video element', () => {
  async function open(address: string): Promise<void> {
    await visit.page.evaluate((address) => {
      const video = document.querySelector('video') as HTMLVideoElement;
      video.src = address;
      return new Promise((loaded, failed) => {
        video.addEventListener('loadeddata', loaded);
        video.addEventListener('error', () => failed(new Error(video.error?.message)));
      });
    }, address);
  }

  /** What a clip is of: it begins and ends with whole segments. */
  async function spanOf(address: string): Promise<{ start: number; end: number }> {
    const headers = (await visit.page.request.head(address)).headers();
    const ms = (name: string) => Number(headers[name]) / 1000;
    return { start: ms('retroview-start-us'), end: ms('retroview-end-us') };
  }

  test('plays a clip from zero to its end', async () => {
    const clip = `/v1/streams/yard/clip.mp4?start=${day}T10:00:10Z&end=${day}T10:00:18Z`;
    const { start, end } = await spanOf(clip);
    await open(clip);
    expect(await video((v) => v.currentTime)).toBe(0);
    expect(await video((v) => v.duration)).toBeCloseTo((end - start) / 1000, 1);
    await visit.sees(start, 1);
    await video((v) => (v.currentTime = 5.02));
    await visit.sees(start + 5000, 1);
    await video((v) => (v.currentTime = 1));
    await visit.sees(start + 1000, frameMs);
    await video((v) => {
      v.playbackRate = 2;
      void v.play();
    });
    const pictures = await playsToTheEnd();
    expect(last(pictures)).toBeGreaterThanOrEqual(end - 2 * frameMs);
  });

  test('plays a clip over a gap', async () => {
    const clip = `/v1/streams/yard/clip.mp4?start=${day}T10:00:54Z&end=${day}T10:05:06Z`;
    const { start, end } = await spanOf(clip);
    await open(clip);
    expect(await video((v) => v.currentTime)).toBe(0);
    expect(await video((v) => v.duration)).toBeCloseTo((end - start) / 1000 - 240, 1);
    await video((v) => {
      v.playbackRate = 2;
      void v.play();
    });
    const pictures = await playsToTheEnd();
    expect(Math.abs(first(pictures) - start)).toBeLessThan(2000);
    expect(last(pictures)).toBeGreaterThanOrEqual(end - 2 * frameMs);
    expectSteady(pictures, 2, 1);
  });

  /** The files of a stream's blocks, oldest first; their names begin with their time and end with their id. */
  function blocks(stream: string): { id: string; path: string }[] {
    const folder = join(inject('media'), 'main', stream);
    return (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => name.endsWith('.mp4'))
      .sort()
      .map((name) => ({ id: /-(\w+)\.mp4$/.exec(name)?.[1] ?? '', path: join(folder, name) }));
  }

  test('opens a sealed block', async () => {
    const [block] = blocks('yard');
    await open(`/v1/streams/yard/blocks/${block?.id}.mp4`);
    await video((v) => void v.play());
    await visit.sees(at('10:00:02'), 1000);
    await visit.reaches(`${day}T10:00:05Z`);
  });

  test('opens a block that is still being written', async () => {
    const block = blocks('live').pop();
    await open(`/v1/streams/live/blocks/${block?.id}.mp4`);
    await video((v) => void v.play());
    const from = await visit.sees(Date.now() - 300_000, 300_000);
    await visit.reaches(new Date(from + 3000).toISOString());
  });

  test('opens the file of a block that is still being written', async () => {
    const block = blocks('live').pop();
    await visit.page.route('**/copied.mp4', (route) =>
      route.fulfill({ path: block?.path ?? '', contentType: 'video/mp4' }),
    );
    await open('/copied.mp4');
    await video((v) => void v.play());
    const from = await visit.sees(Date.now() - 300_000, 300_000);
    await visit.reaches(new Date(from + 3000).toISOString());
  });
});
