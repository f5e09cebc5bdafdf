import { describe, expect, test } from 'vitest';
import { samplesOf, videoFormat } from './mp4';

const u32 = (n: number) => [(n >>> 24) & 255, (n >> 16) & 255, (n >> 8) & 255, n & 255];
const zeros = (n: number) => new Array<number>(n).fill(0);
const text = (s: string) => [...s].map((c) => c.charCodeAt(0));

function box(type: string, ...parts: number[][]): number[] {
  const bytes = parts.flat();
  return [...u32(bytes.length + 8), ...text(type), ...bytes];
}

function moov(entry: string, config: number[], handler = 'vide'): number[] {
  const visual = [...zeros(24), 5, 0, 2, 208, ...zeros(50)];
  const stsd = box('stsd', zeros(4), u32(1), box(entry, visual, config));
  const mdhd = box('mdhd', zeros(12), u32(90_000), zeros(8));
  const hdlr = box('hdlr', zeros(8), text(handler), zeros(13));
  const trak = box(
    'trak',
    box('tkhd', zeros(12), u32(7), zeros(64)),
    box('mdia', mdhd, hdlr, box('minf', box('stbl', stsd))),
  );
  return box('moov', box('mvhd', zeros(100)), trak);
}

/** Frames of 4 bytes, 3600 ticks each; the third is shown before the second. */
function fragment(trackId: number, startTicks: number): number[] {
  const tfhd = box('tfhd', u32(0), u32(trackId));
  const tfdt = box('tfdt', [1, 0, 0, 0], u32(0), u32(startTicks));
  const rows = [
    [3600, 4, 0x0200_0000, 0],
    [3600, 4, 0x0101_0000, 3600],
    [3600, 4, 0x0101_0000, -3600],
  ];
  const trun = (offset: number) => box('trun', u32(0xf01), u32(3), u32(offset), rows.flat().flatMap(u32));
  const moof = (offset: number) => box('moof', box('mfhd', zeros(8)), box('traf', tfhd, tfdt, trun(offset)));
  return [...moof(moof(0).length + 8), ...box('mdat', zeros(12))];
}

describe('a file', () => {
  test('names the codec as decoders are asked for it', () => {
    const avc = moov('avc1', box('avcC', [1, 0x64, 0, 0x1f, 255]));
    expect(videoFormat(Uint8Array.from(avc))).toEqual({
      codec: 'avc1.64001f',
      description: Uint8Array.from([1, 0x64, 0, 0x1f, 255]),
      width: 1280,
      height: 720,
      trackId: 7,
      timescale: 90_000,
    });
    const hevc = moov('hvc1', box('hvcC', [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93]));
    expect(videoFormat(Uint8Array.from(hevc))?.codec).toBe('hvc1.1.6.L93.90');
    const av1 = moov('av01', box('av1C', [0x81, 0x04, 0x0c, 0]));
    expect(videoFormat(Uint8Array.from(av1))).toMatchObject({ codec: 'av01.0.04M.08', description: null });
    expect(videoFormat(Uint8Array.from(moov('mp4a', [], 'soun')))).toBeNull();
  });

  test('gives the frames of one track in all its fragments, with their order on screen', () => {
    const file = Uint8Array.from([...fragment(7, 90_000), ...fragment(8, 90_000), ...fragment(7, 90_000 + 3 * 3600)]);
    const samples = samplesOf(file, 7);
    expect(samples.map((s) => s.shownTicks / 3600)).toEqual([0, 2, 1, 3, 5, 4]);
    expect(samples.map((s) => s.isKey)).toEqual([true, false, false, true, false, false]);
    expect(samples.every((s) => s.size === 4)).toBe(true);
    expect(new Set(samples.map((s) => s.offset)).size).toBe(6);
  });

  test('that is cut off anywhere or garbled is read as far as it goes, without a crash', () => {
    const whole = Uint8Array.from([...moov('avc1', box('avcC', [1, 100, 0, 31])), ...fragment(7, 0)]);
    for (let length = 0; length < whole.length; length += 1) {
      videoFormat(whole.slice(0, length));
      expect(samplesOf(whole.slice(0, length), 7).every((s) => s.offset + s.size <= length)).toBe(true);
    }
    for (let i = 0; i < whole.length; i += 1) {
      const broken = whole.map((b, j) => (i === j ? 255 - b : b));
      videoFormat(broken);
      expect(samplesOf(broken, 7).length).toBeLessThan(1000);
    }
  });
});
