/**
 * How long people wait: `script/bench-web`.
 *
 * A recorder with thirty days of footage at the bit rates of real cameras, a Chromium with its cache as visitors have it, and
 * a hand that clicks. What is on screen is read from the picture every frame: each of the camera's pictures carries its
 * time. Prints p50 and p95 beside what was promised, and fails when it is not kept.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Page, chromium } from 'playwright-core';
import { Recorder, password, user } from '../browser/recorder';

const seeksMost = Number(process.env['SEEKS'] ?? 200);
const days = Number(process.env['DAYS'] ?? 30);
const clipS = 60;
/** Each day at these hours. */
const hours = [1, 7, 13, 19];
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** Pictures of the camera, with noise so that they cost as much as real ones: 3 Mbit/s at 720p, 5 at 1080p. */
const kinds = [
  { size: '1280x720', rate: '3M', filmed: '2026-01-01T00:00:00Z' },
  { size: '1920x1080', rate: '5M', filmed: '2026-01-01T00:10:00Z' },
] as const;

interface Clip {
  readonly start: number;
  /** What the picture says at `start`. */
  readonly filmed: number;
}

function nth<T>(list: readonly T[], i: number): T {
  const item = list[i % list.length];
  if (item === undefined) throw new Error('the list is empty');
  return item;
}

function anyOf<T>(list: readonly T[]): T {
  return nth(list, Math.floor(Math.random() * list.length));
}

async function film(recorder: Recorder): Promise<Clip[]> {
  const files = kinds.map(({ size, rate, filmed }, i) => {
    const [raw, file] = [join(recorder.folder, `raw${i}.ts`), join(recorder.folder, `clip${i}.ts`)];
    return { raw, file, size, rate, filmed };
  });
  for (const { raw, file, size, rate, filmed } of files) {
    await recorder.run(
      ...['camera', '--start', filmed, '--duration', String(clipS), '--size', size, '--audio', 'aac', '--output', raw],
    );
    const encode = [
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-g',
      '50',
      '-b:v',
      rate,
      '-maxrate',
      rate,
      '-bufsize',
      rate,
    ];
    execFileSync('ffmpeg', [
      ...['-v', 'error', '-y', '-i', raw, '-vf', 'noise=alls=14:allf=t', ...encode],
      ...['-pix_fmt', 'yuv420p', '-bf', '0', '-sc_threshold', '0', '-c:a', 'copy', file],
    ]);
  }
  const first = Math.floor(Date.now() / dayMs) * dayMs - days * dayMs;
  const clips: Clip[] = [];
  await recorder.run('streams', 'add', 'gate', 'push:');
  await recorder.run('streams', 'pause', 'gate');
  for (let day = 0; day < days; day += 1) {
    for (const [i, hour] of hours.entries()) {
      const { file, filmed } = nth(files, day + i);
      const start = first + day * dayMs + hour * 60 * minuteMs;
      await recorder.run('import', 'gate', file, '--start', new Date(start).toISOString());
      clips.push({ start, filmed: Date.parse(filmed) });
    }
  }
  return clips;
}

/** Watches the stage every frame, and notes when a picture of the wanted stretch is first on it. */
function install(): void {
  const [width, height] = [96, 1];
  const canvas = new OffscreenCanvas(width, height);
  const ctx = canvas.getContext('2d', { willReadFrequently: true });
  const state = { from: 0, until: 0, exact: 0, near: 0, there: 0, began: 0 };
  const read = (picture: HTMLVideoElement | HTMLCanvasElement): number | null => {
    const isVideo = picture instanceof HTMLVideoElement;
    const [w, h] = isVideo ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
    if (!ctx || w === 0 || (isVideo && picture.readyState < 2)) return null;
    // One line of the bars along the lower edge, two pixels a cell.
    const row = Math.max(8, Math.floor(h / 24));
    ctx.drawImage(picture, 0, h - Math.floor(row / 2) - 1, w, 1, 0, 0, width, height);
    const line = ctx.getImageData(0, 0, width, 1).data;
    const cell = (i: number) => (line[i * 8] ?? 0) + (line[i * 8 + 4] ?? 0) > 255;
    if (!cell(0) || cell(1) || cell(46) || !cell(47)) return null;
    let ms = 0;
    for (let i = 2; i < 46; i += 1) ms = ms * 2 + (cell(i) ? 1 : 0);
    return ms;
  };
  const look = () => {
    requestAnimationFrame(look);
    if (state.until === 0 || state.there !== 0) return;
    for (const picture of document.querySelectorAll<HTMLVideoElement | HTMLCanvasElement>(
      '.stage video, .stage canvas',
    )) {
      if (getComputedStyle(picture).display === 'none') continue;
      if (picture instanceof HTMLVideoElement && picture.seeking) continue;
      const ms = read(picture);
      if (ms === null || ms < state.from || ms > state.until) continue;
      if (state.near === 0) state.near = performance.now();
      if (ms > state.exact - 41 && state.there === 0) state.there = performance.now();
    }
  };
  requestAnimationFrame(look);
  const onClick = (event: PointerEvent) => {
    if (state.began === 0) state.began = event.timeStamp;
  };
  addEventListener('pointerup', onClick, { capture: true });
  Object.assign(window, { bench: state });
}

