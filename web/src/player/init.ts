/** What an init segment (`ftyp` + `moov`) promises: which tracks, in which formats. ISO/IEC 14496-12, §8. */

export interface Tracks {
  /** The sample entry's four letters, such as `avc1`, `hvc1`, `av01`; `null` without a video track. */
  readonly video: string | null;
  /** `mp4a`, `Opus`. */
  readonly audio: string | null;
}

const containers = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

export function tracksOf(init: ArrayBuffer): Tracks {
  const found: { video: string | null; audio: string | null } = { video: null, audio: null };
  let handler = '';
  walk(new DataView(init), 0, init.byteLength, (type, view, at) => {
    // Version, flags and a reserved word come before the handler type; version, flags, a count and a size before the entry.
    if (type === 'hdlr') handler = letters(view, at + 8);
    if (type === 'stsd' && handler === 'vide') found.video ??= letters(view, at + 12);
    if (type === 'stsd' && handler === 'soun') found.audio ??= letters(view, at + 12);
  });
  return found;
}

function walk(view: DataView, from: number, to: number, see: (type: string, view: DataView, at: number) => void): void {
  let at = from;
  while (at + 8 <= to) {
    const size = view.getUint32(at);
    const type = letters(view, at + 4);
    // No box of an init segment needs the 64-bit or the open-ended form; a broken one ends the walk.
    if (size < 8 || at + size > to) return;
    if (containers.has(type)) walk(view, at + 8, at + size, see);
    else if (size >= 24) see(type, view, at + 8);
    at += size;
  }
}

function letters(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

/** An ordinary profile of each format: whether there is a decoder at all is what is asked. */
const samples: Readonly<Record<string, string>> = {
  avc1: 'video/mp4; codecs="avc1.64001f"',
  hvc1: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  hev1: 'video/mp4; codecs="hev1.1.6.L93.B0"',
  av01: 'video/mp4; codecs="av01.0.04M.08"',
  mp4a: 'audio/mp4; codecs="mp4a.40.2"',
  Opus: 'audio/mp4; codecs="opus"',
};

/** The first format the browser has no decoder for; `null` when it can play them all. Unknown ones are left to it. */
export function lacking(tracks: Tracks, isSupported: (type: string) => boolean): string | null {
  const formats = [tracks.video, tracks.audio].filter((f) => f !== null);
  return formats.find((f) => samples[f] !== undefined && !isSupported(samples[f])) ?? null;
}

/** Whether one media source can take both, one after the other: formats may change, the set of tracks may not. */
export function sameTracks(a: Tracks, b: Tracks): boolean {
  return (a.video === null) === (b.video === null) && (a.audio === null) === (b.audio === null);
}
