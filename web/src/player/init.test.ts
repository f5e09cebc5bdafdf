import { describe, expect, test } from 'vitest';
import { lacking, sameTracks, tracksOf } from './init';

function box(type: string, ...parts: (string | number[] | Uint8Array)[]): Uint8Array {
  const bytes = parts.flatMap((p) => (typeof p === 'string' ? [...p].map((c) => c.charCodeAt(0)) : [...p]));
  const size = bytes.length + 8;
  return Uint8Array.from([0, 0, size >> 8, size & 255, ...[...type].map((c) => c.charCodeAt(0)), ...bytes]);
}

function track(handler: string, format: string): Uint8Array {
  const hdlr = box('hdlr', [0, 0, 0, 0, 0, 0, 0, 0], handler, new Uint8Array(12));
  const stsd = box('stsd', [0, 0, 0, 0, 0, 0, 0, 1], box(format, new Uint8Array(70)));
  return box('trak', box('tkhd', new Uint8Array(84)), box('mdia', hdlr, box('minf', box('stbl', stsd))));
}

function init(...tracks: Uint8Array[]): ArrayBuffer {
  const ftyp = box('ftyp', 'isom', [0, 0, 2, 0]);
  const moov = box('moov', box('mvhd', new Uint8Array(100)), ...tracks);
  return Uint8Array.from([...ftyp, ...moov]).buffer;
}

describe('an init segment', () => {
  test('names its tracks and their formats', () => {
    expect(tracksOf(init(track('vide', 'avc1'), track('soun', 'mp4a')))).toEqual({ video: 'avc1', audio: 'mp4a' });
    expect(tracksOf(init(track('vide', 'hvc1')))).toEqual({ video: 'hvc1', audio: null });
    expect(tracksOf(init(track('soun', 'Opus')))).toEqual({ video: null, audio: 'Opus' });
    expect(tracksOf(init(track('meta', 'mett')))).toEqual({ video: null, audio: null });
  });
  test('that is cut off anywhere or garbled is read as far as it goes, without a crash', () => {
    const whole = new Uint8Array(init(track('vide', 'avc1'), track('soun', 'mp4a')));
    for (let length = 0; length < whole.length; length += 1) tracksOf(whole.slice(0, length).buffer);
    for (let i = 0; i < whole.length; i += 1) tracksOf(whole.map((b, j) => (i === j ? 255 - b : b)).buffer);
  });
});

test('a format without a decoder is named, an unknown one is left to the browser', () => {
  const noHevc = (type: string) => !type.includes('hvc1');
  expect(lacking({ video: 'hvc1', audio: 'mp4a' }, noHevc)).toBe('hvc1');
  expect(lacking({ video: 'avc1', audio: 'mp4a' }, noHevc)).toBeNull();
  expect(lacking({ video: 'vp09', audio: null }, () => false)).toBeNull();
});

test('formats may change within a session, the set of tracks may not', () => {
  const both = { video: 'avc1', audio: 'mp4a' };
  expect(sameTracks(both, { video: 'av01', audio: 'Opus' })).toBe(true);
  expect(sameTracks(both, { video: 'avc1', audio: null })).toBe(false);
  expect(sameTracks(both, { video: null, audio: 'mp4a' })).toBe(false);
});
