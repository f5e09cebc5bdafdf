/**
 * Media playlists as text (RFC 8216): read what the recorder writes, write what the player is given.
 *
 * Only the tags the recorder uses are understood. Each segment gets the wall time it starts at: from its address
 * (`segments/{start_us}.m4s`, exact), otherwise from the `EXT-X-PROGRAM-DATE-TIME` before it plus what came between.
 */
import { SECOND_US, type WallUs, fromRfc3339, shift, wallUs } from '../time/timestamp';

export interface Entry {
  readonly uri: string;
  /** Wall time of the first picture or sound. */
  readonly start: WallUs;
  /** By the source's clock. */
  readonly mediaUs: number;
  /** Address of the init segment: the name of the run. */
  readonly init: string;
  /** The entry before is of another run. */
  readonly discontinuity: boolean;
}

export interface Playlist {
  readonly entries: readonly Entry[];
  /** No more will come for the range asked for. */
  readonly ended: boolean;
  readonly targetDurationS: number;
}

/** `null` when the text is not a media playlist. */
export function parsePlaylist(text: string, url: string): Playlist | null {
  if (!text.startsWith('#EXTM3U')) return null;
  const entries: Entry[] = [];
  let ended = false;
  let targetDurationS = 0;
  let init = '';
  let mediaUs: number | null = null;
  let clock: WallUs | null = null;
  let discontinuity = false;
  for (const line of text.split('\n').map((l) => l.trim())) {
    const [tag, value] = splitTag(line);
    if (tag === '#EXTINF') mediaUs = Math.round(Number.parseFloat(value) * SECOND_US);
    else if (tag === '#EXT-X-PROGRAM-DATE-TIME') clock = fromRfc3339(value);
    else if (tag === '#EXT-X-DISCONTINUITY') discontinuity = true;
    else if (tag === '#EXT-X-ENDLIST') ended = true;
    else if (tag === '#EXT-X-TARGETDURATION') targetDurationS = Number(value);
    else if (tag === '#EXT-X-MAP') init = absolute(/URI="([^"]*)"/.exec(value)?.[1] ?? '', url);
    else if (line !== '' && !line.startsWith('#')) {
      const uri = absolute(line, url);
      const start = startInAddress(uri) ?? clock;
      if (mediaUs === null || start === null || !Number.isFinite(mediaUs)) return null;
      const other = entries.length > 0 && entries[entries.length - 1]?.init !== init;
      entries.push({ uri, start, mediaUs, init, discontinuity: discontinuity || other });
      clock = shift(start, mediaUs);
      mediaUs = null;
      discontinuity = false;
    }
  }
  return { entries, ended, targetDurationS: targetDurationS || longestS(entries) };
}

export interface Rendering extends Playlist {
  readonly firstSequence: number;
  readonly firstDiscontinuity: number;
}

export function renderPlaylist(p: Rendering): string {
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(p.targetDurationS, longestS(p.entries))}`,
    `#EXT-X-MEDIA-SEQUENCE:${p.firstSequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${p.firstDiscontinuity}`,
  ];
  let init: string | null = null;
  for (const [i, entry] of p.entries.entries()) {
    if (i > 0 && entry.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    if (entry.init !== init) lines.push(`#EXT-X-MAP:URI="${entry.init}"`);
    init = entry.init;
    lines.push(`#EXTINF:${(entry.mediaUs / SECOND_US).toFixed(6)},`, entry.uri);
  }
  if (p.ended) lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

function splitTag(line: string): [string, string] {
  const colon = line.indexOf(':');
  return colon < 0 || !line.startsWith('#') ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1)];
}

function startInAddress(uri: string): WallUs | null {
  const m = /\/segments\/(-?\d{1,16})\.m4s(?:[?#]|$)/.exec(uri);
  return m ? wallUs(Number(m[1])) : null;
}

function absolute(uri: string, url: string): string {
  return new URL(uri, url).href;
}

function longestS(entries: readonly Entry[]): number {
  return entries.reduce((most, e) => Math.max(most, Math.ceil(e.mediaUs / SECOND_US)), 1);
}
