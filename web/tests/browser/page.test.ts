import { expect, inject, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';
import { password, user } from './recorder';

async function visiting(
  options: Parameters<typeof Visit.open>[0],
  act: (visit: Visit) => Promise<void>,
): Promise<void> {
  const visit = await Visit.open(options);
  try {
    await act(visit);
  } finally {
    await visit.close();
  }
}

test('a wrong password is refused in kind words, the right one lets in and lasts', () =>
  visiting({}, async (visit) => {
    const { page } = visit;
    await page.goto('/');
    await page.getByLabel('User name').fill(user);
    await page.getByLabel('Password').fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('User name or password is not right').waitFor();
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Streams' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Streams' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  }));

test('whoever is invited chooses a password and is in, and the link opens no second time', () =>
  visiting({}, async (visit) => {
    const { page } = visit;
    await visit.signIn();
    const invited = await page.request.post('/v1/accounts/main/users', {
      headers: { 'x-retroview': '1' },
      data: { name: 'ann@example.org', role: 'viewer', language: 'fr' },
    });
    const { link } = (await invited.json()) as { link: { url: string } };
    await page.context().clearCookies();
    await page.goto(link.url);
    await page.reload();
    await page.getByRole('heading', { name: 'Bienvenue' }).waitFor();
    expect(await page.getByLabel('Nom d’utilisateur').inputValue()).toBe('ann@example.org');
    const fields = [page.locator('#password'), page.locator('#repeated')];
    const choose = async (...values: string[]) => {
      for (const [i, field] of fields.entries()) await field.fill(values[i] ?? '');
      await page.keyboard.press('Enter');
    };
    await choose('court', 'court');
    await page.getByRole('alert').getByText('au moins 8 caractères').waitFor();
    await choose('une phrase assez longue', 'une autre phrase');
    await page.getByRole('alert').getByText('pas identiques').waitFor();
    await choose('une phrase assez longue', 'une phrase assez longue');
    await page.locator('header').waitFor();
    expect(new URL(page.url()).hash).toBe('#/');

    await page.goto(link.url);
    await page.getByRole('alert').getByText('Il a déjà servi').waitFor();
    await page.getByRole('link', { name: 'Aller à la connexion' }).click();
    await page.locator('header').waitFor();
  }));

test('the list shows each stream with its state and a recent picture', () =>
  visiting({}, async (visit) => {
    await visit.signIn();
    const card = (name: string) => visit.page.getByRole('article').filter({ hasText: name });
    await card('live').getByText('Recording').waitFor();
    await card('yard').getByText('Paused').waitFor();
    await card('Porch').getByText('Connecting').waitFor();
    await card('Porch').getByText('No picture yet').waitFor();
    for (const name of ['live', 'yard', 'attic']) {
      const picture = card(name).getByRole('img');
      await card(name).scrollIntoViewIfNeeded();
      await picture.waitFor();
      await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(320);
    }
    await card('yard').getByRole('link').click();
    await visit.page.getByRole('heading', { name: 'yard' }).waitFor();
  }));

test('the page speaks the browser’s language until the viewer chooses another, and remembers', () =>
  visiting({ locale: 'fr-CA' }, async (visit) => {
    const { page } = visit;
    await page.goto('/');
    await page.getByRole('heading', { name: 'Connexion' }).waitFor();
    await visit.signIn();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('fr');
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.type('10:03:00');
    await page.locator('.card').getByText('Entre deux enregistrements importés').waitFor();
    await page.getByRole('button', { name: 'Réglages' }).click();
    await page.getByLabel('English').check();
    await page.locator('.card').getByText('Between imported recordings').waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Settings' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('en');
  }));

test('times are shown in the viewer’s zone, or in UTC when asked', () =>
  visiting({ timezoneId: 'Europe/Paris' }, async (visit) => {
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.type('12:00:20');
    await visit.sees(`${day}T10:00:20Z`, 40);
    expect(await visit.clock()).toBe('12:00:20');
    await visit.page.getByRole('button', { name: 'Settings' }).click();
    await visit.page.getByLabel('UTC', { exact: true }).check();
    await expect.poll(() => visit.clock()).toBe('10:00:20');
  }));

test('an ended session asks for the password and comes back to the same moment', () =>
  visiting({}, async (visit) => {
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.type('10:00:33');
    await visit.sees(`${day}T10:00:33Z`, 40);
    await visit.page.context().clearCookies();
    await visit.page.getByText('Your session has ended').waitFor({ timeout: 20_000 });
    visit.complaints.length = 0;
    await visit.page.getByLabel('User name').fill(user);
    await visit.page.getByLabel('Password').fill(password);
    await visit.page.keyboard.press('Enter');
    await visit.sees(`${day}T10:00:33Z`, 3000);
  }));

test('a stream that never connected says so, and why', () =>
  visiting({}, async (visit) => {
    await visit.signIn();
    await visit.watch('porch');
    const card = visit.page.locator('.card');
    await card.getByText('Nothing has been recorded on this stream yet').waitFor();
    await card.getByText('waiting for a sender').waitFor();
    await visit.page.locator('header').getByText('Connecting').waitFor();
  }));

test('an unknown stream has a way back', () =>
  visiting({}, async (visit) => {
    await visit.signIn();
    await visit.page.goto('/#/watch/nowhere');
    await visit.page.getByText('There is no stream called “nowhere”').waitFor();
    visit.complaints.length = 0;
    await visit.page.getByRole('link', { name: 'All streams' }).last().click();
    await visit.page.getByRole('heading', { name: 'Streams' }).waitFor();
  }));

test.each([
  [360, 740],
  [768, 1024],
  [1440, 900],
])('nothing is cut off at %d × %d', (width, height) =>
  visiting({ viewport: { width, height }, locale: 'fr-FR' }, async (visit) => {
    await visit.signIn();
    const fits = () => visit.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    expect(await fits()).toBe(true);
    await visit.watch('yard', `${day}T10:00:20Z`);
    expect(await fits()).toBe(true);
  }),
);

test('the page comes with a strict policy and sends nothing elsewhere', () =>
  visiting({}, async (visit) => {
    const policy = (await fetch(inject('url'))).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    const foreign: string[] = [];
    visit.page.on('request', (request) => {
      if (!request.url().startsWith(inject('url')) && !request.url().startsWith('blob:')) foreign.push(request.url());
    });
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    expect(foreign).toEqual([]);
  }));
