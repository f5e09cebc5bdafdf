/** How sources are written, and names for streams. */

export type SourceKind = 'pull' | 'push';

/** A name for addresses and folders, from what people call it: `Porte d’entrée` → `porte-d-entree`. */
export function idFrom(title: string): string {
  return title
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
    .replace(/-+$/, '');
}

export function isId(text: string): boolean {
  return /^[a-z0-9_-]{1,64}$/.test(text);
}

const schemes = ['rtsp', 'rtsps', 'rtmp', 'rtmps', 'srt', 'http', 'https', 'udp', 'rtp', 'file'];

/** Whether it can be an address of a source; the recorder looks more closely. */
export function isSource(text: string): boolean {
  const scheme = /^([a-z]+):\/\/\S/i.exec(text.trim())?.[1]?.toLowerCase();
  return scheme !== undefined && schemes.includes(scheme);
}
