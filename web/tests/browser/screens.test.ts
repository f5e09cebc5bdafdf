/** Pictures of every page for people to look at: `RETROVIEW_SCREENS=folder npm run test:browser -- screens`. */
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { day } from './footage';
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
          await visit.page.goto('/');
          await visit.page.locator('#user').waitFor();
          await shoot('sign-in');
          await visit.signIn();
          await visit.page.getByRole('img').nth(1).waitFor();
          await shoot('streams');
          await visit.watch('yard', `${day}T10:00:20Z`);
          await shoot('watch');
          await visit.type('12:03');
          await visit.page.locator('.card button').last().waitFor();
          await shoot('gap');
          await visit.watch('live');
          await visit.page.locator('.live.on').waitFor();
          await shoot('live');
          if (!narrow) {
            await visit.page.keyboard.press('?');
            await shoot('help');
          }
          await visit.close();
        });
      }
    }
  }
});
