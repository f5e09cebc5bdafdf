/**
 * Pictures without a video element: one keyframe, decoded by WebCodecs, painted on a canvas.
 *
 * The recorder cuts the keyframe before a moment out of the footage (`frame.mp4`, nothing is decoded there), which is some
 * fifty kilobytes and one round trip. So a picture of another day is on screen long before a media source has been
 * opened, filled and sought. Where the browser has no decoder (HEVC in Chromium, pages served without TLS) the recorder
 * decodes (`frame.jpg`).
 */
import { frameMp4Url, frameUrl } from '../api/client';
import { type WallUs, wallUs } from '../time/timestamp';
import { type VideoFormat, samplesOf, videoFormat } from './mp4';

/** What can be drawn, and when it was taken. Belongs to the cache here: draw it, do not close it. */
export interface Picture {
  readonly at: WallUs;
  readonly image: ImageBitmap;
}

/** Nothing is wider on a JPEG fallback: it is a preview, and the recorder pays for its pixels. */
const jpegWidth = 1280;
/** Keyframes kept decoded: 1080p is 8 MB each. */
const keptMost = 12;

/**
 * Paints the keyframe at or before `at` (`null`: the newest) and says when it was taken. `null` when there is none, when
 * nobody can decode it, or when `signal` was aborted; the canvas is untouched then.
 */
export async function paintKeyframe(
  canvas: HTMLCanvasElement,
  stream: string,
  at: WallUs | null,
  signal?: AbortSignal,
): Promise<{ at: WallUs } | null> {
  const picture = await keyframe(stream, at, signal);
  if (!picture || signal?.aborted) return null;
  paint(canvas, picture.image);
  return { at: picture.at };
}

export function paint(canvas: HTMLCanvasElement, image: ImageBitmap | VideoFrame): void {
  const width = 'displayWidth' in image ? image.displayWidth : image.width;
  const height = 'displayHeight' in image ? image.displayHeight : image.height;
  // Assigning a size clears the canvas and gives up its memory: only where it changes.
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.getContext('2d', { alpha: false })?.drawImage(image, 0, 0, width, height);
}

/** The keyframe at or before `at`, from memory where it is there. */
export async function keyframe(stream: string, at: WallUs | null, signal?: AbortSignal): Promise<Picture | null> {
  const kept = at === null ? undefined : memory.find(stream, at);
  if (kept) return kept;
  try {
    const picture = (await decoded(stream, at, signal)) ?? (await pictured(stream, at, signal));
    if (picture && at !== null) memory.keep(stream, at, picture);
    return picture;
  } catch {
    // Aborted, offline or damaged: a preview that is not there is no event.
    return null;
  }
}

/** Asked for before it is needed. */
export function prefetchKeyframe(stream: string, at: WallUs, signal?: AbortSignal): void {
  void keyframe(stream, at, signal);
}

/**
 * Which keyframes are in memory. An answer says when its picture was taken but not when the next one was: a keyframe
 * counts for all moments between its own and the latest it was the answer to.
 */
class Memory {
  #kept: { stream: string; until: WallUs; picture: Picture }[] = [];

  find(stream: string, at: WallUs): Picture | undefined {
    return this.#kept.find((k) => k.stream === stream && k.picture.at <= at && at <= k.until)?.picture;
  }

  keep(stream: string, at: WallUs, picture: Picture): void {
    const known = this.#kept.find((k) => k.stream === stream && k.picture.at === picture.at);
    if (known) known.until = wallUs(Math.max(known.until, at));
    // Not closed when they leave: somebody may be about to draw them. They go when nobody holds them.
    else this.#kept = [{ stream, until: at, picture }, ...this.#kept.slice(0, keptMost - 1)];
  }
}
const memory = new Memory();

