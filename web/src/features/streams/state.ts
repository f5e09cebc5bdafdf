/** A stream's state as people see it: one word, one colour. */
import type { Stream } from '../../api/types';
import type { TextKey } from '../../i18n/messages';

export type Tone = 'good' | 'busy' | 'bad' | 'calm';

export interface Shown {
  readonly key: TextKey;
  readonly tone: Tone;
}

export function shownState(stream: Stream): Shown {
  if (stream.paused) return { key: 'state.paused', tone: 'calm' };
  switch (stream.state) {
    case 'recording':
      return { key: 'state.recording', tone: 'good' };
    case 'connecting':
      return { key: 'state.connecting', tone: 'busy' };
    case 'stalled':
      return { key: 'state.stalled', tone: 'bad' };
    case 'backing_off':
      return { key: 'state.backing_off', tone: 'bad' };
    case 'quarantined':
      return { key: 'state.quarantined', tone: 'bad' };
    case 'disabled':
      return { key: stream.kind === 'file' ? 'state.file' : 'state.disabled', tone: 'calm' };
  }
}

/** Whether more footage is expected, so that there is a live edge to follow. */
export function isGrowing(stream: Stream): boolean {
  return !stream.paused && stream.state !== 'disabled';
}
