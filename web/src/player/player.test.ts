import { describe, expect, test } from 'vitest';
import { type WallUs, wallUs } from '../time/timestamp';
import { type Feed, append, covers, end, footage, pieceUs, span, startFeed, trim, wanted } from './feed';
import { Keeper } from './keeper';
import { estimate, toMedia, toWall } from './mapping';
import { type Entry, type Playlist, parsePlaylist, renderPlaylist } from './playlist';
import type { Piece } from './source';

const S = 1_000_000;

/**
 * Footage drawn as text: one letter is a segment of four seconds of that run, a dot four seconds without. `at` is the
 * time of the first character, in seconds.
 */
function entries(drawn: string, at = 0): Entry[] {
  return [...drawn].flatMap((run, i) => {
    if (run === '.') return [];
    const start = wallUs((at + i * 4) * S);
    return {
      uri: `http://r/segments/${start}.m4s`,
      start,
      mediaUs: 4 * S,
      init: `http://r/init/${run}.mp4`,
      discontinuity: i > 0 && drawn[i - 1] !== run,
    };
  });
}

function piece(drawn: string, at = 0): Playlist {
  return { entries: entries(drawn, at), ended: true, targetDurationS: 4 };
}

function feed(drawn: string, at = 0): Feed {
  const started = startFeed(piece(drawn, at));
  if (!started) throw new Error('nothing drawn');
  return started;
}

/** The reverse of `entries`. */
function drawing(f: { entries: readonly Entry[] }): string {
  const first = f.entries[0]?.start ?? 0;
  const cells: string[] = [];
  for (const e of f.entries) cells[(e.start - first) / (4 * S)] = /init\/(.)/.exec(e.init)?.[1] ?? '?';
  return Array.from(cells, (c) => c ?? '.').join('');
}

const seconds = (s: number) => wallUs(s * S);

describe('a playlist', () => {
  const text = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-TARGETDURATION:4',
    '#EXT-X-MEDIA-SEQUENCE:900',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-START:TIME-OFFSET=2.000000,PRECISE=YES',
    '#EXT-X-MAP:URI="init/01A.mp4"',
    '#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10.000Z',
    '#EXTINF:4.004000,',
    'segments/10000000.m4s',
    '#EXTINF:3.5,',
    'segments/14003900.m4s',
    '#EXT-X-DISCONTINUITY',
    '#EXT-X-MAP:URI="init/01B.mp4?token=x"',
    '#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00.000Z',
    '#EXTINF:4.000000,',
    'segments/60000000.m4s?token=x',
    '#EXT-X-ENDLIST',
    '',
  ].join('\n');
  const url = 'http://r/v1/streams/cam/media.m3u8?start=1';

  test('is read with exact starts, runs and absolute addresses', () => {
    const p = parsePlaylist(text, url);
    expect(p?.ended).toBe(true);
    expect(p?.entries).toEqual([
      {
        uri: 'http://r/v1/streams/cam/segments/10000000.m4s',
        start: 10_000_000,
        mediaUs: 4_004_000,
        init: 'http://r/v1/streams/cam/init/01A.mp4',
        discontinuity: false,
      },
      {
        uri: 'http://r/v1/streams/cam/segments/14003900.m4s',
        start: 14_003_900,
        mediaUs: 3_500_000,
        init: 'http://r/v1/streams/cam/init/01A.mp4',
        discontinuity: false,
      },
      {
        uri: 'http://r/v1/streams/cam/segments/60000000.m4s?token=x',
        start: 60_000_000,
        mediaUs: 4_000_000,
        init: 'http://r/v1/streams/cam/init/01B.mp4?token=x',
        discontinuity: true,
      },
    ]);
  });
  test('with other addresses is timed by its clock', () => {
    const p = parsePlaylist(text.replaceAll('segments/', 's/'), url);
    expect(p?.entries.map((e) => e.start)).toEqual([10_000_000, 14_004_000, 60_000_000]);
  });
  test.each([
    ['an error page', '<html></html>'],
    ['a segment without a length', '#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\na.m4s'],
    ['a segment without a time', '#EXTM3U\n#EXTINF:4,\na.m4s'],
    ['a length that is no number', '#EXTM3U\n#EXTINF:x,\nsegments/1.m4s'],
  ])('that is %s is refused', (_, bad) => expect(parsePlaylist(bad, url)).toBeNull());
  test('without segments is empty, not wrong', () => {
    expect(parsePlaylist('#EXTM3U\n#EXT-X-ENDLIST\n', url)?.entries).toEqual([]);
  });
  test('survives being written and read again', () => {
    const p = parsePlaylist(text, url);
    if (!p) throw new Error('not read');
    const again = parsePlaylist(renderPlaylist({ ...p, firstSequence: 3, firstDiscontinuity: 1 }), 'http://elsewhere/');
    expect(again?.entries).toEqual(p.entries);
    expect(again?.ended).toBe(true);
  });
  test('is written with a target no shorter than its longest segment', () => {
    const long = { ...piece('AA'), targetDurationS: 2, firstSequence: 0, firstDiscontinuity: 0 };
    expect(renderPlaylist(long)).toContain('#EXT-X-TARGETDURATION:4');
  });
});

