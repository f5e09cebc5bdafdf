/**
 * What the recorder's own MP4 files hold, as far as a decoder needs it (ISO/IEC 14496-12): the format of the video track
 * out of `moov`, the place, time and kind of each of its frames out of each `moof`.
 *
 * Files come from the recorder, but footage may be damaged: whatever does not add up is read as far as it goes, and
 * nothing here throws.
 */

export interface VideoFormat {
  /** RFC 6381, as decoders are asked for it. */
  readonly codec: string;
  /** The content of `avcC` or `hvcC`; AV1 carries what is needed in its frames. */
  readonly description: Uint8Array | null;
  readonly width: number;
  readonly height: number;
  readonly trackId: number;
  readonly timescale: number;
}

export interface Sample {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly size: number;
  /** When it is shown, in ticks from the first frame of the file in decoding order. */
  readonly shownTicks: number;
  readonly durationTicks: number;
  readonly isKey: boolean;
}

interface Box {
  readonly type: string;
  /** The bytes after its header. */
  readonly from: number;
  readonly to: number;
  readonly start: number;
}

/** `null` without a video track, or in a format that is not known here. */
export function videoFormat(file: Uint8Array): VideoFormat | null {
  const view = viewOf(file);
  const moov = find(view, 0, file.length, 'moov');
  if (!moov) return null;
  for (const trak of boxes(view, moov.from, moov.to)) {
    if (trak.type !== 'trak') continue;
    const format = videoTrack(view, trak);
    if (format) return format;
  }
  return null;
}

function videoTrack(view: DataView, trak: Box): VideoFormat | null {
  const tkhd = find(view, trak.from, trak.to, 'tkhd');
  const mdia = find(view, trak.from, trak.to, 'mdia');
  const mdhd = mdia && find(view, mdia.from, mdia.to, 'mdhd');
  const hdlr = mdia && find(view, mdia.from, mdia.to, 'hdlr');
  const minf = mdia && find(view, mdia.from, mdia.to, 'minf');
  const stbl = minf && find(view, minf.from, minf.to, 'stbl');
  const stsd = stbl && find(view, stbl.from, stbl.to, 'stsd');
  if (!tkhd || !mdhd || !hdlr || !stsd || letters(view, hdlr.from + 8) !== 'vide') return null;
  const [entry] = boxes(view, stsd.from + 8, stsd.to);
  // A visual sample entry has 78 bytes before its boxes.
  if (!entry || entry.to - entry.from < 78) return null;
  const found = codecOf(view, entry);
  if (!found) return null;
  const wide = (at: number) => (u8(view, at) === 1 ? 20 : 12);
  return {
    ...found,
    width: u16(view, entry.from + 24),
    height: u16(view, entry.from + 26),
    trackId: u32(view, tkhd.from + wide(tkhd.from)),
    timescale: u32(view, mdhd.from + wide(mdhd.from)) || 1,
  };
}

function codecOf(view: DataView, entry: Box): Pick<VideoFormat, 'codec' | 'description'> | null {
  for (const box of boxes(view, entry.from + 78, entry.to)) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + box.from, box.to - box.from);
    if (box.type === 'avcC') return { codec: `avc1.${hex(bytes, 1, 4)}`, description: bytes };
    if (box.type === 'hvcC') return { codec: hevcCodec(entry.type, bytes), description: bytes };
    if (box.type === 'av1C') return { codec: av1Codec(bytes), description: null };
  }
  return null;
}

/** ISO/IEC 14496-15, annex E. */
function hevcCodec(entry: string, hvcC: Uint8Array): string {
  const byte = (i: number) => hvcC[i] ?? 0;
  const space = ['', 'A', 'B', 'C'][byte(1) >> 6] ?? '';
  const tier = byte(1) & 0x20 ? 'H' : 'L';
  const flags = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
  // The flags are written with their bits in reverse.
  let compatible = 0;
  for (let i = 0; i < 32; i += 1) compatible = ((compatible << 1) | ((flags >>> i) & 1)) >>> 0;
  const constraints = [6, 7, 8, 9, 10, 11].map(byte);
  while (constraints.length > 0 && constraints[constraints.length - 1] === 0) constraints.pop();
  const tail = constraints.map((c) => `.${c.toString(16).toUpperCase()}`).join('');
  return `${entry}.${space}${byte(1) & 0x1f}.${compatible.toString(16).toUpperCase()}.${tier}${byte(12)}${tail}`;
}

/** AV1 in ISO BMFF, §5. */
function av1Codec(av1C: Uint8Array): string {
  const [, second = 0, third = 0] = av1C;
  const level = String(second & 0x1f).padStart(2, '0');
  const highDepth = (third & 0x40) !== 0;
  const depth = highDepth ? ((third & 0x20) !== 0 ? '12' : '10') : '08';
  return `av01.${second >> 5}.${level}${(third & 0x80) !== 0 ? 'H' : 'M'}.${depth}`;
}

