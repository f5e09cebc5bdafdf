/** A picture as a PNG with its time: in a strip below it, in the file's own text, and in its name. */
import { formatStamp } from '../../time/format';
import { MILLISECOND_US, SECOND_US, type WallUs, toRfc3339, wallUs } from '../../time/timestamp';
import { UTC, type Zone, offsetName } from '../../time/zone';

/** Times on pictures are whole milliseconds; the mapping from media time is exact to a few microseconds. */
export function toMillisecond(at: WallUs): WallUs {
  return wallUs(Math.round(at / MILLISECOND_US) * MILLISECOND_US);
}

/** `Yard · 2026-05-03 12:00:20.040 UTC+2 (10:00:20.040 UTC)`: in the viewer's time, and in the one that needs no zone. */
export function captionOf(title: string, at: WallUs, zone: Zone): string {
  const ms = `.${String(Math.floor((at % SECOND_US) / MILLISECOND_US)).padStart(3, '0')}`;
  const utc = `${formatStamp(at, UTC)}${ms}`;
  const offset = offsetName(at, zone);
  if (offset === 'UTC') return `${title} · ${utc} UTC`;
  const local = `${formatStamp(at, zone)}${ms} ${offset}`;
  const sameDay = local.slice(0, 10) === utc.slice(0, 10);
  return `${title} · ${local} (${sameDay ? utc.slice(11) : utc} UTC)`;
}

/** The strip's height and its letters' for a picture of that width: as large as fits on one line, and readable. */
export function stripOf(
  width: number,
  height: number,
  measure: (px: number) => number,
): { px: number; height: number } {
  const padding = 12;
  let px = Math.max(12, Math.round(height / 32));
  while (px > 9 && measure(px) > width - 2 * padding) px -= 1;
  return { px, height: Math.round(px * 2) };
}

const family = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

/** The picture at its own size, and below it the caption; nothing of the picture is covered. */
export function drawStill(
  picture: CanvasImageSource,
  width: number,
  height: number,
  caption: string,
): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  const ctx = canvas.getContext('2d');
  if (!ctx) throw new Error('a canvas without a context');
  const strip = stripOf(width, height, (px) => {
    ctx.font = `${px}px ${family}`;
    return ctx.measureText(caption).width;
  });
  canvas.width = width;
  canvas.height = height + strip.height;
  ctx.drawImage(picture, 0, 0, width, height);
  ctx.fillStyle = '#06090a';
  ctx.fillRect(0, height, width, strip.height);
  ctx.fillStyle = '#ffffff';
  ctx.font = `${strip.px}px ${family}`;
  ctx.textBaseline = 'middle';
  ctx.fillText(caption, 12, height + strip.height / 2, width - 24);
  return canvas;
}

/** The file: what is drawn, with the caption and the time as text that programs read (PNG 1.2, section 4.2.3). */
export async function pngOf(canvas: HTMLCanvasElement, caption: string, at: WallUs): Promise<Blob> {
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
  if (!blob) throw new Error('the browser made no picture');
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const texts = { Description: caption, 'Creation Time': toRfc3339(at), Software: 'Retroview' };
  return new Blob([withTexts(bytes, texts)], { type: 'image/png' });
}

/** Signature and header chunk: always the first 33 bytes of a PNG. */
const headBytes = 33;

/** Adds an `iTXt` chunk for each text, after the header. */
export function withTexts(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const chunks = Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text));
  const all = [png.subarray(0, headBytes), ...chunks, png.subarray(headBytes)];
  const file = new Uint8Array(all.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of all) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}

function textChunk(keyword: string, text: string): Uint8Array {
  const encode = new TextEncoder();
  // Keyword, not compressed, no language, no translated keyword, text.
  const body = [...encode.encode(`iTXt${keyword}`), 0, 0, 0, 0, 0, ...encode.encode(text)];
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  return chunk;
}

/** As PNG wants it (its annex D): bit by bit, which is enough for a line of text. */
export function crc32(bytes: readonly number[] | Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
