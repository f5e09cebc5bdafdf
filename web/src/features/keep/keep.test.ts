import { describe, expect, test } from 'vitest';
import type { Bookmark, ExportJob } from '../../api/keep';
import type { Coverage, Hold } from '../../api/types';
import { range } from '../../time/range';
import { DAY_US, HOUR_US, SECOND_US, type WallUs, fromRfc3339, shift, toRfc3339, wallUs } from '../../time/timestamp';
import { byTime, current } from '../bookmarks/order';
import { askAgainMs, hasFile, leftUs, merge, percent } from '../exports/jobs';
import { inOrder } from '../holds/state';
import { cut, inside } from '../share/state';
import { expiryOf } from './expiry';
import { clipName, contentsOf, isReversed, nudge, partOf, stillName } from './part';
import { isSelf, nameOf } from './people';
import { captionOf, crc32, stripOf, toMillisecond, withTexts } from './still';

const at = (text: string): WallUs => fromRfc3339(text) ?? wallUs(NaN);
const noon = at('2026-05-03T12:00:00Z');
const seconds = (from: number, to: number) => range(noon + from * SECOND_US, noon + to * SECOND_US);
const runs = (...spans: [number, number][]) =>
  spans.map(([from, to]) => ({
    start_us: seconds(from, to).start,
    end_us: seconds(from, to).end,
  })) as Coverage['runs'];

describe('a part', () => {
  test('is there when both marks are, the right way round', () => {
    const { start, end } = seconds(0, 10);
    expect(partOf({ start, end })).toEqual({ start, end });
    expect(partOf({ start })).toBeNull();
    expect(partOf({ start: end, end: start })).toBeNull();
    expect(isReversed({ start: end, end: start })).toBe(true);
    expect(isReversed({ start, end: start })).toBe(true);
    expect(isReversed({ end: start })).toBe(false);
  });
  test.each<[string, [number, number][], { recorded: number; missing: number; gaps: number }]>([
    ['all recorded', [[-5, 15]], { recorded: 10, missing: 0, gaps: 0 }],
    ['a hole in it', [[-5, 4], [6, 15]], { recorded: 8, missing: 2, gaps: 1 }], // prettier-ignore
    ['nothing at its ends', [[2, 7]], { recorded: 5, missing: 5, gaps: 2 }],
    ['runs that touch', [[0, 5], [5, 10]], { recorded: 10, missing: 0, gaps: 0 }], // prettier-ignore
    ['a join that nobody notices', [[0, 5], [5.2, 10]], { recorded: 9.8, missing: 0.2, gaps: 0 }], // prettier-ignore
    ['nothing at all', [], { recorded: 0, missing: 10, gaps: 1 }],
  ])('knows what it holds: %s', (_, spans, { recorded, missing, gaps }) => {
    const found = contentsOf(seconds(0, 10), runs(...spans));
    expect(found.recordedUs / SECOND_US).toBeCloseTo(recorded, 5);
    expect(found.missingUs / SECOND_US).toBeCloseTo(missing, 5);
    expect(found.gaps).toBe(gaps);
  });
  test('moves by one edge, and never past the other', () => {
    const marks = seconds(0, 10);
    expect(nudge(marks, 'start', SECOND_US).start).toBe(marks.start + SECOND_US);
    expect(nudge(marks, 'start', 60 * SECOND_US).start).toBeLessThan(marks.end);
    expect(nudge(marks, 'end', -60 * SECOND_US).end).toBeGreaterThan(marks.start);
    expect(nudge({ start: marks.start }, 'end', SECOND_US)).toEqual({ start: marks.start });
  });
  test('names its file by stream and times', () => {
    expect(clipName('door', seconds(0, 90))).toBe('door-20260503T120000Z-20260503T120130Z.mp4');
  });
});

describe('a still', () => {
  const moment = at('2026-05-03T10:00:20.039999Z');
  test('is of a whole millisecond', () => {
    expect(toRfc3339(toMillisecond(moment))).toBe('2026-05-03T10:00:20.040000Z');
    expect(stillName('door', toMillisecond(moment))).toBe('door-20260503T100020.040Z.png');
  });
  test.each([
    ['UTC', 'Door · 2026-05-03 10:00:20.040 UTC'],
    ['Europe/Paris', 'Door · 2026-05-03 12:00:20.040 UTC+2 (10:00:20.040 UTC)'],
    ['Pacific/Kiritimati', 'Door · 2026-05-04 00:00:20.040 UTC+14 (2026-05-03 10:00:20.040 UTC)'],
  ])('says when it was, in %s', (zone, caption) => {
    expect(captionOf('Door', toMillisecond(moment), zone)).toBe(caption);
  });
  test('has a strip whose words fit', () => {
    expect(stripOf(1920, 1080, (px) => px * 20)).toEqual({ px: 34, height: 68 });
    expect(stripOf(320, 180, (px) => px * 27).px).toBe(10);
    expect(stripOf(160, 90, (px) => px * 40).px).toBe(9);
  });
  test('carries its words in chunks that programs read', () => {
    // The check value of the polynomial, and the one that every PNG ends with.
    expect(crc32([...'123456789'].map((c) => c.charCodeAt(0)))).toBe(0xcbf43926);
    expect(crc32([...'IEND'].map((c) => c.charCodeAt(0)))).toBe(0xae426082);
    const png = new Uint8Array(45).fill(7);
    const file = withTexts(png, { Description: 'Été' });
    const view = new DataView(file.buffer);
    expect([...file.subarray(0, 33)]).toEqual([...png.subarray(0, 33)]);
    expect(new TextDecoder().decode(file.subarray(37, 41))).toBe('iTXt');
    const length = view.getUint32(33);
    expect(new TextDecoder().decode(file.subarray(41, 41 + length))).toBe('Description\0\0\0\0\0Été');
    expect(view.getUint32(41 + length)).toBe(crc32(file.subarray(37, 41 + length)));
    expect(file.length).toBe(45 + 12 + length);
  });
});

