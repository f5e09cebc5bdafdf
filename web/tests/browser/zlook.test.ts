import { test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';

const us = (t: string) => Date.parse(t) * 1000;
const bm = (id: number, t: string, end: string | null, title: string, note: string, author = 'user admin') => ({
  id, stream: 'yard', at_us: us(t), end_us: end ? us(end) : null, title, note, author, created_at_us: us(t) + id, mine: author === 'user admin',
});
const bookmarks = [
  bm(1, `${day}T10:00:12Z`, null, 'White van arrives', ''),
  bm(2, `${day}T10:00:30Z`, `${day}T10:00:50Z`, 'Delivery', 'Two people, one parcel.\nLeft at the back door.', 'user ann@example.org'),
  bm(3, `${day}T10:05:10Z`, null, 'Camera moved', 'By the wind?'),
];
const now = Date.now() * 1000;
const job = (id: string, change: object) => ({
  id, account: 'main', streams: ['yard'], start_us: us(`${day}T10:00:10Z`), end_us: us(`${day}T10:00:50Z`), format: 'mp4', note: 'Insurance claim 2026-114',
  by: 'user admin', created_at_us: now - 3e8, state: 'done', done_bytes: 0, total_bytes: 0, ...change,
});
const jobs = [
  job('j3', { state: 'running', done_bytes: 430e6, total_bytes: 1.2e9, eta_s: 75, format: 'archive', streams: ['yard', 'shed'], created_at_us: now - 6e7 }),
  job('j2', { file_name: 'yard-20260503T100010Z-20260503T100050Z.mp4', size_bytes: 7.2e6, sha256: 'ab'.repeat(32), expires_at_us: now + 6 * 864e8 }),
  job('j1', { state: 'failed', error: 'the disk is full', note: '', created_at_us: now - 9e10 }),
];
const shares = [
  { id: 's1', streams: ['yard'], start_us: us(`${day}T10:00:10Z`), end_us: us(`${day}T10:00:50Z`), expires_at_us: now + 6e11, note: 'For the police, case 44', download: true, by: 'user admin', created_at_us: now - 3e9, revoked_at_us: null, revoked_by: null, opens: 3, last_opened_at_us: now - 6e8 },
  { id: 's2', streams: ['yard', 'shed'], start_us: us(`${day}T10:00:10Z`), end_us: us(`${day}T10:00:50Z`), expires_at_us: now + 6e11, note: '', download: false, by: 'user ann@example.org', created_at_us: now - 9e10, revoked_at_us: now - 6e9, revoked_by: 'user admin', opens: 0, last_opened_at_us: null },
];

const sizes = { wide: [1440, 900], medium: [1024, 768], narrow: [390, 844] } as const;
const combos = [['wide', 'en-GB', 'light'], ['wide', 'fr-FR', 'dark'], ['medium', 'en-GB', 'dark'], ['narrow', 'fr-FR', 'light']] as const;
for (const [size, locale, colorScheme] of combos) {
  test(`${size} ${locale} ${colorScheme}`, async () => {
    const [width, height] = sizes[size];
    const narrow = size === 'narrow';
    const visit = await Visit.open({ viewport: { width, height }, locale, colorScheme, timezoneId: 'Europe/Paris', ...(narrow ? { hasTouch: true, isMobile: true, deviceScaleFactor: 2 } : {}) });
    const { page } = visit;
    await page.route(/\/v1\/(streams|accounts)\/\w+\/bookmarks/, (route) =>
      route.request().method() === 'GET' ? route.fulfill({ json: { bookmarks } }) : route.fulfill({ status: 201, json: bookmarks[0] }));
    await page.route(/\/v1\/exports(\?|$)/, (route) =>
      route.request().method() === 'GET' ? route.fulfill({ json: { exports: jobs } }) : route.fulfill({ status: 202, json: job('j4', { state: 'waiting' }) }));
    await page.route(/\/v1\/accounts\/\w+\/shares/, (route) => route.fulfill({ json: { shares } }));
    await page.route(/\/v1\/shares$/, (route) => route.fulfill({ status: 201, json: { ...shares[0], url: 'https://recorder.example.org/#/share/Zm9vYmFyYmF6cXV4', secret: 'x' } }));
    const opened = { streams: [{ id: 'yard', title: 'Yard' }, { id: 'shed', title: 'Shed' }], start_us: us(`${day}T10:00:10Z`), end_us: us(`${day}T10:00:50Z`), expires_at_us: now + 6e11, download: true, note: 'The van comes in from the left.' };
    await page.route(/\/v1\/shares\/open/, (route) => {
      const secret = (route.request().postDataJSON() as { secret: string }).secret;
      if (secret === 'good') return route.fulfill({ json: opened });
      return route.fulfill({ status: secret === 'nothing' ? 404 : 410, json: { code: secret === 'nothing' ? 'unknown_share' : `share_${secret}`, detail: '' } });
    });
    const hold = (id: number, change: object) => ({ id, account: 'main', streams: ['yard'], start_us: us(`${day}T10:00:10Z`), end_us: us(`${day}T10:00:50Z`), margin_before_us: 6e7, margin_after_us: 0, case: 'Case 44', reason: 'Asked for by the police', author: 'user admin', placed_at_us: now - 4e9, expires_at_us: null, release_asked_by: null, released_by: null, released_at_us: null, state: 'active', ...change });
    await page.route(/\/v1\/accounts\/main\/holds$/, (route) => route.request().method() === 'GET' ? route.continue() : route.fulfill({ status: 201, json: { ...hold(9, {}), rescued_blocks: 3, too_late_blocks: 1 } }));
    await page.route(/\/v1\/accounts\/main\/holds\?/, (route) => route.fulfill({ json: { holds: [hold(1, {}), hold(2, { state: 'release_asked', release_asked_by: 'user ann@example.org', expires_at_us: now + 9e11 }), hold(3, { state: 'released', released_by: 'user admin', released_at_us: now })] } }));
    await page.route(/forecast\?/, (route) => route.fulfill({ json: { leaves: { bytes: 4.1e9, duration_us: 36e8 }, rescued: { bytes: 0, duration_us: 0 } } }));
    const shoot = (name: string, full = narrow) => page.screenshot({ path: `/tmp/kw/${name}-${size}-${locale.slice(0, 2)}-${colorScheme}.png`, fullPage: full });
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await page.keyboard.press('k');
    await page.waitForTimeout(500);
    await shoot('panel-empty');
    await page.keyboard.press('i');
    await visit.type('12:00:50');
    await visit.sees(`${day}T10:00:50Z`);
    await page.keyboard.press('o');
    await page.waitForTimeout(1200);
    await shoot('panel');
    const button = (name: RegExp) => page.locator('.keep').getByRole('button', { name });
    await button(/^Export/).click();
    await page.waitForTimeout(900);
    await shoot('export-dialog', false);
    await page.keyboard.press('Escape');
    await button(/Share|Partager/).click();
    await page.waitForTimeout(900);
    await shoot('share-dialog', false);
    await page.getByRole('button', { name: /Make the link|Créer le lien/ }).click();
    await page.waitForTimeout(300);
    await shoot('share-made', false);
    await page.keyboard.press('Escape');
    await button(/Hold|Geler/).click();
    await page.waitForTimeout(900);
    await shoot('hold-dialog', false);
    await page.locator('dialog input:not([type])').last().fill('Case 44');
    await page.locator('dialog textarea').fill('Asked for by the police');
    await page.getByRole('button', { name: /Place the hold|Poser le gel/ }).click();
    await page.waitForTimeout(900);
    await shoot('hold-placed', false);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /Bookmark this|Signet à/ }).click();
    await page.waitForTimeout(200);
    await shoot('bookmark-new');
    for (const name of ['exports', 'bookmarks', 'shares', 'holds']) {
      await page.goto(`/#/${name}`);
      await page.locator('ul.rows').waitFor();
      await page.waitForTimeout(1500);
      await shoot(name);
    }
    await page.getByRole('button', { name: /Release|Lever/ }).first().click();
    await page.waitForTimeout(900);
    await shoot('release', false);
    await page.keyboard.press('Escape');
    for (const secret of ['good', 'revoked', 'expired', 'nothing']) {
      await page.goto(`/#/share/${secret}`);
      await page.locator('.card, .bar').first().waitFor();
      await page.waitForTimeout(secret === 'good' ? 2500 : 600);
      await shoot(`share-${secret}`);
    }
    await page.goto(`/#/share/good`);
    await page.waitForTimeout(1500);
    await page.getByRole('slider', { name: /Time bar|Barre/ }).press('End');
    await page.waitForTimeout(1500);
    await shoot('share-end');
    visit.complaints.length = 0;
    await visit.close();
  }, 120_000);
}