/** Flags of a sample: it depends on others. */
const dependsBit = 0x0001_0000;

/** The frames of one track, in decoding order, out of all fragments of the file. */
export function samplesOf(file: Uint8Array, trackId: number): Sample[] {
  const view = viewOf(file);
  const samples: Sample[] = [];
  let firstTicks: number | null = null;
  for (const moof of boxes(view, 0, file.length)) {
    if (moof.type !== 'moof') continue;
    for (const traf of boxes(view, moof.from, moof.to)) {
      if (traf.type !== 'traf') continue;
      const head = trackHead(view, traf);
      if (!head || head.trackId !== trackId) continue;
      firstTicks ??= head.startTicks;
      readRuns(view, moof, traf, head, firstTicks, samples);
    }
  }
  return samples.filter((s) => s.size > 0 && s.offset + s.size <= file.length);
}

interface TrackHead {
  readonly trackId: number;
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
  /** Decoding time of the first frame. */
  readonly startTicks: number;
}

function trackHead(view: DataView, traf: Box): TrackHead | null {
  const tfhd = find(view, traf.from, traf.to, 'tfhd');
  if (!tfhd) return null;
  const present = u32(view, tfhd.from) & 0xff_ffff;
  let at = tfhd.from + 8;
  const next = (bit: number, bytes: number): number => {
    if ((present & bit) === 0) return 0;
    at += bytes;
    return u32(view, at - 4);
  };
  next(0x1, 8);
  next(0x2, 4);
  const duration = next(0x8, 4);
  const size = next(0x10, 4);
  const flags = next(0x20, 4);
  const tfdt = find(view, traf.from, traf.to, 'tfdt');
  const long = tfdt !== null && u8(view, tfdt.from) === 1;
  const startTicks = !tfdt
    ? 0
    : long
      ? u32(view, tfdt.from + 4) * 2 ** 32 + u32(view, tfdt.from + 8)
      : u32(view, tfdt.from + 4);
  return { trackId: u32(view, tfhd.from + 4), duration, size, flags, startTicks };
}

/** A fragment of the recorder's holds a few hundred frames; a count that does not fit the box is not believed. */
function readRuns(view: DataView, moof: Box, traf: Box, head: TrackHead, firstTicks: number, into: Sample[]): void {
  let ticks = head.startTicks - firstTicks;
  for (const trun of boxes(view, traf.from, traf.to)) {
    if (trun.type !== 'trun') continue;
    const present = u32(view, trun.from) & 0xff_ffff;
    const count = u32(view, trun.from + 4);
    let at = trun.from + 8;
    const word = () => u32(view, (at += 4) - 4);
    let offset = moof.start + (present & 0x1 ? word() : 0);
    const firstFlags = present & 0x4 ? word() : null;
    const each = [0x100, 0x200, 0x400, 0x800].filter((bit) => present & bit).length * 4;
    for (let i = 0; i < count && at + each <= trun.to; i += 1) {
      const duration = present & 0x100 ? word() : head.duration;
      const size = present & 0x200 ? word() : head.size;
      const own = present & 0x400 ? word() : head.flags;
      const flags = i === 0 && firstFlags !== null ? firstFlags : own;
      // Version 0 is unsigned by the letter and signed by the habit of muxers; no frame is shown a day late.
      const later = present & 0x800 ? word() | 0 : 0;
      into.push({
        offset,
        size,
        shownTicks: ticks + later,
        durationTicks: duration,
        isKey: (flags & dependsBit) === 0,
      });
      offset += size;
      ticks += duration;
    }
  }
}

function find(view: DataView, from: number, to: number, type: string): Box | null {
  for (const box of boxes(view, from, to)) if (box.type === type) return box;
  return null;
}

function* boxes(view: DataView, from: number, to: number): Generator<Box> {
  let at = from;
  const limit = Math.min(to, view.byteLength);
  while (at + 8 <= limit) {
    const size = u32(view, at);
    // None of the recorder's boxes needs the 64-bit or the open-ended form.
    if (size < 8 || at + size > limit) return;
    yield { type: letters(view, at + 4), start: at, from: at + 8, to: at + size };
    at += size;
  }
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}

// Past the end everything is zero: a box that is cut short says nothing.
const u8 = (view: DataView, at: number) => (at + 1 <= view.byteLength ? view.getUint8(at) : 0);
const u16 = (view: DataView, at: number) => (at + 2 <= view.byteLength ? view.getUint16(at) : 0);
const u32 = (view: DataView, at: number) => (at + 4 <= view.byteLength ? view.getUint32(at) : 0);

function letters(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => u8(view, at + i)));
}

function hex(bytes: Uint8Array, from: number, to: number): string {
  return [...bytes.slice(from, to)].map((b) => b.toString(16).padStart(2, '0')).join('');
}
