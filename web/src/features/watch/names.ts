import { type WallUs, toRfc3339 } from '../../time/timestamp';

/** `front-door-20260503T140322Z.mp4`: safe on every file system, sorted by time. */
export function downloadName(stream: string, at: WallUs, extension: string): string {
  return `${stream}-${toRfc3339(at).slice(0, 19).replace(/[-:]/g, '')}Z.${extension}`;
}

const formats: Readonly<Record<string, string>> = {
  avc1: 'H.264',
  hvc1: 'H.265 (HEVC)',
  hev1: 'H.265 (HEVC)',
  av01: 'AV1',
  mp4a: 'AAC',
  opus: 'Opus',
};

/** What people call a codec (RFC 6381); its own letters when they have no other name for it. */
export function formatName(codec: string): string {
  return formats[codec.slice(0, 4).toLowerCase()] ?? (codec || '?');
}
