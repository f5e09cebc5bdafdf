/**
 * Small pictures for hovering and dragging, loaded around the pointer before it gets there.
 *
 * The recorder lists them by the hour; most are parts of one picture a block. The pictures are kept decoded, so that what
 * was loaded is shown with the very next frame.
 */
import { frameUrl, streamUrl } from '../api/client';
import { recorderNow } from '../api/clock';
import { type Range, contains } from '../time/range';
import { HOUR_US, SECOND_US, type WallUs, toRfc3339, wallUs } from '../time/timestamp';

export interface Thumb {
  readonly at: WallUs;
  readonly until: WallUs;
  readonly url: string;
  /** The part of the picture; `w` 0: all of it. */
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Small {
  readonly thumb: Thumb;
  readonly image: ImageBitmap;
}

type Fetch = (url: string, signal: AbortSignal) => Promise<Response>;

/** Lists kept: days of looking around. */
const listsMost = 96;
/** Pixels kept decoded: 100 MB, some thirty pictures of a block. */
const pixelsMost = 25e6;
const loadingMost = 3;
/** Pictures loaded ahead, nearest first: an hour of blocks either side. */
const aheadMost = 14;
/** Those that the recorder makes on request: each costs it a decoded picture. */
const madeAheadMost = 4;
/** Longer views are not loaded ahead: nobody hovers over all of it. */
const aheadUpToUs = 4 * HOUR_US;
/** The newest hour grows. */
const freshMs = 15_000;
/** Where the recorder has no thumbnails it makes pictures on request: one for each so many seconds. */
const madeEveryUs = 10 * SECOND_US;
const madeWidth = 192;

interface List {
  readonly thumbs: readonly Thumb[];
  readonly atMs: number;
  readonly complete: boolean;
}

export class Thumbnails {
  #stream: string;
  #fetch: Fetch;
  #lists = new Map<number, List>();
  /** `null`: there is none, and asking again would not help. */
  #images = new Map<string, ImageBitmap | null>();
  #loading = new Map<string, AbortController>();
  #queue: { name: string; load: (signal: AbortSignal) => Promise<void> }[] = [];
  #listeners = new Set<() => void>();
  /** The recorder makes no thumbnails: pictures of it by request. */
  #made = false;

  constructor(stream: string, load: Fetch = (url, signal) => fetch(url, { credentials: 'same-origin', signal })) {
    this.#stream = stream;
    this.#fetch = load;
  }

