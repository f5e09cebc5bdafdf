/** A stream that somebody is about to add. */
import type { NewStream } from '../../../api/streams';
import { type SourceKind, isId, isSource } from './source';

export interface Draft {
  title: string;
  id: string;
  kind: SourceKind;
  url: string;
}

export function emptyDraft(): Draft {
  return { title: '', id: '', kind: 'pull', url: '' };
}

/** `null` while something is missing. */
export function streamOf(draft: Draft, account: string): NewStream | null {
  const title = draft.title.trim();
  if (title === '' || !isId(draft.id)) return null;
  if (draft.kind === 'pull' && !isSource(draft.url)) return null;
  return { id: draft.id, title, account, source: draft.kind === 'push' ? 'push:' : draft.url.trim() };
}
