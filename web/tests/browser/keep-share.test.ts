/** Links that open a part without an account. */
import type { APIRequestContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';
import { invite } from './people';

const headers = { 'x-retroview': '1' };
const start = `${day}T10:00:10Z`;
const end = `${day}T10:00:20Z`;

interface Fresh {
  id: string;
  url: string;
  secret: string;
}

/** Made by the API: what the dialog does has a test of its own. */
async function share(request: APIRequestContext, more: object = {}): Promise<Fresh> {
  const data = { streams: ['yard'], start, end, expires_at: inAnHour(), ...more };
  const made = await request.post('/v1/shares', { headers, data });
  expect(made.status(), await made.text()).toBe(201);
  return (await made.json()) as Fresh;
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

async function together(act: (owner: Visit, guest: Visit) => Promise<void>): Promise<void> {
  const [owner, guest] = [await Visit.open(), await Visit.open()];
  try {
    await owner.signIn();
    await act(owner, guest);
  } finally {
    await owner.close();
    await guest.close();
  }
}

const bar = (page: Page) => page.getByRole('slider', { name: 'Time bar of the shared part' });
const card = (page: Page, heading: string) => page.getByRole('alert').getByRole('heading', { name: heading });

test('a link is made in the dialog, shown once, and opens the part for somebody without an account', () =>
  together(async (owner, guest) => {
    await owner.watch('yard', `${day}T10:00:15Z`);
    const panel = owner.page.getByRole('region', { name: 'Keep a part' });
    for (const [name, time] of [
      ['Beginning of the part', '10:00:10'],
      ['End of the part', '10:00:20'],
    ] as const) {
      await panel.getByLabel(name, { exact: true }).fill(time);
      await panel.getByLabel(name, { exact: true }).press('Enter');
    }
    await panel.getByRole('button', { name: 'Share…' }).click();
    const dialog = owner.page.getByRole('dialog');
    await dialog.getByLabel('1 day').check();
    await dialog.getByLabel('Note').fill('The van comes from the left.');
    await dialog.getByRole('button', { name: 'Make the link' }).click();
    const url = await dialog.getByRole('textbox', { name: /^Link/ }).inputValue();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#\/share\/\S{16,}$/);
    await dialog.getByRole('button', { name: 'Copy the link' }).click();
    await dialog.getByRole('button', { name: 'Copied' }).waitFor();
    await dialog.getByRole('link', { name: 'All links' }).click();
    const row = owner.page.getByRole('main').getByRole('listitem').filter({ hasText: 'The van comes' });
    await row.getByText('never opened').waitFor();
    expect(await owner.page.content()).not.toContain(url.split('/share/')[1]);

    await guest.page.goto(url);
    await guest.sees(start, 2500);
    await guest.page.getByText('The van comes from the left.').waitFor();
    await guest.page.getByText(/This link opens until/).waitFor();
    expect(await guest.page.getByRole('link').count()).toBe(0);
    await owner.page.reload();
    await row.getByText('opened once').waitFor();
  }));

test('the shared part plays from its beginning to its end, and nothing outside of it is to be had', () =>
  together(async (owner, guest) => {
    const { url } = await share(owner.page.request);
    const { page } = guest;
    await page.goto(url);
    await guest.sees(start, 1500);
    await page.getByText('This is the end of the shared part').waitFor({ timeout: 30_000 });
    const last = await guest.picture();
    expect(last).toBeGreaterThan(Date.parse(end) - 400);
    expect(last).toBeLessThanOrEqual(Date.parse(end));
    expect(await page.locator('video').evaluate((video: HTMLVideoElement) => video.paused)).toBe(true);
    await page.getByRole('button', { name: 'Watch it again' }).click();
    await guest.sees(start, 2500);
    await guest.pause();
    await bar(page).focus();
    await page.keyboard.press('End');
    await guest.sees(end, 100);
    for (let i = 0; i < 5; i += 1) await page.keyboard.press('ArrowLeft');
    await guest.sees(start, 100);

    const asked = async (path: string) => (await page.request.get(path)).status();
    expect(await asked(`/v1/streams/yard/coverage?start=${start}&end=${end}`)).toBe(200);
    expect(await asked(`/v1/streams/yard/media.m3u8?start=${start}&end=${end}`)).toBe(200);
    for (const path of [
      `/v1/streams/yard/media.m3u8?start=${day}T10:00:40Z&end=${day}T10:00:50Z`,
      `/v1/streams/yard/frame.jpg?at=${day}T10:00:45Z`,
      `/v1/streams/yard/clip.mp4?start=${start}&end=${end}`,
      `/v1/streams/shed/media.m3u8?start=${start}&end=${end}`,
      '/v1/exports',
      '/v1/accounts/main/shares',
    ]) {
      expect([path, [401, 403, 404].includes(await asked(path))]).toEqual([path, true]);
    }
    const list = await page.request.get('/v1/streams');
    const { streams } = list.ok() ? ((await list.json()) as { streams: { id: string }[] }) : { streams: [] };
    expect(streams.filter((stream) => stream.id !== 'yard')).toEqual([]);
  }));

test('a revoked link ends also for somebody who is watching', () =>
  together(async (owner, guest) => {
    const { url } = await share(owner.page.request, { end: `${day}T10:01:00Z`, note: 'to be revoked' });
    await guest.page.goto(url);
    await guest.sees(start, 2500);
    await owner.page.goto('/#/shares');
    const row = owner.page.getByRole('main').getByRole('listitem').filter({ hasText: 'to be revoked' });
    await row.getByRole('button', { name: 'Revoke' }).click();
    const dialog = owner.page.getByRole('dialog');
    await dialog.getByText('It was opened once so far').waitFor();
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await row.getByText('Revoked', { exact: true }).waitFor();
    await card(guest.page, 'This link was revoked').waitFor();
    expect(await guest.page.locator('video').count()).toBe(0);
    await guest.page.reload();
    await card(guest.page, 'This link was revoked').waitFor();
    guest.complaints.length = 0;
  }));

test('a link that expires in mid-play says so', () =>
  together(async (owner, guest) => {
    const expires = new Date(Date.now() + 8000).toISOString();
    const { url } = await share(owner.page.request, { end: `${day}T10:01:00Z`, expires_at: expires });
    await guest.page.goto(url);
    await guest.sees(start, 4000);
    await card(guest.page, 'This link has expired').waitFor({ timeout: 20_000 });
    await guest.page.goto('/#/share/nobody-ever-made-this');
    await card(guest.page, 'There is no such link').waitFor();
    guest.complaints.length = 0;
  }));

test('downloads are offered where they are allowed', () =>
  together(async (owner, guest) => {
    const { url } = await share(owner.page.request, { streams: ['yard', 'shed'], download: true });
    await guest.page.goto(url);
    await guest.sees(start, 2500);
    const [download] = await Promise.all([
      guest.page.waitForEvent('download'),
      guest.page.getByRole('link', { name: /^Download, [\d.]+ kB$/ }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^yard-20260503T1000\d\dZ\.mp4$/);
    expect(await download.failure()).toBeNull();
    await guest.page.getByRole('button', { name: 'shed' }).click();
    await guest.page
      .getByText(/Nothing (was|has been) recorded|Recording of this stream/)
      .first()
      .waitFor();
    expect(await guest.page.getByRole('link', { name: /^Download/ }).count()).toBe(0);
  }));

test('whoever is signed in as somebody else sees the part, and stays signed in', () =>
  together(async (owner, guest) => {
    const { request } = owner.page;
    const account = { id: 'others', name: 'Others', zone: 'UTC', plan: 'basic' };
    expect((await request.post('/v1/accounts', { headers, data: account })).status()).toBe(201);
    await invite(request, 'others', 'otto', 'viewer');
    const { url } = await share(request);
    await guest.signIn('otto');
    expect((await guest.page.request.get('/v1/streams/yard')).status()).toBe(404);
    await guest.page.goto(url);
    await guest.sees(start, 2500);
    await guest.page.getByRole('button', { name: 'Settings' }).click();
    expect(await guest.page.getByText('otto').count()).toBe(0);
    await guest.page.goto('/#/');
    await guest.page.getByRole('heading', { name: 'Streams' }).waitFor();
    await guest.page.getByRole('button', { name: 'Settings' }).click();
    await guest.page.getByText('Signed in as otto').waitFor();
    expect((await guest.page.request.get('/v1/session')).status()).toBe(200);
  }));
