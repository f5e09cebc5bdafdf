/**
 * The pictures of docs/screens: every page in both languages. `npm run screens` makes them anew; ffmpeg brings each to 128
 * colours, which is what a page has.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { camera, daysAgo, hire, openOffice } from './office';
import { Visit } from './page';
import type { Recorder } from './recorder';

const wanted = process.env['RETROVIEW_GALLERY'] === '1';
const folder = fileURLToPath(new URL('../../../docs/screens/', import.meta.url));
/** Of one picture: what a reader of the README waits for, many times over. */
const bytesMax = 150_000;

const pages: Record<string, string> = {
  streams: '#/',
  watch: `#/watch/door?t=${daysAgo(2).replace(':00Z', ':05Z')}`,
  wall: `#/wall/door,yard,lobby?t=${daysAgo(1).replace(':00Z', ':05Z')}`,
  bookmarks: '#/bookmarks/acme',
  exports: '#/exports/acme',
  sources: '#/manage/streams/acme',
  retention: '#/retention/acme',
  receipt: '#/receipts/1',
  holds: '#/holds/acme',
  audit: '#/audit/acme',
  people: '#/people/acme',
  plan: '#/account/acme',
  accounts: '#/accounts',
  system: '#/system',
  me: '#/me',
  setup: '#/setup',
};

describe.skipIf(!wanted)('the gallery', () => {
  let recorder: Recorder;
  let source: { url: string; close(): void };

  beforeAll(async () => {
    recorder = await openOffice();
    source = await camera(recorder);
    await recorder.run('streams', 'add', 'lobby', source.url, '--title', 'Lobby', '--account', 'acme');
    for (const days of [1, 3, 4, 9, 20, 34, 55, 70]) {
      for (const stream of ['door', 'yard']) {
        await recorder.import(stream, { start: daysAgo(days), duration: 30 });
      }
    }
    const visit = await Visit.open({}, recorder.url);
    await visit.signIn();
    await hire(visit);
    const headers = { 'x-retroview': '1' };
    const note = { at: daysAgo(2), title: 'Parcel', note: 'Left at the gate.' };
    await visit.page.request.post('/v1/streams/door/bookmarks', { headers, data: note });
    visit.complaints.length = 0;
    await visit.close();
    mkdirSync(folder, { recursive: true });
  }, 300_000);
  afterAll(async () => {
    source.close();
    await recorder.stop();
  });

  test.each(['en', 'fr'])('in %s', { timeout: 300_000 }, async (language) => {
    const visit = await Visit.open(
      {
        viewport: { width: 1280, height: 800 },
        locale: language === 'fr' ? 'fr-FR' : 'en-GB',
        timezoneId: 'Europe/Paris',
      },
      recorder.url,
    );
    const { page } = visit;
    const shoot = async (name: string) => {
      const raw = join(folder, `${name}-${language}.raw.png`);
      const path = join(folder, `${name}-${language}.png`);
      await page.screenshot({ path: raw });
      const palette = 'split[a][b];[a]palettegen=max_colors=128:stats_mode=full[p];[b][p]paletteuse=dither=none';
      await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', '-i', raw, '-vf', palette, path]);
      rmSync(raw);
      expect(statSync(path).size).toBeLessThan(bytesMax);
    };
    await page.goto('/');
    await page.locator('#user').waitFor();
    await shoot('sign-in');
    await visit.signIn();
    for (const [name, address] of Object.entries(pages)) {
      await page.goto(`/${address}`);
      await page.locator('main').waitFor();
      await page.waitForLoadState('networkidle').catch(() => undefined);
      await page.waitForTimeout(1500);
      await shoot(name);
    }
    await page.goto('/#/manage/streams/acme');
    await page.getByRole('button', { name: /Add a stream|Ajouter un flux/ }).click();
    await page
      .locator('dialog input')
      .first()
      .fill(language === 'fr' ? 'Hall d’entrée' : 'Entrance hall');
    await page.locator('dialog input[placeholder^=rtsp]').fill(source.url);
    await page
      .locator('dialog')
      .getByRole('button', { name: /Test the|Tester la/ })
      .click();
    await page.locator('dialog img').waitFor({ timeout: 40_000 });
    await shoot('add-stream');
    visit.complaints.length = 0;
    await visit.close();
  });
});
