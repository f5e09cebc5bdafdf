import { type WallUs, toRfc3339 } from '../../time/timestamp';

/** `front-door-20260503T140322Z.mp4`: safe on every file system, sorted by time. */
export function downloadName(stream: string, at: WallUs, extension: string): string {
  return `${stream}-${toRfc3339(at).slice(0, 19).replace(/[-:]/g, '')}Z.${extension}`;
}