interface Watch {
  from: number;
  until: number;
  exact: number;
  near: number;
  there: number;
  began: number;
}
declare global {
  interface Window {
    bench: Watch;
  }
}

/** A segment is four seconds: its keyframe is the first picture to see. */
const segmentMs = 4200;

async function expectPicture(page: Page, filmedAt: number): Promise<void> {
  await page.evaluate(
    ([from, exact]) => Object.assign(window.bench, { from, exact, until: exact + 3000, near: 0, there: 0, began: 0 }),
    [filmedAt - segmentMs, filmedAt] as const,
  );
}

async function result(page: Page): Promise<Watch> {
  await page.waitForFunction(() => window.bench.near !== 0 && window.bench.there !== 0, undefined, { timeout: 20_000 });
  return page.evaluate(() => ({ ...window.bench }));
}

/** The time under the pointer, as the timeline says it. */
async function timeAt(page: Page, x: number, y: number): Promise<number> {
  await page.mouse.move(x - 2, y);
  await page.mouse.move(x, y);
  await page.locator('.tip').waitFor({ timeout: 3000 });
  const [clock, date] = await page.evaluate(() => [
    document.querySelector('.tip strong')?.textContent ?? '',
    document.querySelector('.tip .date')?.textContent ?? '',
  ]);
  return Date.parse(`${date} ${clock} UTC`);
}

interface Aim {
  x: number;
  y: number;
  at: number;
  clip: Clip;
}

/** Brings a clip into view by the overview, as a hand does, and finds where in it to click. */
async function aim(page: Page, clips: readonly Clip[], clip: Clip): Promise<Aim> {
  const box = await page.locator('.time-bar canvas').first().boundingBox();
  if (!box) throw new Error('no timeline');
  const overviewY = box.y + box.height - 12;
  // Just below the ruler: in the middle of the band there may be the button that leads back to what is playing.
  const bandY = box.y + 44;
  const [first, last] = [nth(clips, 0).start, Date.now()];
  const air = Math.max(minuteMs, (last - first) * 0.02);
  const share = (clip.start - first + air) / (last - first + 2 * air);
  const close = (left: number, right: number) => left < clip.start && clip.start + clipS * 1000 < right;
  for (let tries = 0; tries < 4; tries += 1) {
    await page.mouse.click(box.x + share * box.width, overviewY);
    await page.waitForTimeout(450);
    const [xa, xb] = [box.x + box.width * 0.05, box.x + box.width * 0.95];
    const [a, b] = [await timeAt(page, xa, bandY), await timeAt(page, xb, bandY)];
    if (!close(a, b)) continue;
    const wanted = clip.start + 1000 + Math.random() * (clipS - 8) * 1000;
    const x = Math.round(xa + ((wanted - a) / (b - a)) * (xb - xa));
    return { x, y: bandY, at: a + ((x - xa) / (xb - xa)) * (b - a), clip };
  }
  throw new Error(`could not bring ${new Date(clip.start).toISOString()} into view`);
}

interface Figures {
  readonly name: string;
  readonly values: readonly number[];
  readonly p50Most?: number;
  readonly p95Most?: number;
}

async function seeks(page: Page, clips: readonly Clip[], count: number): Promise<{ near: number[]; exact: number[] }> {
  const [near, exact]: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i += 1) {
    const clip = anyOf(clips);
    const target = await aim(page, clips, clip);
    const at = await timeAt(page, target.x, target.y);
    await expectPicture(page, clip.filmed + (at - clip.start));
    await page.mouse.down();
    await page.mouse.up();
    const seen = await result(page).catch(async (error: unknown) => {
      const said = (await page.locator('.stage').innerText()).replace(/\s+/g, ' ');
      throw new Error(`seek to ${new Date(at).toISOString()} (${said}): ${String(error)}`);
    });
    near.push(seen.near - seen.began);
    exact.push(seen.there - seen.began);
  }
  return { near, exact };
}

async function thumbnails(page: Page, clips: readonly Clip[]): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    const target = await aim(page, clips, nth(clips, i * 11));
    // The minute is loaded once a first picture has been shown.
    await page.mouse.move(target.x, target.y);
    const loaded = await page
      .waitForFunction(() => document.querySelector('.tip canvas')?.getAttribute('data-shown'), undefined, {
        timeout: 5000,
      })
      .catch(() => null);
    if (!loaded) continue;
    await page.waitForTimeout(600);
    for (const side of [-1, 1, -1, 1]) {
      times.push(
        await page.evaluate(
          ([x, y]) =>
            new Promise<number>((done) => {
              const bar = document.querySelector('.time-bar canvas');
              const gone = document.querySelector('.tip canvas');
              gone?.removeAttribute('data-shown');
              const began = performance.now();
              const init = { clientX: x, clientY: y, bubbles: true, pointerType: 'mouse', pointerId: 1 };
              bar?.dispatchEvent(new PointerEvent('pointermove', init));
              const look = () => {
                if (document.querySelector('.tip canvas')?.getAttribute('data-shown')) done(performance.now() - began);
                else requestAnimationFrame(look);
              };
              requestAnimationFrame(look);
            }),
          [target.x + side * 3, target.y] as const,
        ),
      );
    }
  }
  return times;
}