describe('an export', () => {
  const job = (change: Partial<ExportJob> = {}): ExportJob => ({
    id: 'a',
    account: 'main',
    streams: ['door'],
    start_us: noon,
    end_us: shift(noon, HOUR_US),
    format: 'mp4',
    note: '',
    by: 'user ann',
    created_at_us: noon,
    state: 'running',
    done_bytes: 0,
    total_bytes: 1000,
    ...change,
  });
  test.each<[Partial<ExportJob>, number | null]>([
    [{}, 0],
    [{ done_bytes: 456 }, 45],
    [{ done_bytes: 1000 }, 99],
    [{ done_bytes: 1200 }, 99],
    [{ done_bytes: 1000, state: 'done' }, 100],
    [{ total_bytes: 0, state: 'waiting' }, null],
  ])('is as far as it says: %j', (change, expected) => expect(percent(job(change))).toBe(expected));
  test('says how long it takes only while it moves', () => {
    expect(leftUs(job({ eta_s: 90 }))).toBe(90 * SECOND_US);
    expect(leftUs(job({ eta_s: 0 }))).toBeNull();
    expect(leftUs(job({ eta_s: 90, state: 'waiting' }))).toBeNull();
  });
  test('can be downloaded until its time is up', () => {
    const done = job({ state: 'done', expires_at_us: shift(noon, DAY_US) });
    expect(hasFile(done, noon)).toBe(true);
    expect(hasFile(done, shift(noon, DAY_US))).toBe(false);
    expect(hasFile(job({ state: 'done' }), noon)).toBe(true);
    expect(hasFile(job(), noon)).toBe(false);
  });
  test('is in the list once, as it was heard of last', () => {
    const old = job({ id: 'old', created_at_us: shift(noon, -DAY_US) });
    const list = merge([job({ done_bytes: 500 })], [job(), old]);
    expect(list.map((one) => [one.id, one.done_bytes])).toEqual([
      ['a', 500],
      ['old', 0],
    ]);
  });
  test('is asked for often only while it moves', () => {
    expect(askAgainMs([job()])).toBeLessThan(askAgainMs([job({ state: 'done' })]));
  });
});

describe('bookmarks', () => {
  const bookmark = (id: number, second: number): Bookmark => ({
    id,
    stream: 'door',
    at_us: shift(noon, second * SECOND_US),
    end_us: null,
    title: String(id),
    note: '',
    author: 'user ann',
    created_at_us: shift(noon, id),
    mine: true,
  });
  test('stand in the order of the footage, and one is the current one', () => {
    const list = byTime([bookmark(1, 30), bookmark(2, 10), bookmark(3, 10)]);
    expect(list.map((b) => b.id)).toEqual([2, 3, 1]);
    expect(current(list, shift(noon, 5 * SECOND_US))).toBeNull();
    expect(current(list, shift(noon, 20 * SECOND_US))?.id).toBe(3);
    expect(current(list, null)).toBeNull();
  });
  test('are told with people’s names', () => {
    expect([nameOf('user ann@example.org'), nameOf('token t01')]).toEqual(['ann@example.org', 'token t01']);
    expect([isSelf('user ann', 'ann'), isSelf('token ann', 'ann'), isSelf(null, 'ann')]).toEqual([true, false, false]);
  });
});

describe('a link', () => {
  test('lasts as long as was chosen', () => {
    expect(expiryOf('hour', '', noon, 'UTC')).toBe(noon + HOUR_US);
    expect(expiryOf('month', '', noon, 'UTC')).toBe(noon + 30 * DAY_US);
    expect(expiryOf('until', '2026-05-03', noon, 'Europe/Paris')).toBe(at('2026-05-03T22:00:00Z'));
    expect(expiryOf('until', '2026-05-02', noon, 'UTC')).toBeNull();
    expect(expiryOf('until', 'soon', noon, 'UTC')).toBeNull();
  });
  test('never leads out of its part', () => {
    const part = seconds(0, 60);
    expect(inside(shift(noon, -1), part.start, part.end)).toBe(part.start);
    expect(inside(shift(noon, 90 * SECOND_US), part.start, part.end)).toBe(part.end - 1);
    expect(cut(shift(noon, -DAY_US), null, part)).toEqual(part);
    expect(cut(shift(noon, 30 * SECOND_US), shift(noon, DAY_US), part)).toEqual(seconds(30, 60));
    expect(cut(part.end, null, part)).toBeNull();
    expect(cut(shift(noon, -DAY_US), part.start, part)).toBeNull();
  });
});

describe('a hold', () => {
  const hold = (id: number, change: Partial<Hold> = {}): Hold => ({
    id,
    account: 'main',
    streams: ['door'],
    start_us: noon,
    end_us: shift(noon, HOUR_US),
    margin_before_us: 0 as Hold['margin_before_us'],
    margin_after_us: 0 as Hold['margin_after_us'],
    case: 'A-1',
    reason: 'why',
    author: 'user ann',
    placed_at_us: noon,
    expires_at_us: null,
    release_asked_by: null,
    released_by: null,
    released_at_us: null,
    state: 'active',
    ...change,
  });
  test('that waits for somebody stands first', () => {
    const asked = hold(1, { state: 'release_asked' });
    const list = inOrder([hold(3, { state: 'released' }), asked, hold(2), hold(4), hold(5, { state: 'expired' })]);
    expect(list.map((one) => one.id)).toEqual([1, 4, 2, 5, 3]);
  });
});
