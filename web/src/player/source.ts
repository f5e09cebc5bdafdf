/** Where the player's footage comes from: pieces of playlist, asked for by wall time. */
import { type Problem } from '../api/problem';
import { playlistUrl, text } from '../api/client';
import type { WallUs } from '../time/timestamp';
import { type Playlist, parsePlaylist } from './playlist';

export type Piece =
  | { kind: 'piece'; playlist: Playlist }
  /** Nothing is recorded in the range; the neighbours as far as the recorder knows them. */
  | { kind: 'nothing'; previousEnd: WallUs | null; nextStart: WallUs | null }
  | { kind: 'problem'; problem: Problem };

/** An `end` of `null` asks for all there is, up to now. */
export type LoadPiece = (start: WallUs, end: WallUs | null, signal?: AbortSignal) => Promise<Piece>;

export function pieceLoader(stream: string): LoadPiece {
  return async (start, end, signal) => {
    const answer = await text(playlistUrl(stream, start, end), signal);
    if (!answer.ok) return withoutPiece(answer.problem);
    const playlist = parsePlaylist(answer.value.text, answer.value.url);
    if (!playlist) return { kind: 'problem', problem: { status: 200, code: 'unreadable', detail: '' } };
    return playlist.entries.length > 0
      ? { kind: 'piece', playlist }
      : { kind: 'nothing', previousEnd: null, nextStart: null };
  };
}

function withoutPiece(problem: Problem): Piece {
  if (problem.code !== 'no_footage') return { kind: 'problem', problem };
  return {
    kind: 'nothing',
    previousEnd: problem.previous_end_us ?? null,
    nextStart: problem.next_start_us ?? null,
  };
}