async function openings(
  url: string,
  clips: readonly Clip[],
  cookies: Parameters<Awaited<ReturnType<typeof newContext>>['addCookies']>[0],
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    // A profile of its own: nothing is in its cache.
    const context = await newContext(url);
    await context.addCookies(cookies);
    const clip = anyOf(clips);
    const at = clip.start + 2000 + Math.floor(Math.random() * 50) * 1000;
    const filmedAt = clip.filmed + (at - clip.start);
    await context.addInitScript(install);
    await context.addInitScript(([from, exact]) => Object.assign(window.bench, { from, exact, until: exact + 3000 }), [
      filmedAt - segmentMs,
      filmedAt,
    ] as const);
    const page = await context.newPage();
    await page.goto(`/#/watch/gate?t=${new Date(at).toISOString()}`);
    times.push((await result(page)).near);
    await context.close();
  }
  return times;
}

const browser = await chromium.launch({
  executablePath: process.env['RETROVIEW_CHROMIUM'] ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--autoplay-policy=no-user-gesture-required',
  ],
});

function newContext(baseURL: string) {
  return browser.newContext({ baseURL, viewport: { width: 1280, height: 800 }, locale: 'en-GB', timezoneId: 'UTC' });
}

/** Another client that takes whole minutes, one after the other, as fast as they come. */
function reader(url: string, token: string, clips: readonly Clip[]): ChildProcess {
  const addresses = clips.map(({ start }) => {
    const [from, to] = [start, start + clipS * 1000].map((ms) => new Date(ms).toISOString());
    return `${url}v1/streams/gate/clip.mp4?start=${from}&end=${to}`;
  });
  const script = `while :; do for a in ${addresses.map((a) => `'${a}'`).join(' ')}; do curl -s -o /dev/null -H 'Authorization: Bearer ${token}' "$a" || exit; done; done`;
  return spawn('bash', ['-c', script], { stdio: 'ignore', detached: true });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line; `false` when what was promised is not kept. */
function report({ name, values, p50Most, p95Most }: Figures): boolean {
  if (values.length === 0) {
    console.log(`${name.padEnd(44)} nothing measured`);
    return false;
  }
  const [p50, p95] = [quantile(values, 0.5), quantile(values, 0.95)];
  const kept = p50 <= (p50Most ?? Infinity) && p95 <= (p95Most ?? Infinity);
  const limit = (most: number | undefined) => (most === undefined ? '' : ` (≤ ${most})`);
  const judged = p50Most === undefined && p95Most === undefined ? '' : kept ? '  kept' : '  MISSED';
  console.log(
    `${name.padEnd(44)} p50 ${p50.toFixed(0)} ms${limit(p50Most)}  p95 ${p95.toFixed(0)} ms${limit(p95Most)}  n=${values.length}${judged}`,
  );
  return kept;
}

async function measure(recorder: Recorder): Promise<boolean> {
  const clips = await film(recorder);
  await recorder.start();
  const context = await newContext(recorder.url);
  await context.addInitScript(install);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto('/');
  await page.locator('#user').fill(user);
  await page.locator('#password').fill(password);
  await page.keyboard.press('Enter');
  await page.locator('header').waitFor();
  const cookies = await context.cookies();
  await page.goto(`/#/watch/gate?t=${new Date(nth(clips, 5).start + 5000).toISOString()}&z=3600`);
  await page.locator('.time-bar canvas').first().waitFor();
  await page.waitForTimeout(2000);

  const kept: boolean[] = [];
  const say = (figures: Figures) => kept.push(report(figures));
  say({ name: 'open page → first frame', values: await openings(recorder.url, clips, cookies), p50Most: 800 });
  const alone = await seeks(page, clips, seeksMost);
  say({ name: 'click → first new frame', values: alone.near, p50Most: 150, p95Most: 300 });
  say({ name: 'click → the frame of that moment', values: alone.exact });
  const token = JSON.parse(await recorder.run('tokens', 'create', 'bench', '--scopes', 'view', '--json')) as {
    token: string;
  };
  const other = reader(recorder.url, token.token, clips);
  try {
    const beside = await seeks(page, clips, Math.ceil(seeksMost / 2));
    say({ name: 'click → first new frame, beside a reader', values: beside.near, p50Most: 300, p95Most: 600 });
    say({ name: 'click → the frame of that moment, beside it', values: beside.exact });
  } finally {
    if (other.pid !== undefined) process.kill(-other.pid);
  }
  say({ name: 'hover → thumbnail', values: await thumbnails(page, clips), p95Most: 50 });
  return kept.every(Boolean);
}

const recorder = new Recorder();
let kept = false;
try {
  kept = await measure(recorder);
} finally {
  await browser.close();
  await recorder.stop();
}
process.exit(kept ? 0 : 1);
