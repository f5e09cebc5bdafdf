/** Pictures of every page for people to look at: `RETROVIEW_SCREENS=folder npm run test:browser -- screens`. */
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { cams, day, nextDay } from './footage';
import { Visit } from './page';

const folder = process.env['RETROVIEW_SCREENS'];

describe.skipIf(!folder)('screens', () => {
  const sizes = { wide: [1440, 900], medium: [1024, 768], narrow: [390, 844] } as const;
  for (const [size, [width, height]] of Object.entries(sizes)) {
    for (const locale of ['en-GB', 'fr-FR']) {
      for (const colorScheme of ['light', 'dark'] as const) {
        test(`${size} ${locale} ${colorScheme}`, async () => {
          const narrow = size === 'narrow';
          const visit = await Visit.open({
            viewport: { width, height },
            locale,
            colorScheme,
            timezoneId: 'Europe/Paris',
            ...(narrow ? { hasTouch: true, isMobile: true, deviceScaleFactor: 2 } : {}),
          });
          const shoot = (name: string) =>
            visit.page.screenshot({
              path: join(folder ?? '', `${name}-${size}-${locale.slice(0, 2)}-${colorScheme}.png`),
              fullPage: narrow,
            });
          const { page } = visit;
          await page.goto('/');
          await page.locator('#user').waitFor();
          await shoot('sign-in');
          await page.locator('#user').fill('admin');
          await page.locator('#password').fill('not this one');
          await page.keyboard.press('Enter');
          await page.getByRole('alert').waitFor();
          await shoot('sign-in-wrong');
          await visit.signIn();
          await page.getByRole('img').nth(1).waitFor();
          await shoot('streams');
          await page.route('**/v1/streams', (route) => route.fulfill({ json: { streams: [] } }));
          await page.reload();
          await page.locator('code').first().waitFor();
          await shoot('streams-none');
          await page.unroute('**/v1/streams');

          const made = await page.request.post('/v1/accounts/main/users/admin/link', {
            headers: { 'x-retroview': '1' },
          });
          await page.goto(((await made.json()) as { url: string }).url);
          await page.locator('#password').fill('short');
          await page.keyboard.press('Enter');
          await page.getByRole('alert').waitFor();
          await shoot('choose-password');
          await page.goto('/#/link/nothing');
          await page.getByRole('alert').waitFor();
          await shoot('link-closed');

          await visit.watch('yard', `${day}T10:00:20Z`);
          await shoot('watch');
          await page.locator('header button').nth(1).click();
          await shoot('settings');
          await page.keyboard.press('Escape');
          await page.locator('summary').click();
          await page.keyboard.press('i');
          await visit.type('12:05:20');
          await visit.sees(`${day}T10:05:20Z`);
          await page.keyboard.press('o');
          for (let i = 0; i < 7; i += 1) await page.keyboard.press('+');
          await page.getByRole('link', { name: /^(Download clip|Télécharger)$/ }).waitFor();
          await shoot('clip');
          await visit.type('12:65');
          await shoot('time-refused');
          await visit.type('12:03');
          await page.locator('.card button').last().waitFor();
          await shoot('gap');
          await visit.type('2126-01-01');
          await shoot('future');
          await page.goto(`/#/watch/yard?t=${nextDay}T09:00:17Z`);
          await page
            .locator('.card')
            .getByText(/end of|fin des/)
            .waitFor();
          await shoot('ended');
          await page.goto(`/#/watch/attic?t=${day}T12:00:02Z`);
          await page.locator('.card[role=alert]').waitFor();
          await shoot('unplayable');
          await page.goto(`/#/watch/radio?t=${day}T12:00:02Z`);
          await page.locator('p.quiet').waitFor();
          await shoot('sound-only');
          await visit.watch('porch');
          await page.locator('.card').waitFor();
          await shoot('never-connected');
          await page.goto('/#/watch/nowhere');
          await page.getByText('nowhere').first().waitFor();
          await shoot('unknown');
          await visit.watch('live');
          await page.locator('.live.on').waitFor();
          await shoot('live');
          if (!narrow) {
            await page.keyboard.press('?');
            await shoot('help');
            await page.keyboard.press('Escape');
          }
          await page.route('**/v1/**', (route) => route.abort());
          await page
            .getByText(/does not answer|ne répond pas/)
            .first()
            .waitFor();
          await shoot('away');
          await page.unroute('**/v1/**');
          await page.context().clearCookies();
          await page.locator('#user').waitFor({ timeout: 30_000 });
          await shoot('expired');
          visit.complaints.length = 0;
          await visit.close();
        });
      }
    }
  }

  for (const [size, [width, height]] of Object.entries(sizes)) {
    test(`side by side, ${size}`, async () => {
      const narrow = size === 'narrow';
      const visit = await Visit.open({
        viewport: { width, height },
        locale: narrow ? 'fr-FR' : 'en-GB',
        colorScheme: size === 'medium' ? 'dark' : 'light',
      });
      const shoot = (name: string) =>
        visit.page.screenshot({ path: join(folder ?? '', `wall-${name}-${size}.png`), fullPage: narrow });
      await visit.signIn();
      for (const [name, streams] of [
        ['four', ['cam1', 'cam2', 'yard', 'road']],
        ['nine', [...cams, 'attic', 'road']],
      ] as const) {
        await visit.page.goto(`/#/wall/${streams.join(',')}?t=${day}T10:00:22Z`);
        await visit.page.reload();
        await visit.page.locator('[data-phase=showing]').nth(2).waitFor();
        await visit.page.waitForTimeout(2500);
        await shoot(name);
      }
      await visit.page.keyboard.press('2');
      await visit.page.waitForTimeout(500);
      await shoot('enlarged');
      await visit.page.goto('/#/wall');
      await visit.page.locator('.empty button').click();
      await visit.page.getByRole('dialog').waitFor();
      await shoot('picking');
      visit.complaints.length = 0;
      await visit.close();
    });
  }
});