describe('the feed', () => {
  test('takes what is new from a piece that overlaps', () => {
    expect(drawing(append(feed('AAAB'), piece('ABBC', 8)))).toBe('AAABBC');
    expect(drawing(append(feed('AAAB'), piece('AB', 8)))).toBe('AAAB');
  });
  test('marks a discontinuity where another run is joined on, and none inside a run', () => {
    const marks = (f: Feed) => f.entries.map((e) => e.discontinuity);
    expect(marks(append(feed('AA'), piece('AB', 8)))).toEqual([false, false, false, true]);
    expect(marks(append(feed('AA'), piece('BB', 8)))).toEqual([false, false, true, false]);
  });
  test('marks a discontinuity where part of a run is lost between two pieces', () => {
    const joined = append(feed('AA'), piece('AA', 12));
    expect(joined.entries.map((e) => e.discontinuity)).toEqual([false, false, true, false]);
  });
  test('keeps numbers steady while old entries leave', () => {
    const f = feed('AABBC');
    const t = trim(f, seconds(17));
    expect(drawing(t)).toBe('C');
    expect(t.firstSequence).toBe(4);
    expect(t.firstDiscontinuity).toBe(2);
    const inB = trim(f, seconds(12));
    expect([drawing(inB), inB.firstSequence, inB.firstDiscontinuity]).toEqual(['BC', 3, 1]);
    const twice = trim(inB, seconds(17));
    expect([twice.firstSequence, twice.firstDiscontinuity]).toEqual([4, 2]);
  });
  test('never becomes empty', () => {
    expect(drawing(trim(feed('AAA'), seconds(1e6)))).toBe('A');
    expect(startFeed(piece(''))).toBeNull();
  });
  test('knows its footage and its holes', () => {
    const f = feed('AA..BBC');
    expect(footage(f)).toEqual([
      { start: 0, end: 8 * S },
      { start: 16 * S, end: 28 * S },
    ]);
    expect([0, 7.9, 8, 15, 16, 27.9, 28].map((s) => covers(f, seconds(s)))).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(span(f)).toEqual({ start: 0, end: 28 * S });
  });
  test('takes the wall clock’s word for how long a segment lasts inside a run', () => {
    const drifting = startFeed({
      ...piece(''),
      entries: entries('AA').map((e, i) => (i === 1 ? { ...e, start: wallUs(4 * S + 1900) } : e)),
    });
    expect(drifting && footage(drifting)).toEqual([{ start: 0, end: 8 * S + 1900 }]);
  });
});

describe('what is wanted next', () => {
  const f = feed('AAAA');
  test('is nothing while enough lies ahead', () => {
    const long = feed('A'.repeat(100));
    expect(wanted(long, seconds(0), seconds(1e5), 1)).toEqual({ kind: 'nothing' });
    expect(wanted(long, seconds(0), seconds(1e5), 4).kind).toBe('piece');
  });
  test('is a bounded piece in the past and the edge close to now', () => {
    expect(wanted(f, seconds(0), seconds(1e5), 1)).toEqual({
      kind: 'piece',
      range: { start: 12 * S, end: 16 * S + pieceUs },
    });
    expect(wanted(f, seconds(0), seconds(60), 1)).toEqual({ kind: 'edge', start: 12 * S });
  });
  test('is nothing after the end', () => {
    expect(wanted(end(f), seconds(15), seconds(20), 1)).toEqual({ kind: 'nothing' });
  });
});

