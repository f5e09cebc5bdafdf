/** Keys to commands. Pure, so that the sheet behind `?` and what keys do can be tested together. */
import { MINUTE_US, SECOND_US } from '../../time/timestamp';

export type Command =
  | { do: 'toggle' }
  | { do: 'step'; us: number }
  | { do: 'frame'; direction: 1 | -1 }
  | { do: 'day'; by: 1 | -1 }
  | { do: 'gap'; by: 1 | -1 }
  | { do: 'bookmark'; by: 1 | -1 }
  | { do: 'speed'; by: 1 | -1 }
  | { do: 'reverse' }
  | { do: 'gaps' }
  | { do: 'zoom'; by: 1 | -1 }
  | { do: 'mark'; edge: 'start' | 'end' }
  /** Keeps the moment: as a bookmark, as a picture. */
  | { do: 'note' }
  | { do: 'still' }
  | { do: 'live' }
  | { do: 'go' }
  | { do: 'mute' }
  | { do: 'fullscreen' }
  | { do: 'help' };

export interface Keys {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** By the character a key types, not by its place: `?` and `<` are elsewhere on every keyboard. */
export function commandFor({ key, shiftKey, ctrlKey, metaKey, altKey }: Keys): Command | null {
  if (ctrlKey || metaKey || altKey) return null;
  const reach = shiftKey ? MINUTE_US : 10 * SECOND_US;
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case ' ':
    case 'k':
      return { do: 'toggle' };
    case 'ArrowLeft':
      return { do: 'step', us: -reach };
    case 'ArrowRight':
      return { do: 'step', us: reach };
    case ',':
      return { do: 'frame', direction: -1 };
    case '.':
      return { do: 'frame', direction: 1 };
    case 'PageUp':
      return { do: 'day', by: -1 };
    case 'PageDown':
      return { do: 'day', by: 1 };
    case '[':
      return { do: 'gap', by: -1 };
    case ']':
      return { do: 'gap', by: 1 };
    case '{':
      return { do: 'bookmark', by: -1 };
    case '}':
      return { do: 'bookmark', by: 1 };
    case '<':
      return { do: 'speed', by: -1 };
    case '>':
      return { do: 'speed', by: 1 };
    case 'j':
      return { do: 'reverse' };
    case 'w':
      return { do: 'gaps' };
    case '+':
    case '=':
      return { do: 'zoom', by: 1 };
    case '-':
      return { do: 'zoom', by: -1 };
    case 'i':
      return { do: 'mark', edge: 'start' };
    case 'o':
      return { do: 'mark', edge: 'end' };
    case 'b':
      return { do: 'note' };
    case 's':
      return { do: 'still' };
    case 'l':
      return { do: 'live' };
    case 'g':
      return { do: 'go' };
    case 'm':
      return { do: 'mute' };
    case 'f':
      return { do: 'fullscreen' };
    case '?':
      return { do: 'help' };
    default:
      return null;
  }
}

/** Whether the focused element wants the key for itself. */
export function isTaken(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest('input, select, textarea, [contenteditable], dialog')) return true;
  return (key === ' ' || key === 'Enter') && target.closest('button, a, summary') !== null;
}
