/**
 * The archive the tests look at.
 *
 * ```text
 * yard, 2026-05-03  10:00:00 ███ 10:01:00 ······ 10:05:00 ▓▓▓ 10:05:40 ▒▒▒ 10:06:00   (H.264, smaller H.264, AV1)
 * yard, 2026-05-04  09:00:00 ███ 09:00:20
 * road              2026-05-03 10:00:00, five minutes in one piece
 * cam1 … cam7       2026-05-03 10:00:00, a minute each; cam3 has a gap from 10:00:20 to 10:00:30
 * attic             2026-05-03 12:00:00, H.265: no decoder in Chromium
 * shed              2026-05-03 12:00:00, 10 s with sound, 10 s without, 10 s with, a gap of 10 s, 10 s with
 * torn              2026-05-03 12:00:00, 10 s whose last frame is cut short, a gap of 10 s, 10 s
 * radio             2026-05-03 12:00:00, sound alone
 * porch             nobody ever sends
 * live              from now on, pushed in real time
 * years             two years up to yesterday with 20,000 gaps of all causes: rows only, nothing to play
 * ```
 */
import type { Recorder } from './recorder';

export const day = '2026-05-03';
export const nextDay = '2026-05-04';

export const cams = ['cam1', 'cam2', 'cam3', 'cam4', 'cam5', 'cam6', 'cam7'];

export const yearsGaps = 20_000;
const yearsUs = 730 * 24 * 3600e6;

/** A gap of ten seconds to ten minutes every 53 minutes, and each run ends with one. */
async function fillYears(recorder: Recorder): Promise<void> {
  await recorder.run('streams', 'add', 'years', 'push:');
  await recorder.run('streams', 'pause', 'years');
  const start = `((unixepoch() / 86400 - 731) * 86400000000)`;
  const every = Math.floor(yearsUs / yearsGaps);
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${yearsGaps}),
    s(key) AS (SELECT key FROM streams WHERE id = 'years'),
    rows AS (SELECT i, key, CAST(printf('years%011d', i) AS BLOB) AS run, ${start} + i * ${every} AS start_us,
             ${start} + (i + 1) * ${every} - 10000000 * (1 + i * 7 % 60) AS end_us, ${start} + (i + 1) * ${every} AS next_us FROM n, s)`;
  await recorder.sql(`BEGIN; DELETE FROM gaps WHERE stream_key = (SELECT key FROM streams WHERE id = 'years');
    ${numbers} INSERT INTO runs (id, stream_key, start_us, ordinal, init) SELECT run, key, start_us, i, (SELECT sha256 FROM inits LIMIT 1) FROM rows;
    ${numbers} INSERT INTO extents (stream_key, start_us, end_us, run) SELECT key, start_us, end_us, run FROM rows;
    ${numbers} INSERT INTO gaps (stream_key, start_us, end_us, cause, detail) SELECT key, end_us, next_us, 1 + i * 5 % 18, '' FROM rows;
    COMMIT;`);
}

export async function record(recorder: Recorder): Promise<void> {
  await recorder.run('streams', 'add', 'live', 'push:');
  await recorder.run('streams', 'add', 'porch', 'push:', '--title', 'Porch');
  for (const stream of ['yard', 'road', ...cams, 'attic', 'shed', 'torn', 'radio']) {
    await recorder.run('streams', 'add', stream, 'push:');
    // Nothing will ever be sent to them.
    await recorder.run('streams', 'pause', stream);
  }
  await recorder.import('yard', { start: `${day}T10:00:00Z`, duration: 60 });
  await recorder.import('yard', { start: `${day}T10:05:00Z`, duration: 40, size: '480x270' });
  await recorder.import('yard', { start: `${day}T10:05:40Z`, duration: 20, codec: 'av1' });
  await recorder.import('yard', { start: `${nextDay}T09:00:00Z`, duration: 20 });
  await recorder.import('road', { start: `${day}T10:00:00Z`, duration: 300, size: '320x180', audio: 'none' });
  for (const cam of cams) {
    const parts = cam === 'cam3' ? [[0, 20] as const, [30, 30] as const] : [[0, 60] as const];
    for (const [from, duration] of parts) {
      const start = `${day}T10:00:${String(from).padStart(2, '0')}Z`;
      await recorder.import(cam, { start, duration, size: '320x180', audio: cam === 'cam1' ? 'aac' : 'none' });
    }
  }
  await recorder.import('attic', { start: `${day}T12:00:00Z`, duration: 8, codec: 'h265' });
  await recorder.import('shed', { start: `${day}T12:00:00Z`, duration: 10 });
  await recorder.import('shed', { start: `${day}T12:00:10Z`, duration: 10, audio: 'none' });
  await recorder.import('shed', { start: `${day}T12:00:20Z`, duration: 10 });
  await recorder.import('shed', { start: `${day}T12:00:40Z`, duration: 10 });
  await recorder.import('torn', { start: `${day}T12:00:00Z`, duration: 10, torn: true });
  await recorder.import('torn', { start: `${day}T12:00:20Z`, duration: 10 });
  await fillYears(recorder);
  await recorder.import('radio', { start: `${day}T12:00:00Z`, duration: 30, codec: 'none' });
}