  listen(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** What is loaded of a moment. */
  at(at: WallUs): Small | null {
    const thumb = this.#thumbAt(at);
    const image = thumb && this.#images.get(thumb.url);
    if (!thumb || !image) return null;
    // Those used last are kept longest.
    this.#images.delete(thumb.url);
    this.#images.set(thumb.url, image);
    return { thumb, image };
  }

  #thumbAt(at: WallUs): Thumb | null {
    if (this.#made) return this.#madeAt(at);
    return thumbIn(this.#lists.get(hourOf(at))?.thumbs ?? [], at);
  }

  #madeAt(at: WallUs): Thumb {
    const from = wallUs(Math.floor(at / madeEveryUs) * madeEveryUs);
    const url = frameUrl(this.#stream, from, madeWidth);
    return { at: from, until: wallUs(from + madeEveryUs), url, x: 0, y: 0, w: 0, h: 0 };
  }

  /** The pointer is at `at`, in a view: loads what it shows there, then what is around. */
  want(at: WallUs, view: Range): void {
    this.#queue = [];
    const short = view.end - view.start <= aheadUpToUs;
    const first = hourOf(at);
    const hours = short ? [first, ...hoursOf(view).filter((hour) => hour !== first)] : [first];
    if (!this.#made) for (const hour of hours) this.#wantList(hour);
    const here = this.#thumbAt(at);
    if (here) this.#wantImage(here.url);
    if (short && !this.#made) for (const url of this.#around(at, hours)) this.#wantImage(url);
    else if (this.#made) this.#wantMadeAround(at, view);
    const wanted = new Set(this.#queue.map(({ name }) => name));
    for (const [name, abort] of this.#loading) if (!wanted.has(name)) abort.abort();
    this.#go();
  }

  #wantMadeAround(at: WallUs, view: Range): void {
    // Each costs the recorder a decoded picture: only the neighbours, and only where a pixel is no longer than they are apart.
    if (view.end - view.start > 2 * HOUR_US) return;
    for (const by of [1, -1, 2, -2]) this.#wantImage(this.#madeAt(wallUs(at + by * madeEveryUs)).url);
  }

  /** Pictures nearest to a moment. */
  #around(at: WallUs, hours: readonly number[]): string[] {
    const urls = new Map<string, number>();
    for (const hour of hours) {
      for (const thumb of this.#lists.get(hour)?.thumbs ?? []) {
        const away = Math.abs(thumb.at - at);
        if (away < (urls.get(thumb.url) ?? Infinity)) urls.set(thumb.url, away);
      }
    }
    const nearest = [...urls].sort((a, b) => a[1] - b[1]).map(([url]) => url);
    const made = nearest.filter(isMade).slice(0, madeAheadMost);
    return nearest.slice(0, aheadMost).filter((url) => !isMade(url) || made.includes(url));
  }

  #wantList(hour: number): void {
    const known = this.#lists.get(hour);
    if (known && (known.complete || performance.now() - known.atMs < freshMs)) return;
    this.#queue.push({ name: `list ${hour}`, load: (signal) => this.#loadList(hour, signal) });
  }

  #wantImage(url: string): void {
    if (this.#images.has(url)) return;
    this.#queue.push({ name: url, load: (signal) => this.#loadImage(url, signal) });
  }

  #go(): void {
    for (const { name, load } of this.#queue) {
      if (this.#loading.size >= loadingMost) return;
      if (this.#loading.has(name)) continue;
      const abort = new AbortController();
      this.#loading.set(name, abort);
      void load(abort.signal)
        .catch(() => undefined)
        .finally(() => {
          if (this.#loading.get(name) === abort) this.#loading.delete(name);
          this.#queue = this.#queue.filter((wanted) => wanted.name !== name);
          this.#go();
        });
    }
  }

  async #loadList(hour: number, signal: AbortSignal): Promise<void> {
    const [start, end] = [wallUs(hour * HOUR_US), wallUs((hour + 1) * HOUR_US)];
    const url = streamUrl(this.#stream, 'thumbnails.json', { start: toRfc3339(start), end: toRfc3339(end) });
    const answer = await this.#fetch(url, signal);
    if (!answer.ok) {
      const { code } = (await answer.json().catch(() => ({}))) as { code?: string };
      // An older recorder, which does not know the address.
      this.#made ||= code === 'unknown_route';
      this.#lists.set(hour, { thumbs: [], atMs: performance.now(), complete: false });
      return this.#tell();
    }
    const thumbs = thumbsOf(await answer.json(), url);
    const complete = end < recorderNow() - HOUR_US / 2;
    this.#lists.set(hour, { thumbs, atMs: performance.now(), complete });
    dropOldest(this.#lists, listsMost);
    this.#tell();
  }

  async #loadImage(url: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#fetch(url, signal);
    if (answer.status === 404 || answer.status === 410) this.#images.set(url, null);
    if (!answer.ok) return this.#tell();
    this.#images.set(url, await createImageBitmap(await answer.blob()));
    let pixels = 0;
    for (const image of this.#images.values()) pixels += image ? image.width * image.height : 0;
    for (const [old, image] of this.#images) {
      if (pixels <= pixelsMost || old === url) break;
      pixels -= image ? image.width * image.height : 0;
      this.#images.delete(old);
    }
    this.#tell();
  }

  #tell(): void {
    for (const changed of this.#listeners) changed();
  }
}

function dropOldest<K, V>(kept: Map<K, V>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(key);
  }
}

function hourOf(at: number): number {
  return Math.floor(at / HOUR_US);
}

function hoursOf(view: Range): number[] {
  const [first, last] = [hourOf(view.start), hourOf(view.end)];
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The one shown at a moment; thumbnails are in order of time. */
export function thumbIn(thumbs: readonly Thumb[], at: WallUs): Thumb | null {
  let [low, high] = [0, thumbs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((thumbs[middle] as Thumb).at <= at) low = middle + 1;
    else high = middle;
  }
  const thumb = thumbs[low - 1];
  return thumb && contains({ start: thumb.at, end: thumb.until }, at) ? thumb : null;
}

export function thumbsOf(answer: unknown, url: string): Thumb[] {
  const { thumbnails } = answer as { thumbnails?: (Omit<Thumb, 'at' | 'until' | 'url'> & Listed)[] };
  return (thumbnails ?? []).map(({ at_us, until_us, image, x, y, w, h }) => ({
    at: wallUs(at_us),
    until: wallUs(until_us),
    url: new URL(image, url).href,
    // One picture alone is as large as its pixels' shape makes it.
    ...(isMade(image) || !w || !h ? { x: 0, y: 0, w: 0, h: 0 } : { x: x ?? 0, y: y ?? 0, w, h }),
  }));
}

function isMade(url: string): boolean {
  return url.includes('frame.jpg?');
}

interface Listed {
  readonly at_us: number;
  readonly until_us: number;
  /** Relative to the list. */
  readonly image: string;
}

/** Draws it over all of a canvas; sizes are the canvas's own. */
export function drawSmall(canvas: HTMLCanvasElement, { thumb, image }: Small): void {
  const ctx = canvas.getContext('2d', { alpha: false });
  if (!ctx) return;
  const [w, h] = thumb.w > 0 ? [thumb.w, thumb.h] : [image.width, image.height];
  ctx.imageSmoothingQuality = 'medium';
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  const scale = Math.min(canvas.width / w, canvas.height / h);
  const [width, height] = [w * scale, h * scale];
  ctx.drawImage(image, thumb.x, thumb.y, w, h, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}

const stores = new Map<string, Thumbnails>();

/** One for each stream, shared by all that show it. */
export function thumbnailsOf(stream: string): Thumbnails {
  let store = stores.get(stream);
  if (!store) {
    // A wall has nine; whoever walks through hundreds of streams leaves the first ones behind.
    dropOldest(stores, 11);
    stores.set(stream, (store = new Thumbnails(stream)));
  }
  return store;
}
