import { describe, expect, test } from 'vitest';
import { fromRfc3339, wallUs } from '../time/timestamp';
import { formatRoute, parseRoute } from './shell/route';
import { downloadName } from './watch/names';
import { commandFor } from './watch/shortcuts';

const at = fromRfc3339('2026-05-03T14:03:22.250000Z') ?? wallUs(0);

describe('an address', () => {
  test('survives being written and read', () => {
    for (const route of [
      { page: 'streams' as const },
      { page: 'link' as const, secret: 'Zm9v_-YmFy' },
      { page: 'watch' as const, stream: 'front-door', at: null },
      { page: 'watch' as const, stream: 'front-door', at },
      { page: 'watch' as const, stream: 'front-door', at, zoom: 0.25 },
      { page: 'share' as const, secret: 'Zm9v_-YmFy' },
      { page: 'streams' as const, find: 'door & gate', state: 'stalled' },
      { page: 'wall' as const, streams: ['a', 'b', 'c'], at, zoom: 3600 },
      { page: 'wall' as const, streams: [], at: null },
      { page: 'retention' as const, account: null },
      { page: 'people' as const, account: 'acme' },
      { page: 'manage' as const, account: 'acme' },
      { page: 'manage' as const, account: null },
      { page: 'receipt' as const, id: 42 },
      { page: 'audit' as const, account: 'acme', filter: { person: 'ann@example.org', from: '2026-05-03' } },
      { page: 'system' as const },
      { page: 'me' as const },
    ]) {
      expect(parseRoute(formatRoute(route))).toEqual(route);
    }
    expect(formatRoute({ page: 'watch', stream: 'cam1', at })).toBe('#/watch/cam1?t=2026-05-03T14:03:22.25Z');
  });
  test.each([
    '',
    '#',
    '#/',
    '#/nowhere',
    '#/watch',
    '#/watch/',
    '#/link',
    '#/link/',
    '#/share/',
    '#/receipts/x',
    '#/constructor',
  ])('that names nothing is the list: %j', (hash) => expect(parseRoute(hash)).toEqual({ page: 'streams' }));
  test.each(['#/watch/cam1?t=', '#/watch/cam1?t=yesterday', '#/watch/cam1?x=1'])(
    'with a time nobody understands is the newest footage: %j',
    (hash) => expect(parseRoute(hash)).toEqual({ page: 'watch', stream: 'cam1', at: null }),
  );
  test('with broken escapes does not break the page', () => {
    expect(parseRoute('#/watch/%E0%A4%A')).toMatchObject({ page: 'watch' });
  });
});

describe('keys', () => {
  const key = (name: string, more = {}) =>
    commandFor({ key: name, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });
  test('move by ten seconds, and by a minute with Shift', () => {
    expect(key('ArrowLeft')).toEqual({ do: 'step', us: -10_000_000 });
    expect(key('ArrowRight', { shiftKey: true })).toEqual({ do: 'step', us: 60_000_000 });
  });
  test('work with Caps Lock and on layouts where ? . < need Shift', () => {
    expect(key('L')).toEqual({ do: 'live' });
    expect(key('?', { shiftKey: true })).toEqual({ do: 'help' });
    expect(key('.', { shiftKey: true })).toEqual({ do: 'frame', direction: 1 });
    expect(key('>', { shiftKey: true })).toEqual({ do: 'speed', by: 1 });
  });
  test('with Ctrl, Alt or Meta stay the browser’s', () => {
    for (const held of ['ctrlKey', 'altKey', 'metaKey']) expect(key('l', { [held]: true })).toBeNull();
    expect(key('Tab')).toBeNull();
  });
});

test('downloads are named by stream and time', () => {
  expect(downloadName('front-door', at, 'mp4')).toBe('front-door-20260503T140322Z.mp4');
});
