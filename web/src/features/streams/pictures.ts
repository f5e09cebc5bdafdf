/**
 * Recent pictures, fetched politely: two at a time in the whole page, each decoded once on the recorder and then kept by
 * the browser under its own address.
 */
const most = 2;
let busy = 0;
const waiting: (() => void)[] = [];

export type Picture = { kind: 'picture'; url: string } | { kind: 'none' } | { kind: 'failed' };

/** Resolves when the picture can be shown without waiting. */
export async function fetchPicture(url: string, signal: AbortSignal): Promise<Picture> {
  if (busy >= most) await new Promise<void>((turn) => waiting.push(turn));
  busy += 1;
  try {
    if (signal.aborted) return { kind: 'failed' };
    const response = await fetch(url, { credentials: 'same-origin', signal });
    if (!response.ok) return { kind: response.status === 404 ? 'none' : 'failed' };
    return { kind: 'picture', url: URL.createObjectURL(await response.blob()) };
  } catch {
    return { kind: 'failed' };
  } finally {
    busy -= 1;
    waiting.shift()?.();
  }
}
