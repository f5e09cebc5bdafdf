/** The pages of those who look after an installation, against the real recorder: the main path of each. */
import type { BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { camera, hire, openOffice, people } from './office';
import { Visit } from './page';
import { type Recorder, password } from './recorder';

let recorder: Recorder;

beforeAll(async () => {
  recorder = await openOffice();
  const visit = await Visit.open({}, recorder.url);
  await visit.signIn();
  await hire(visit);
  await visit.close();
});
afterAll(() => recorder.stop());

async function visiting(
  act: (visit: Visit) => Promise<void>,
  options: BrowserContextOptions & { as?: string } = {},
): Promise<void> {
  const { as, ...rest } = options;
  const visit = await Visit.open(rest, recorder.url);
  try {
    await visit.signIn(as);
    await act(visit);
  } finally {
    await visit.close();
  }
}

test('the menu has the pages of one’s role, and auditors land where there is no footage', async () => {
  const menu = async (as?: string) => {
    let names: string[] = [];
    await visiting(
      async ({ page }) => {
        await page.getByRole('navigation').first().waitFor();
        names = (await page.getByRole('navigation').first().getByRole('link').allInnerTexts()).map((n) => n.trim());
        if (as !== people.auditor) return;
        await page.getByRole('heading', { name: 'Retention', level: 1 }).waitFor();
        for (const address of ['/#/', '/#/watch/door', '/#/people']) {
          await page.goto(address);
          await page
            .getByText(/This page is for others|Promised and there/)
            .first()
            .waitFor();
        }
        expect(await page.locator('video').count()).toBe(0);
      },
      as ? { as } : {},
    );
    return names;
  };
  expect(await menu(people.viewer)).not.toContain('People');
  expect(await menu(people.manager)).toEqual(expect.arrayContaining(['Streams', 'Sources', 'Retention', 'People']));
  const auditors = await menu(people.auditor);
  expect(auditors).toEqual(expect.arrayContaining(['Retention', 'Audit']));
  expect(auditors).not.toContain('Streams');
  expect(await menu()).toEqual(expect.arrayContaining(['Accounts', 'System']));
});

test('a stream is tried, added, edited, paused, removed in numbers, and restored', async () => {
  const source = await camera(recorder);
  await visiting(
    async ({ page }) => {
      await page.goto('/#/manage/streams');
      await page.getByRole('button', { name: 'Add a stream' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Name', { exact: true }).fill('Lobby, west');
      expect(await dialog.getByLabel('Short name').inputValue()).toBe('lobby-west');
      await dialog.getByLabel('Source', { exact: true }).fill(source.url);
      await dialog.getByRole('button', { name: 'Test the connection' }).click();
      await dialog.getByText('It answers').waitFor({ timeout: 40_000 });
      await dialog.getByText('H.264, 640 × 360').waitFor();
      const picture = dialog.getByRole('img', { name: 'The first picture' });
      await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(640);
      await dialog.getByRole('button', { name: 'Add and record' }).click();
      const row = page.getByRole('row').filter({ hasText: 'lobby-west' });
      await row.waitFor();

      await row.getByRole('button', { name: /^Edit/ }).click();
      await dialog.getByLabel('Name', { exact: true }).fill('Lobby');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await row.getByRole('link', { name: 'Lobby', exact: true }).waitFor();

      await row.getByRole('button', { name: /^Pause/ }).click();
      await row.getByText('Paused').first().waitFor();
      await row.getByRole('button', { name: /^Resume/ }).waitFor();

      const yard = page.getByRole('row').filter({ hasText: 'yard' });
      await yard.getByRole('button', { name: /^Remove/ }).click();
      await dialog.getByText('3 months').waitFor();
      await dialog
        .getByText(/\d+ s, [\d.]+ (kB|MB)/)
        .first()
        .waitFor();
      await dialog.getByRole('button', { name: 'Stop recording and remove' }).click();
      await yard.waitFor({ state: 'detached' });
      await page.getByRole('radio', { name: /^Removed/ }).dispatchEvent('click');
      await page
        .getByRole('row')
        .filter({ hasText: 'yard' })
        .getByRole('button', { name: /Restore/ })
        .click();
      await page.getByRole('radio', { name: /^All/ }).dispatchEvent('click');
      await page.getByRole('row').filter({ hasText: 'yard' }).waitFor();
    },
    { as: people.manager },
  );
  source.close();
});

test('a source that cannot be reached says so before anything is added', () =>
  visiting(
    async (visit) => {
      const { page } = visit;
      await page.goto('/#/manage/streams');
      await page.getByRole('button', { name: 'Add a stream' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Source', { exact: true }).fill('rtsp://127.0.0.1:1/nothing');
      await dialog.getByRole('button', { name: 'Test the connection' }).click();
      await dialog.getByText('It cannot be recorded like this').waitFor({ timeout: 40_000 });
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      visit.complaints.length = 0;
    },
    { as: people.manager },
  ));

test('retention shows what was promised and what is there, counts a change, and has receipts', () =>
  visiting(
    async ({ page }) => {
      await page.goto('/#/retention');
      const yard = page.getByRole('row').filter({ hasText: 'Yard' }).first();
      await yard.getByRole('img', { name: /Promised from/ }).waitFor();

      await page.getByLabel('a cap on one stream').check();
      await page.getByLabel('Stream', { exact: true }).selectOption('door');
      await page.getByLabel('Days').fill('1');
      await page.getByRole('button', { name: 'Count', exact: true }).click();
      await page.getByText('As of').waitFor();
      await page
        .getByRole('row', { name: /Front door .*12 s/ })
        .last()
        .waitFor();

      await yard.getByRole('button', { name: /^Cap/ }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Keep less than the plan').check();
      await dialog.getByLabel('Days').fill('0.5');
      await dialog.getByText('From now on:').waitFor();
      await dialog
        .getByText(/\d+ blocks?/)
        .first()
        .waitFor();
      await page.keyboard.press('Escape');

      await page.getByRole('link', { name: 'Receipt 1' }).click();
      await page.getByRole('heading', { name: 'Receipt of deleted footage' }).waitFor();
      await page.getByRole('cell', { name: 'plan, 3 months' }).first().waitFor();
      await page.goBack();
      await page.getByRole('heading', { name: 'Retention', level: 1 }).waitFor();
    },
    { as: people.manager },
  ));

test('footage is erased after it was counted and named', () =>
  visiting(
    async ({ page }) => {
      await page.goto('/#/retention');
      await page.getByRole('button', { name: 'Erase footage' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Stream', { exact: true }).selectOption('yard');
      await dialog.getByLabel('All footage up to now').check();
      await dialog.getByLabel('Reason').fill('Request under Article 17');
      await dialog.getByLabel('Asked for by').fill('Mrs Miller');
      await dialog.getByRole('button', { name: 'Count what would go' }).click();
      await dialog.getByText(/This erases \d+ segments/).waitFor();
      const erase = dialog.getByRole('button', { name: 'Erase for good' });
      expect(await erase.isDisabled()).toBe(true);
      await dialog.getByLabel('Type “yard” to confirm').fill('yard');
      await erase.click();
      await dialog.getByText('It is written down and under way').waitFor();
      await dialog.getByRole('button', { name: 'Done' }).click();
      await page.getByRole('cell', { name: /Request under Article 17/ }).waitFor();
    },
    { as: people.manager },
  ));

test('the log is searched, and the address says for what', () =>
  visiting(
    async ({ page }) => {
      await page.goto('/#/audit');
      await page.getByRole('row').filter({ hasText: 'Hold placed' }).waitFor();
      await page.getByLabel('Act').selectOption('hold.placed');
      await expect.poll(() => new URL(page.url()).hash).toBe('#/audit?act=hold.placed');
      await expect.poll(() => page.getByRole('button', { name: /^Details/ }).count()).toBe(1);
      await page.getByRole('button', { name: /^Details/ }).click();
      await page.getByText('Burglary').waitFor();
      await page.reload();
      await expect.poll(() => page.getByRole('button', { name: /^Details/ }).count()).toBe(1);
      await page.getByRole('link', { name: 'Show everything' }).click();
      await page.getByRole('row').filter({ hasText: 'Footage deleted' }).first().waitFor();
    },
    { as: people.auditor },
  ));

test('somebody is invited for chosen streams, disabled, and removed; a token is shown once', () =>
  visiting(
    async ({ page }) => {
      await page.goto('/#/people');
      await page.getByRole('button', { name: 'Invite a user' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('User name').fill('carl@example.org');
      await dialog.getByLabel('Only chosen ones').check();
      await dialog.getByLabel('Front door').check();
      await dialog.getByRole('button', { name: 'Make the link' }).click();
      const link = await dialog.getByLabel('One-time link').inputValue();
      expect(new URL(link).hash).toMatch(/^#\/link\/.{20,}/);
      await dialog.getByRole('button', { name: 'Done' }).click();
      const carl = page.getByRole('row').filter({ hasText: 'carl@example.org' });
      await carl.getByText('1 stream').waitFor();
      await carl.getByRole('button', { name: /^Disable/ }).click();
      await dialog.getByRole('button', { name: 'Disable' }).click();
      await carl.getByText('disabled').waitFor();
      await carl.getByRole('button', { name: /^Remove/ }).click();
      await dialog.getByRole('button', { name: 'Remove' }).click();
      await carl.waitFor({ state: 'detached' });

      await page.getByRole('button', { name: 'Make a token' }).click();
      await dialog.getByLabel('Name', { exact: true }).fill('wall');
      await dialog.getByRole('button', { name: 'Make it' }).click();
      expect(await dialog.getByLabel('Token', { exact: true }).inputValue()).toMatch(/^rv_/);
      await dialog.getByRole('button', { name: 'Done' }).click();
      const wall = page.getByRole('row').filter({ hasText: 'wall' });
      await wall.getByRole('button', { name: /^Revoke/ }).click();
      await dialog.getByRole('button', { name: 'Revoke' }).click();
      await wall.waitFor({ state: 'detached' });
    },
    { as: people.manager },
  ));

test('an upgrade is quoted, a downgrade is dated and cancelled, and both are in the ledger', () =>
  visiting(
    async ({ page }) => {
      await page.goto('/#/account');
      await page.getByRole('button', { name: 'Change the plan' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Plan', { exact: true }).selectOption('extended');
      await dialog.getByText('To pay now').waitFor();
      await dialog.getByText('It holds at once').waitFor();
      await dialog.getByLabel('Your request').fill('Six months, please.');
      await dialog.getByRole('button', { name: 'Upgrade now' }).click();
      await page.getByRole('heading', { name: 'Extended', level: 2 }).waitFor();
      await page.getByText('Six months, please.').waitFor();

      await page.getByRole('button', { name: 'Change the plan' }).click();
      await dialog.getByLabel('Plan', { exact: true }).selectOption('basic');
      await dialog.getByText(/Basic holds from .* on/).waitFor();
      await dialog.getByLabel('Your request').fill('Less will do.');
      await dialog.getByRole('button', { name: 'Downgrade at the end of the term' }).click();
      await page.getByText(/Changes to Basic on/).waitFor();
      await page.getByRole('button', { name: 'Cancel the downgrade' }).click();
      await dialog.getByLabel('Your request').fill('Keep it.');
      await dialog.getByRole('button', { name: 'Ask for it' }).click();
      await page.getByText(/Changes to Basic on/).waitFor({ state: 'detached' });
    },
    { as: people.manager },
  ));

test('a run by hand is counted first, and going past a guard says in numbers what will go', () =>
  visiting(async ({ page }) => {
    await page.goto('/#/retention/acme');
    await page.getByRole('button', { name: 'Run retention now' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('This run would:').waitFor();
    await dialog.getByRole('button', { name: 'Run', exact: true }).click();
    await dialog.getByText('Done:').waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();

    const stop = { guard: 'clock_forward', last_run_us: Date.now() * 1000 - 3 * 86_400_000_000 };
    const stopped = { since_us: Date.now() * 1000, why: '', stop };
    await page.route('**/v1/retention', (route) =>
      route.fulfill({ json: { confirmed: false, grace_s: 1, share_percent: 20, last_run_us: null, stopped } }),
    );
    await page.reload();
    await page.getByRole('heading', { name: 'Retention stands still' }).waitFor();
    await page.getByRole('button', { name: 'I have looked into it: go on' }).click();
    await dialog.getByText(/is given up at once|Nothing would go/).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  }));

test('an operator adds an account and turns keys', () =>
  visiting(async ({ page }) => {
    await page.goto('/#/accounts');
    await page.getByRole('button', { name: 'Add an account' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).fill('Bakery');
    await dialog.getByLabel('Time zone').fill('Europe/Paris');
    await dialog.getByRole('button', { name: 'Add it' }).click();
    await page.getByRole('link', { name: 'Bakery' }).waitFor();

    await page.goto('/#/system');
    await page.getByRole('button', { name: 'Sign with a new key' }).click();
    await dialog.getByRole('button', { name: 'Sign with a new key' }).click();
    const old = page.getByRole('row').filter({ hasText: 'opens older ones' }).first();
    await old.getByRole('button', { name: /^Remove/ }).click();
    await dialog.getByText('players that use one stop').waitFor();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dialog.waitFor({ state: 'detached' });
  }));

test('one’s own password is changed, and other sessions end', () =>
  visiting(
    async ({ page }) => {
      await page.goto('/#/me');
      await page.getByText('this one').waitFor();
      await page.getByLabel('Current password').fill(password);
      await page.getByLabel('New password').fill(`${password}!`);
      await page.getByLabel('The same again').fill(`${password}!`);
      await page.getByRole('button', { name: 'Change it' }).click();
      await page.getByText('Changed. Other sessions have ended.').waitFor();
      await page.getByLabel('Current password').fill(`${password}!`);
      await page.getByLabel('New password').fill(password);
      await page.getByLabel('The same again').fill(password);
      await page.getByRole('button', { name: 'Change it' }).click();
      await expect.poll(() => page.getByLabel('Current password').inputValue()).toBe('');
    },
    { as: people.viewer },
  ));

test('500 streams are searched and filtered, and only those in view are fetched', () =>
  visiting(async (visit) => {
    const { page } = visit;
    const [one] = ((await (await page.request.get('/v1/streams')).json()) as { streams: Record<string, unknown>[] })
      .streams;
    const streams = Array.from({ length: 500 }, (_, i) => ({
      ...one,
      id: `cam-${i}`,
      title: `Camera ${i}`,
      has_video: true,
      last_end_us: Date.now() * 1000,
      state: i % 10 === 0 ? 'stalled' : 'recording',
    }));
    let pictures = 0;
    await page.route('**/v1/streams', (route) => route.fulfill({ json: { streams } }));
    await page.route('**/frame.jpg*', (route) => {
      pictures += 1;
      return route.fulfill({ status: 404, json: { code: 'no_footage', detail: '' } });
    });
    await page.reload();
    await page.getByText('500 streams').waitFor();
    await page.getByText('In trouble').click();
    await expect.poll(() => page.getByRole('article').count()).toBe(50);
    await page.getByLabel('Find a stream').fill('camera 49');
    await expect.poll(() => page.getByRole('article').count()).toBe(1);
    await expect.poll(() => new URL(page.url()).hash).toBe('#/?find=camera%2049&state=trouble');
    expect(pictures).toBeLessThan(60);
    visit.complaints.length = 0;
  }));

test('a recorder that is away is said to be, and the page goes on by itself when it is back', () =>
  visiting(async (visit) => {
    const { page } = visit;
    await page.goto('/#/audit');
    await page.getByRole('row').nth(1).waitFor();
    await recorder.halt();
    await page
      .getByRole('button', { name: /^Details/ })
      .first()
      .waitFor();
    await page.getByLabel('Stream', { exact: true }).fill('door');
    await page.getByText('The recorder does not answer. Trying again…').waitFor({ timeout: 30_000 });
    await recorder.start();
    await page.getByText('The recorder does not answer. Trying again…').waitFor({ state: 'detached', timeout: 30_000 });
    await page.getByRole('row').filter({ hasText: 'Stream added' }).waitFor();
    visit.complaints.length = 0;
  }));