describe('the keeper', () => {
  /** A recorder whose whole archive is drawn; `null` asks to the end. Answers as the real one does. */
  function recorder(drawn: string) {
    const all = entries(drawn);
    const asked: string[] = [];
    const load = (start: WallUs, until: WallUs | null): Promise<Piece> => {
      asked.push(`${start / S}-${until === null ? '' : until / S}`);
      const inside = all.filter((e) => e.start + e.mediaUs > start && (until === null || e.start < until));
      if (inside.length > 0) {
        return Promise.resolve({
          kind: 'piece',
          playlist: { entries: inside, ended: until !== null, targetDurationS: 4 },
        });
      }
      return Promise.resolve({
        kind: 'nothing',
        previousEnd: null,
        nextStart: all.find((e) => e.start >= start)?.start ?? null,
      });
    };
    return { load, asked };
  }

  function keep(drawn: string, known: number, situation: { playhead: number; now: number; growing: boolean }) {
    const { load, asked } = recorder(drawn);
    const keeper = new Keeper(feed(drawn.slice(0, known)), load, () => ({
      playhead: seconds(situation.playhead),
      now: seconds(situation.now),
      rate: 1,
      growing: situation.growing,
    }));
    return { keeper, asked };
  }

  test('goes on from piece to piece', async () => {
    const { keeper } = keep('A'.repeat(200), 3, { playhead: 8, now: 1e6, growing: false });
    await keeper.next();
    expect(span(keeper.feed).end).toBe(612 * S);
  });
  test('leaps over a gap longer than any piece', async () => {
    const drawn = `AAA${'.'.repeat(10_000)}BB`;
    const { keeper, asked } = keep(drawn, 3, { playhead: 8, now: 1e6, growing: false });
    const { feed: after } = await keeper.next();
    expect(after.entries.map((e) => e.init.at(-5))).toEqual(['A', 'A', 'A', 'B', 'B']);
    expect(after.entries[3]?.discontinuity).toBe(true);
    expect(asked.length).toBe(3);
  });
  test('follows the live edge and waits there', async () => {
    const growing = { playhead: 8, now: 30, growing: true };
    const { keeper } = keep('AAAAA', 3, growing);
    expect(drawing((await keeper.next()).feed)).toBe('AAAAA');
    expect((await keeper.next()).feed.ended).toBe(false);
  });
  test('ends the feed where a stream that is no longer recorded ends', async () => {
    const near = keep('AAAAA', 5, { playhead: 8, now: 30, growing: false });
    expect((await near.keeper.next()).feed.ended).toBe(true);
    const far = keep('AAAAA', 5, { playhead: 8, now: 1e6, growing: false });
    expect((await far.keeper.next()).feed.ended).toBe(true);
    expect((await far.keeper.next()).feed.ended).toBe(true);
  });
  test('keeps the feed through a problem and tries again', async () => {
    let broken = true;
    const { load } = recorder('AAAAA');
    const problem = { status: 0, code: 'unreachable', detail: '' };
    const keeper = new Keeper(
      feed('AAA'),
      (start, until) => (broken ? Promise.resolve({ kind: 'problem', problem }) : load(start, until)),
      () => ({ playhead: seconds(8), now: seconds(30), rate: 1, growing: true }),
    );
    expect(await keeper.next()).toEqual({ feed: feed('AAA'), problem });
    broken = false;
    expect(drawing((await keeper.next()).feed)).toBe('AAAAA');
  });
});

describe('wall time and media time', () => {
  const mapping = estimate(feed('AA..BB', 100));
  test('agree in footage, and media time runs on over gaps', () => {
    expect(toMedia(mapping, seconds(100))).toBe(0);
    expect(toMedia(mapping, seconds(106))).toBe(6);
    expect(toMedia(mapping, seconds(116))).toBe(8);
    expect(toMedia(mapping, seconds(118.5))).toBe(10.5);
    expect(toWall(mapping, 10.5)).toBe(118.5 * S);
    expect(toWall(mapping, 7.999)).toBe(107.999 * S);
    expect(toWall(mapping, 8)).toBe(116 * S);
  });
  test('do not exist in gaps and outside', () => {
    expect([99, 108, 115.9, 124].map((s) => toMedia(mapping, seconds(s)))).toEqual([null, null, null, null]);
    expect(toWall(mapping, -1)).toBe(100 * S);
    expect(toWall(mapping, 99)).toBe(124 * S);
    expect(toWall([], 1)).toBeNull();
  });
  test('stretch when the source’s clock drifts', () => {
    const slow = [{ start: seconds(0), end: seconds(4.002), mediaStartS: 10, mediaEndS: 14 }];
    expect(toMedia(slow, seconds(2.001))).toBeCloseTo(12, 6);
    expect(toWall(slow, 12)).toBe(2.001 * S);
  });
  test('stay at the end of a span where the player left a hole', () => {
    const holed = [
      { start: seconds(0), end: seconds(4), mediaStartS: 0, mediaEndS: 3.9 },
      { start: seconds(4), end: seconds(8), mediaStartS: 4, mediaEndS: 8 },
    ];
    expect(toWall(holed, 3.95)).toBe(4 * S);
  });
});
