import { describe, expect, test } from 'vitest';
import { SECOND_US, type WallUs, wallUs } from '../time/timestamp';
import { type Mapping, frameStep } from './mapping';
import type { Entry } from './playlist';
import { Reel } from './reel';
import type { LoadPiece } from './source';

const s = (seconds: number): WallUs => wallUs(1_700_000_000 * SECOND_US + seconds * SECOND_US);

/** Segments of four seconds; `#` is recorded, `.` is not: one character is one segment. */
function archive(drawn: string, growing = false): { load: LoadPiece; asked: number[] } {
  const starts = [...drawn].flatMap((c, i) => (c === '#' ? [i * 4] : []));
  const entries: Entry[] = starts.map((start) => ({
    uri: `segments/${s(start)}.m4s`,
    start: s(start),
    mediaUs: 4 * SECOND_US,
    init: 'a',
    discontinuity: false,
  }));
  const asked: number[] = [];
  const load: LoadPiece = (from, until) => {
    asked.push(from);
    const inside = entries.filter((e) => e.start + e.mediaUs > from && (until === null || e.start < until));
    if (inside.length > 0) {
      const ended = !growing || (until !== null && until <= s(drawn.length * 4));
      return Promise.resolve({ kind: 'piece', playlist: { entries: inside, ended, targetDurationS: 4 } });
    }
    const before = entries.filter((e) => e.start + e.mediaUs <= from).pop();
    const after = entries.find((e) => e.start >= (until ?? Infinity));
    const previousEnd = before ? wallUs(before.start + before.mediaUs) : null;
    return Promise.resolve({ kind: 'nothing', previousEnd, nextStart: after?.start ?? null });
  };
  return { load, asked };
}

describe('a reel', () => {
  test('knows the segment at a moment, both ways', async () => {
    for (const direction of [1, -1] as const) {
      const reel = new Reel(archive('####').load);
      expect(await reel.at(s(6), direction)).toMatchObject({ kind: 'footage', from: s(4), until: s(8) });
    }
  });

  test('names a gap with both its ends, from either side', async () => {
    const drawn = '##...##';
    for (const direction of [1, -1] as const) {
      const reel = new Reel(archive(drawn).load);
      await reel.at(direction > 0 ? s(7) : s(21), direction);
      expect(await reel.at(s(10), direction)).toEqual({ kind: 'gap', gap: { start: s(8), end: s(20) } });
    }
  });

  test('leaps a gap of days in two requests', async () => {
    const far = archive(`##${'.'.repeat(50_000)}##`);
    const reel = new Reel(far.load);
    await reel.at(s(7), 1);
    const place = await reel.at(s(9), 1);
    expect(place).toEqual({ kind: 'gap', gap: { start: s(8), end: s(200_008) } });
    expect(far.asked.length).toBeLessThanOrEqual(4);
    expect(await reel.at(s(200_009), 1)).toMatchObject({ kind: 'footage', from: s(200_008) });
  });

  test('ends where footage ends, and where it begins', async () => {
    const reel = new Reel(archive('..##').load);
    await reel.at(s(9), 1);
    expect(await reel.at(s(17), 1)).toEqual({ kind: 'end' });
    expect(await reel.at(s(7), -1)).toEqual({ kind: 'end' });
  });

  test('passes on why it could not be loaded', async () => {
    const problem = { status: 503, code: 'unavailable', detail: '' } as const;
    const reel = new Reel(() => Promise.resolve({ kind: 'problem', problem }));
    expect(await reel.at(s(1), 1)).toEqual({ kind: 'problem', problem });
  });
});

describe('one frame', () => {
  const frameS = 0.04;
  /** Two runs; between them media time has a hole of 20 ms, because sound ended later than the picture. */
  const mapping: Mapping = [
    { start: s(0), end: s(4), mediaStartS: 10, mediaEndS: 14 },
    { start: s(60), end: s(64), mediaStartS: 14.02, mediaEndS: 18.02 },
  ];
  test('stays in its segment', () => {
    expect(frameStep(mapping, 12.02, frameS, 1)).toMatchObject({
      kind: 'inside',
      mediaS: expect.closeTo(12.06) as number,
    });
    expect(frameStep(mapping, 12.02, frameS, -1)).toMatchObject({
      kind: 'inside',
      mediaS: expect.closeTo(11.98) as number,
    });
  });
  test('goes to the first of the next run and to the last of the one before', () => {
    expect(frameStep(mapping, 13.98, frameS, 1)).toMatchObject({
      mediaS: expect.closeTo(14.03) as number,
      into: { start: s(60) },
    });
    expect(frameStep(mapping, 14.04, frameS, -1)).toMatchObject({
      mediaS: expect.closeTo(13.99) as number,
      into: { start: s(0) },
    });
  });
  test('says what it is beside where nothing more is loaded', () => {
    expect(frameStep(mapping, 18, frameS, 1)).toEqual({ kind: 'outside', edge: s(64) });
    expect(frameStep(mapping, 10.02, frameS, -1)).toEqual({ kind: 'outside', edge: s(0) });
    expect(frameStep([], 0, frameS, 1)).toBeNull();
  });
});
