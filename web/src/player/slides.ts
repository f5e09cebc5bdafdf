/**
 * A segment as single pictures, decoded by WebCodecs: for playing backwards, where a video element cannot.
 *
 * A decoder only goes forwards, so a segment is decoded as a whole and every so many of its pictures is kept, small enough
 * that two segments of them fit into a phone.
 */
import { type WallUs, wallUs } from '../time/timestamp';
import { configOf, isDecodable, keyframe, type Picture } from './keyframe';
import { type Sample, type VideoFormat, samplesOf, videoFormat } from './mp4';
import type { Entry } from './playlist';

/** Kept pictures are no wider: a hundred of them are 60 MB. */
const widthMost = 640;

export interface SlideWish {
  readonly entry: Entry;
  /** Wall time the segment covers. */
  readonly until: WallUs;
  /** How many pictures are worth having. */
  readonly most: number;
  /** Only keyframes are worth decoding. */
  readonly keysOnly: boolean;
}

/** In time order; at least the keyframe where there is one at all. */
export async function slidesOf(stream: string, wish: SlideWish, signal: AbortSignal): Promise<Picture[]> {
  const several = wish.most > 1 ? await decodeSegment(wish, signal).catch(() => null) : null;
  if (several && several.length > 0) return several;
  const one = signal.aborted ? null : await keyframe(stream, wish.entry.start, signal);
  return one ? [one] : [];
}

async function decodeSegment(wish: SlideWish, signal: AbortSignal): Promise<Picture[] | null> {
  if (!('VideoDecoder' in globalThis)) return null;
  const format = await formatOf(wish.entry.init);
  if (!format || !(await isDecodable(format))) return null;
  const file = await bytesOf(wish.entry.uri, signal);
  const samples = samplesOf(file, format.trackId);
  const keys = samples.filter((s) => s.isKey);
  // With enough keyframes in it nothing else needs decoding.
  const chosen = wish.keysOnly || keys.length >= wish.most ? keys : samples;
  return chosen.length > 0 ? await decode(format, file, samples, chosen, wish, signal) : null;
}

async function decode(
  format: VideoFormat,
  file: Uint8Array,
  all: readonly Sample[],
  chosen: readonly Sample[],
  { entry, until, most }: SlideWish,
  signal: AbortSignal,
): Promise<Picture[]> {
  const length = all.reduce((sum, s) => sum + s.durationTicks, 0) || 1;
  const origin = Math.min(...all.map((s) => s.shownTicks));
  /** Inside a segment media time runs evenly over wall time. */
  const wallOf = (ticks: number) => wallUs(entry.start + ((ticks - origin) / length) * (until - entry.start));
  const wanted = evenly(
    chosen.map((s) => s.shownTicks).sort((a, b) => a - b),
    most,
  );
  const kept: Promise<Picture>[] = [];
  const failed: unknown[] = [];
  const decoder = new VideoDecoder({
    output: (frame) => {
      const ticks = frame.timestamp;
      if (!wanted.has(ticks) || signal.aborted) return frame.close();
      kept.push(smaller(frame).then((image) => ({ at: wallOf(ticks), image })));
    },
    error: (error) => failed.push(error),
  });
  try {
    decoder.configure(configOf(format));
    for (const s of chosen) {
      const data = file.subarray(s.offset, s.offset + s.size);
      // Its place on screen travels with the frame; the unit is nobody's business but ours.
      decoder.decode(new EncodedVideoChunk({ type: s.isKey ? 'key' : 'delta', timestamp: s.shownTicks, data }));
    }
    await decoder.flush();
  } finally {
    if (decoder.state !== 'closed') decoder.close();
  }
  const pictures = await Promise.all(kept);
  return pictures.sort((a, b) => a.at - b.at);
}

async function smaller(frame: VideoFrame): Promise<ImageBitmap> {
  try {
    const width = Math.min(frame.displayWidth, widthMost);
    return await createImageBitmap(frame, { resizeWidth: width, resizeQuality: 'low' });
  } finally {
    frame.close();
  }
}

/** The first and, evenly over the rest, as many as asked for. */
export function evenly(times: readonly number[], most: number): ReadonlySet<number> {
  const step = Math.max(1, times.length / most);
  const picked = new Set<number>();
  for (let i = 0; i < times.length; i += step) picked.add(times[Math.floor(i)] as number);
  return picked;
}

/** Init segments never change: kept by address. */
const formats = new Map<string, Promise<VideoFormat | null>>();
const formatsMost = 30;

function formatOf(init: string): Promise<VideoFormat | null> {
  const known = formats.get(init);
  if (known) return known;
  const asked = bytesOf(init).then(videoFormat);
  asked.catch(() => formats.delete(init));
  formats.set(init, asked);
  const [oldest] = formats.keys();
  if (formats.size > formatsMost && oldest !== undefined) formats.delete(oldest);
  return asked;
}

async function bytesOf(url: string, signal?: AbortSignal): Promise<Uint8Array> {
  const answer = await fetch(url, { credentials: 'same-origin', signal: signal ?? null });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