/** By this browser's decoder; `null` when it has none. Throws when there is no footage. */
async function decoded(stream: string, at: WallUs | null, signal?: AbortSignal): Promise<Picture | null> {
  if (!('VideoDecoder' in globalThis) || undecodable.has(stream)) return null;
  const answer = await get(frameMp4Url(stream, at), signal);
  const file = new Uint8Array(await answer.arrayBuffer());
  const format = videoFormat(file);
  if (!format || !(await isDecodable(format))) {
    // Not asked again for a while: another run of the stream may well have another format.
    undecodable.add(stream);
    setTimeout(() => undecodable.delete(stream), 10_000);
    return null;
  }
  const [sample] = samplesOf(file, format.trackId);
  if (!sample || signal?.aborted) return null;
  const bytes = file.subarray(sample.offset, sample.offset + sample.size);
  const image = await decoderFor(format).picture(bytes);
  return image && { at: takenAt(answer), image };
}
const undecodable = new Set<string>();

/** By the recorder. */
async function pictured(stream: string, at: WallUs | null, signal?: AbortSignal): Promise<Picture> {
  const answer = await get(frameUrl(stream, at, jpegWidth), signal);
  return { at: takenAt(answer), image: await createImageBitmap(await answer.blob()) };
}

async function get(url: string, signal?: AbortSignal): Promise<Response> {
  const answer = await fetch(url, { credentials: 'same-origin', signal: signal ?? null });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer;
}

function takenAt(answer: Response): WallUs {
  return wallUs(Number(answer.headers.get('retroview-at-us')));
}

/** Asking takes a round trip to another process: once per codec. */
const answers = new Map<string, Promise<boolean>>();

export function isDecodable(format: VideoFormat): Promise<boolean> {
  const known = answers.get(format.codec);
  if (known) return known;
  const asked = VideoDecoder.isConfigSupported(configOf(format)).then(
    ({ supported }) => supported === true,
    () => false,
  );
  answers.set(format.codec, asked);
  return asked;
}

export function configOf(format: VideoFormat): VideoDecoderConfig {
  return {
    codec: format.codec,
    codedWidth: format.width,
    codedHeight: format.height,
    ...(format.description ? { description: format.description } : {}),
    optimizeForLatency: true,
  };
}

/** Opening a decoder costs more than a keyframe: they are kept, one per format, as long as pictures are asked for. */
const decoders = new Map<string, KeyframeDecoder>();
const decodersMost = 3;

function decoderFor(format: VideoFormat): KeyframeDecoder {
  const key = `${format.codec} ${format.width}x${format.height} ${format.description ?? ''}`;
  let decoder = decoders.get(key);
  if (!decoder || decoder.broken) {
    decoder = new KeyframeDecoder(configOf(format));
    decoders.set(key, decoder);
    for (const [old, it] of decoders) {
      if (decoders.size <= decodersMost) break;
      it.close();
      decoders.delete(old);
    }
  }
  return decoder;
}

/** One keyframe after the other, in the order in which they were asked for. */
class KeyframeDecoder {
  #decoder: VideoDecoder;
  #frame: VideoFrame | null = null;
  #last: Promise<unknown> = Promise.resolve();
  broken = false;

  constructor(config: VideoDecoderConfig) {
    this.#decoder = new VideoDecoder({
      output: (frame) => {
        this.#frame?.close();
        this.#frame = frame;
      },
      error: () => (this.broken = true),
    });
    this.#decoder.configure(config);
  }

  picture(bytes: Uint8Array): Promise<ImageBitmap | null> {
    const next = this.#last.then(() => this.#decode(bytes));
    this.#last = next.catch(() => (this.broken = true));
    return next;
  }

  async #decode(bytes: Uint8Array): Promise<ImageBitmap | null> {
    this.#decoder.decode(new EncodedVideoChunk({ type: 'key', timestamp: 0, data: bytes }));
    // A decoder keeps frames back until it knows that none comes before them.
    await this.#decoder.flush();
    const frame = this.#frame;
    this.#frame = null;
    if (!frame) return null;
    try {
      return await createImageBitmap(frame);
    } finally {
      // A frame that is kept is one the decoder cannot use again.
      frame.close();
    }
  }

  close(): void {
    void this.#last.then(() => {
      if (this.#decoder.state !== 'closed') this.#decoder.close();
    });
  }
}
