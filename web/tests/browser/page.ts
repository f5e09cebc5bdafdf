/** Chromium, and what the tests do and read in it. */
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core';
import { expect, inject } from 'vitest';
import { password, user } from './recorder';

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/** Answers that are part of the conversation; Chromium writes each into its console as an error. */
const expected = [
  /status of 401 .*\/(v1\/session|frame\.(jpg|mp4))/,
  /status of 404 .*\/media\.m3u8/,
  /status of (404|410) .*\/v1\/links\/show/,
  /status of 404 .*\/frame\.(jpg|mp4)/,
];

export class Visit {
  /** What the browser complained about. */
  readonly complaints: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
  ) {
    page.on('console', (message) => {
      const text = `${message.text()} ${message.location().url}`;
      const bad = message.type() === 'error' || message.type() === 'warning';
      if (bad && !expected.some((e) => e.test(text))) this.complaints.push(text);
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
  }

  /** A browser with an empty profile, in Paris unless told otherwise. */
  static async open(options: BrowserContextOptions = {}, url = inject('url')): Promise<Visit> {
    const executablePath = process.env['RETROVIEW_CHROMIUM'] ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, args: flags });
    const context = await browser.newContext({
      baseURL: url,
      viewport: { width: 1280, height: 800 },
      locale: 'en-GB',
      timezoneId: 'UTC',
      ...options,
    });
    context.setDefaultTimeout(15_000);
    await context.addInitScript(defineBurnedIn);
    return new Visit(browser, await context.newPage());
  }

  async close(): Promise<void> {
    await this.browser.close();
    expect(this.complaints).toEqual([]);
  }

  async signIn(name = user): Promise<void> {
    await this.page.goto('/');
    await this.page.locator('#user').fill(name);
    await this.page.locator('#password').fill(password);
    await this.page.keyboard.press('Enter');
    await this.page.locator('header').waitFor();
  }

  /** A page of the recorder's origin with nothing on it but a video element, for a viewer who has signed in. */
  async bare(): Promise<void> {
    await this.page.route('**/bare', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>bare</title><video muted></video>' }),
    );
    const headers = { 'x-retroview': '1' };
    const answer = await this.page.request.post('/v1/session', { headers, data: { user, password } });
    expect(answer.status()).toBeLessThan(300);
    await this.page.goto('/bare');
  }

  /** Opens a stream at a time and waits for the picture of that time. */
  async watch(stream: string, at?: string): Promise<void> {
    await this.page.goto(`/#/watch/${stream}${at ? `?t=${at}` : ''}`);
    await this.page.locator('video').waitFor();
    if (at) await this.sees(at);
  }

  async type(time: string): Promise<void> {
    await this.page.keyboard.press('g');
    await this.page.keyboard.press('Control+a');
    await this.page.keyboard.type(time);
    await this.page.keyboard.press('Enter');
  }

  async pause(): Promise<void> {
    await this.page.getByRole('button', { name: 'Pause' }).click();
  }

  /** The time on the page's own clock. */
  async clock(): Promise<string> {
    const text = await this.page.locator('.time.num').innerText();
    return /\d\d:\d\d:\d\d/.exec(text)?.[0] ?? text;
  }

  /** The wall time that the camera burned into the picture on screen; `null` while there is none. */
  picture(): Promise<number | null> {
    return this.page.evaluate(() => {
      const video = document.querySelector('video');
      const covered = document.querySelector('.still.shown') !== null;
      return !video || covered || video.seeking ? null : window.burnedIn(video);
    });
  }

  /** As `picture`, but also what covers the video: single pictures, and the one that comes ahead of the video. */
  onScreen(): Promise<number | null> {
    return this.page.evaluate(() => {
      const video = document.querySelector('video');
      const still = document.querySelector<HTMLCanvasElement>('canvas.still.shown');
      return still ? window.burnedIn(still) : video ? window.burnedIn(video) : null;
    });
  }

  /** What is on screen for a while, each picture once, with when it was first seen. */
  async row(whileMs: number): Promise<{ ms: number; seen: number }[]> {
    const pictures: { ms: number; seen: number }[] = [];
    const began = Date.now();
    while (Date.now() - began < whileMs) {
      const ms = await this.onScreen();
      if (ms !== null && ms !== pictures[pictures.length - 1]?.ms) pictures.push({ ms, seen: Date.now() });
      await new Promise((later) => setTimeout(later, 15));
    }
    return pictures;
  }

  /** Waits until the picture is of `at`, no more than `withinMs` off. */
  async sees(at: string | number, withinMs = 1500): Promise<number> {
    const wanted = typeof at === 'number' ? at : Date.parse(at);
    return this.until(`the picture of ${new Date(wanted).toISOString()}`, (ms) => Math.abs(ms - wanted) <= withinMs);
  }

  /** Waits until the picture is of `at` or later. */
  async reaches(at: string): Promise<number> {
    return this.until(`a picture after ${at}`, (ms) => ms >= Date.parse(at), 30_000);
  }

  private async until(what: string, holds: (ms: number) => boolean, patienceMs = 12_000): Promise<number> {
    const deadline = Date.now() + patienceMs;
    let last: number | null = null;
    while (Date.now() < deadline) {
      const ms = await this.picture();
      if (ms !== null && holds(ms)) return ms;
      last = ms ?? last;
      await new Promise((later) => setTimeout(later, 40));
    }
    const seen = last === null ? 'none' : new Date(last).toISOString();
    const said = await this.page.locator('body').innerText();
    throw new Error(`waited for ${what}; the last picture was ${seen}, the page says ${said.replace(/\s+/g, ' ')}`);
  }

  /** Where a time of the shown day is on the time bar. */
  async placeOnBar(at: string): Promise<{ x: number; y: number }> {
    const bar = await this.page.getByRole('slider', { name: /bar|barre/i }).boundingBox();
    if (!bar) throw new Error('there is no time bar');
    const dayMs = 24 * 3600 * 1000;
    const share = (Date.parse(at) - Date.parse(`${at.slice(0, 10)}T00:00:00Z`)) / dayMs;
    return { x: bar.x + share * bar.width, y: bar.y + bar.height * 0.6 };
  }
}

/** Runs in the page: reads the bars along the lower edge, as `retroview camera` draws them (48 cells, 44 of them bits). */
function defineBurnedIn(): void {
  const canvas = document.createElement('canvas');
  window.burnedIn = (picture) => {
    const isVideo = picture instanceof HTMLVideoElement;
    const [width, height] = isVideo ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
    return (isVideo && picture.readyState < 2) || width === 0 ? null : window.burnedInto(picture, width, height);
  };
  window.burnedInto = (picture, width, height) => {
    // Assigning a size clears the canvas, which costs more than drawing.
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const ctx = canvas.getContext('2d', { willReadFrequently: true });
    if (!ctx) return null;
    ctx.drawImage(picture, 0, 0);
    const row = Math.max(8, Math.floor(height / 24));
    const line = ctx.getImageData(0, height - Math.floor(row / 2) - 1, width, 1).data;
    const cell = (i: number) => (line[Math.round(((i + 0.5) * width) / 48) * 4] ?? 0) > 127;
    if (!cell(0) || cell(1) || cell(46) || !cell(47)) return null;
    let ms = 0;
    for (let i = 2; i < 46; i += 1) ms = ms * 2 + (cell(i) ? 1 : 0);
    return ms;
  };
}

declare global {
  interface Window {
    burnedIn(picture: HTMLVideoElement | HTMLCanvasElement): number | null;
    /** The same of any picture; what is below `height` is left out. */
    burnedInto(picture: CanvasImageSource, width: number, height: number): number | null;
  }
}
