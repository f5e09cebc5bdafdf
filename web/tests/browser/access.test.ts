/** Every page for everybody: no barrier that axe can find, in the light and in the dark; by keyboard alone; within its origin. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hire, openOffice, people } from './office';
import { Visit } from './page';
import type { Recorder } from './recorder';

/** Run by the browser itself, as extensions are: the page's policy stays as strict as it is. */
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

declare global {
  interface Window {
    axe: { run(context: Document, options: RunOptions): Promise<AxeResults> };
  }
}

let recorder: Recorder;
beforeAll(async () => {
  recorder = await openOffice();
  const visit = await Visit.open({}, recorder.url);
  await visit.signIn();
  await hire(visit);
  await visit.close();
});
afterAll(() => recorder.stop());

const pages = {
  streams: '#/',
  'streams of a customer': '#/manage/streams/acme',
  retention: '#/retention/acme',
  receipt: '#/receipts/1',
  audit: '#/audit',
  people: '#/people/acme',
  plan: '#/account/acme',
  accounts: '#/accounts',
  system: '#/system',
  me: '#/me',
  setup: '#/setup',
  holds: '#/holds/acme',
  bookmarks: '#/bookmarks',
  exports: '#/exports',
  watch: '#/watch/door',
  'nothing there': '#/watch/nowhere',
};

async function barriers(visit: Visit): Promise<string[]> {
  const found = await visit.page.evaluate(() =>
    window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return found.violations.flatMap((v) =>
    v.nodes.map((n) => `${v.id}: ${n.target.join(' ')} (${n.failureSummary ?? ''})`),
  );
}

describe.each(['light', 'dark'] as const)('in the %s', (colorScheme) => {
  test('no page has a barrier, and none asks another origin', async () => {
    const visit = await Visit.open({ colorScheme, locale: colorScheme === 'dark' ? 'fr-FR' : 'en-GB' }, recorder.url);
    const foreign: string[] = [];
    visit.page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(recorder.url) && !/^(blob|data):/.test(url)) foreign.push(url);
    });
    await visit.page.context().addInitScript(axe);
    await visit.page.goto('/');
    await visit.page.locator('#user').waitFor();
    const found: Record<string, string[]> = { 'sign-in': await barriers(visit) };
    await visit.signIn();
    for (const [name, address] of Object.entries(pages)) {
      await visit.page.goto(`/${address}`);
      await visit.page.locator('main').waitFor();
      // What it shows first is on its way.
      await visit.page.waitForLoadState('networkidle').catch(() => undefined);
      found[name] = await barriers(visit);
    }
    visit.complaints.length = 0;
    await visit.close();
    expect(Object.fromEntries(Object.entries(found).filter(([, list]) => list.length > 0))).toEqual({});
    expect(foreign).toEqual([]);
  }, 180_000);
});

test('dialogs keep the focus, leave on Escape, and give it back', async () => {
  const visit = await Visit.open({}, recorder.url);
  const { page } = visit;
  await page.context().addInitScript(axe);
  await visit.signIn(people.manager);
  for (const [address, button] of [
    ['#/manage/streams', 'Add a stream'],
    ['#/people', 'Invite a user'],
    ['#/people', 'Make a token'],
    ['#/retention', 'Erase footage'],
    ['#/account', 'Change the plan'],
  ] as const) {
    await page.goto(`/${address}`);
    const opener = page.getByRole('button', { name: button });
    await opener.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    for (let i = 0; i < 25; i += 1) {
      await page.keyboard.press('Tab');
      const inside = await page.evaluate(() => {
        const at = document.activeElement;
        return at === null || at === document.body || at.closest('dialog') !== null;
      });
      expect(inside).toBe(true);
    }
    expect(await barriers(visit)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(() => opener.evaluate((b) => b === document.activeElement)).toBe(true);
  }
  await visit.close();
});

test('from sign-in to an invitation without a mouse', async () => {
  const visit = await Visit.open({}, recorder.url);
  const { page } = visit;
  await visit.signIn(people.manager);
  const reach = async (name: string) => {
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
      if (at === name) return;
    }
    throw new Error(`the keyboard does not reach “${name}”`);
  };
  await reach('People');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'People', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Invite a user' }).waitFor();
  await reach('Invite a user');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.getByLabel('User name').focus();
  await page.keyboard.type('keys@example.org');
  await page.keyboard.press('Enter');
  await page.getByLabel('One-time link').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('row').filter({ hasText: 'keys@example.org' }).waitFor();
  await visit.close();
});
