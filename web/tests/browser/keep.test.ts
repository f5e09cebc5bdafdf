/** Keeping what is on screen: marks, pictures, bookmarks, holds. */
import { readFile } from 'node:fs/promises';
import { type Download, type Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';
import { invite } from './people';

async function visiting(
  act: (visit: Visit) => Promise<void>,
  options: Parameters<typeof Visit.open>[0] = {},
): Promise<void> {
  const visit = await Visit.open(options);
  try {
    await act(visit);
  } finally {
    await visit.close();
  }
}

const panel = (visit: Visit) => visit.page.getByRole('region', { name: 'Keep a part' });
const field = (visit: Visit, name: string) => panel(visit).getByLabel(name, { exact: true });

/** Marks by typing, as exactly as the test needs it. */
async function mark(visit: Visit, from: string, to: string): Promise<void> {
  for (const [name, time] of [
    ['Beginning of the part', from],
    ['End of the part', to],
  ] as const) {
    await field(visit, name).fill(time);
    await field(visit, name).press('Enter');
  }
}

async function pausedAt(visit: Visit, time: string): Promise<void> {
  await visit.pause();
  await visit.type(time);
  await visit.sees(`${day}T${time}Z`, 40);
}

const fact = (visit: Visit, name: string): Locator =>
  panel(visit).locator('dl > div').filter({ hasText: name }).locator('dd');

test('a part is marked with I and O, typed to the millisecond, and says what it holds', () =>
  visiting(async (visit) => {
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await pausedAt(visit, '10:00:30');
    await visit.page.keyboard.press('i');
    await expect.poll(() => field(visit, 'Beginning of the part').inputValue()).toMatch(/^2026-05-03 10:00:30/);
    await visit.type('10:05:10');
    await visit.sees(`${day}T10:05:10Z`, 40);
    await visit.page.keyboard.press('o');
    await expect.poll(() => fact(visit, 'Gaps').innerText()).toBe('1 gap, 4 min');
    await expect.poll(() => fact(visit, 'Length').innerText()).toMatch(/^4 min (39|40) s$/);
    await expect.poll(() => fact(visit, 'Size').innerText()).toMatch(/[\d.]+ (kB|MB)$/);

    await mark(visit, '10:00:40.250', '10:00:50');
    expect(await field(visit, 'Beginning of the part').inputValue()).toBe('2026-05-03 10:00:40.250');
    await expect.poll(() => fact(visit, 'Gaps').innerText()).toBe('No gaps');
    await field(visit, 'End of the part').press('ArrowUp');
    expect(await field(visit, 'End of the part').inputValue()).toBe('2026-05-03 10:00:51');
    await field(visit, 'End of the part').fill('tomorrow');
    await field(visit, 'End of the part').press('Enter');
    await panel(visit).getByRole('alert').getByText('“tomorrow” is not a time').waitFor();

    await mark(visit, '10:02:00', '10:03:00');
    await panel(visit).getByText('Nothing is recorded between the marks').waitFor();
    expect(await panel(visit).getByRole('button', { name: 'Export…' }).isDisabled()).toBe(true);
    await mark(visit, '10:03:00', '10:02:00');
    await panel(visit).getByText('The end is before the beginning').waitFor();
    await panel(visit).getByRole('button', { name: 'Clear marks' }).click();
    expect(await field(visit, 'End of the part').inputValue()).toBe('');
  }));

/** Chunks of a PNG by their type, as text. */
function texts(png: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const body = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
    if (png.toString('latin1', at + 4, at + 8) !== 'iTXt') continue;
    const [keyword = '', , , , , text = ''] = body.toString('utf8').split('\0');
    found[keyword] = text;
  }
  return found;
}

interface Looked {
  width: number;
  height: number;
  /** Burned into the picture, in milliseconds. */
  burned: number | null;
  /** Whether the strip below is what the caption looks like when it is drawn. */
  captioned: boolean;
}

/** What a browser makes of the file. */
function look(visit: Visit, png: Buffer, pictureHeight: number, caption: string): Promise<Looked> {
  return visit.page.evaluate(
    async ({ base64, pictureHeight, caption }) => {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const { width, height } = image;
      const strip = height - pictureHeight;
      const draw = (paint: (ctx: CanvasRenderingContext2D) => void) => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [width, strip];
        const ctx = canvas.getContext('2d');
        if (!ctx) throw new Error('no canvas');
        paint(ctx);
        return [...ctx.getImageData(0, 0, width, strip).data];
      };
      const found = draw((ctx) => ctx.drawImage(image, 0, -pictureHeight));
      const wanted = draw((ctx) => {
        ctx.fillStyle = '#06090a';
        ctx.fillRect(0, 0, width, strip);
        ctx.fillStyle = '#ffffff';
        ctx.font = `${strip / 2}px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif`;
        ctx.textBaseline = 'middle';
        ctx.fillText(caption, 12, strip / 2, width - 24);
      });
      const off = found.filter((value, i) => Math.abs(value - (wanted[i] ?? 0)) > 96).length;
      const ink = wanted.filter((value) => value > 200).length;
      return {
        width,
        height,
        burned: window.burnedInto(image, width, pictureHeight),
        // Letters placed half a pixel aside differ a little at their edges.
        captioned: ink > width && off < wanted.length / 100,
      };
    },
    { base64: png.toString('base64'), pictureHeight, caption },
  );
}

async function bytesOf(download: Download): Promise<Buffer> {
  return readFile(await download.path());
}

test('a still is the frame on screen, with its time in the strip, the file and the name', () =>
  visiting(
    async (visit) => {
      await visit.signIn();
      await visit.watch('yard', `${day}T10:00:20Z`);
      await visit.pause();
      await visit.type('12:00:33');
      await visit.sees(`${day}T10:00:33Z`, 40);
      await visit.page.keyboard.press('.');
      await visit.page.keyboard.press('.');
      const shown = await visit.sees(`${day}T10:00:33.080Z`, 10);
      const [download] = await Promise.all([
        visit.page.waitForEvent('download'),
        panel(visit)
          .getByRole('button', { name: /Save the picture/ })
          .click(),
      ]);
      const name = download.suggestedFilename();
      expect(name).toMatch(/^yard-20260503T100033\.0\d\dZ\.png$/);
      const png = await bytesOf(download);
      const { Description: caption = '', 'Creation Time': created = '' } = texts(png);
      expect(caption).toMatch(/^yard · 2026-05-03 12:00:33\.\d{3} UTC\+2 \(10:00:33\.\d{3} UTC\)$/);
      expect(created).toMatch(/^2026-05-03T10:00:33\.\d{3}000Z$/);
      const seen = await look(visit, png, 360, caption);
      expect(seen).toMatchObject({ width: 640, burned: shown, captioned: true });
      expect(seen.height).toBeGreaterThan(360);
      // The frame's own time, to the rounding of media time.
      expect(Math.abs(Date.parse(created) - shown)).toBeLessThanOrEqual(2);
    },
    { timezoneId: 'Europe/Paris' },
  ));

test('a still of what the browser cannot play comes from the recorder', () =>
  visiting(async (visit) => {
    await visit.signIn();
    await visit.page.goto(`/#/watch/attic?t=${day}T12:00:02Z`);
    await visit.page.locator('.card[role=alert]').waitFor();
    const [download] = await Promise.all([
      visit.page.waitForEvent('download'),
      panel(visit)
        .getByRole('button', { name: /Save the picture/ })
        .click(),
    ]);
    const png = await bytesOf(download);
    const { Description: caption = '', 'Creation Time': created = '' } = texts(png);
    const { burned, captioned } = await look(visit, png, 360, caption);
    expect(captioned).toBe(true);
    expect(Math.abs((burned ?? 0) - Date.parse(created))).toBeLessThanOrEqual(40);
    expect(Math.abs((burned ?? 0) - Date.parse(`${day}T12:00:02Z`))).toBeLessThan(4000);
  }));

test('a bookmark is made, found beside the video, changed, jumped to, searched for and deleted', () =>
  visiting(async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await pausedAt(visit, '10:00:42');
    const list = page.getByRole('region', { name: 'Bookmarks' });
    await list.getByRole('button', { name: 'Bookmark this moment' }).click();
    await page.keyboard.press('Enter');
    await list.getByRole('alert').getByText('Give it a title').waitFor();
    await page.keyboard.type('White van');
    await page.keyboard.press('Tab');
    await page.keyboard.type('comes in from the left');
    await list.getByRole('button', { name: 'Add bookmark' }).click();
    const entry = list.locator('li').filter({ hasText: 'White van' });
    await entry.getByText('comes in from the left').waitFor();
    expect(await entry.innerText()).toContain('10:00:42');

    await entry.getByRole('button', { name: 'Change “White van”' }).click();
    await list.getByLabel('Title').fill('Blue van');
    await list.getByRole('button', { name: 'Save' }).click();
    await visit.type('10:05:10');
    await visit.sees(`${day}T10:05:10Z`, 40);
    await list
      .getByRole('button', { name: /Blue van/ })
      .first()
      .click();
    await visit.sees(`${day}T10:00:42Z`, 40);

    await mark(visit, '10:00:30', '10:00:50');
    await list.getByRole('button', { name: 'Bookmark the part' }).click();
    await page.keyboard.type('Delivery');
    await page.keyboard.press('Enter');
    expect(await list.locator('li').filter({ hasText: 'Delivery' }).innerText()).toContain('20 s');

    await list.getByRole('link', { name: 'All bookmarks' }).click();
    const rows = page.getByRole('main').getByRole('listitem');
    await rows.filter({ hasText: 'Blue van' }).waitFor();
    await page.getByLabel('Find in titles and notes').fill('from the left');
    await rows.filter({ hasText: 'Delivery' }).waitFor({ state: 'detached' });
    await page.getByLabel('Find in titles and notes').fill('nobody wrote this');
    await page.getByText('No bookmark has “nobody wrote this” in it').waitFor();
    await page.getByLabel('Find in titles and notes').fill('van');
    await rows.filter({ hasText: 'Blue van' }).getByRole('link', { name: 'Blue van' }).click();
    await visit.sees(`${day}T10:00:42Z`);
    await list.locator('li').filter({ hasText: 'Blue van' }).getByRole('button', { name: 'Delete' }).click();
    await list.getByRole('button', { name: 'Delete', exact: true }).click();
    await list
      .getByRole('button', { name: /Blue van/ })
      .first()
      .waitFor({ state: 'detached' });
    await page.reload();
    await list.getByText('Delivery').waitFor();
    expect(await list.getByText('Blue van').count()).toBe(0);
  }));

test('a hold says what it keeps, and what its release lets go', () =>
  visiting(async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await mark(visit, '10:00:20', '10:00:40');
    await panel(visit).getByRole('button', { name: 'Hold…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(/^Keeps 20 s of footage, \d+ kB\.$/).waitFor();
    await dialog.getByLabel('Minutes after it').fill('5');
    await dialog.getByText(/^Keeps 1 min 20 s of footage/).waitFor();
    await dialog.getByRole('button', { name: 'Place the hold' }).click();
    await dialog.getByRole('alert').getByText('Say which case it belongs to').waitFor();
    await dialog.getByLabel('Case').fill('Case 44');
    await dialog.getByLabel('Reason').fill('Asked for by the police');
    await dialog.getByRole('button', { name: 'Place the hold' }).click();
    await expect
      .poll(() => dialog.innerText())
      .toMatch(/Hold \d+ keeps 1 min 20 s of footage. Nothing in it had been given up/);
    await dialog.getByRole('link', { name: 'All holds' }).click();

    const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'Case 44' });
    await row.getByText('Held', { exact: true }).waitFor();
    await row.getByText('with 0 s before and 5 min after').waitFor();
    await row.getByRole('button', { name: 'Release' }).click();
    await dialog.getByText(/Nothing leaves at once|have no protection left/).waitFor();
    await dialog.getByRole('button', { name: 'Release', exact: true }).click();
    await dialog.getByText('Released. What has no other protection').waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByLabel('Show 1 that is over').check();
    await row.getByText('released by admin').waitFor();
  }));

test('where two have to agree, a hold is released by the second', async () => {
  const [first, second] = [await Visit.open(), await Visit.open()];
  try {
    await first.signIn();
    const send = (path: string, method: string, data: object) =>
      first.page.request.fetch(path, { method, headers: { 'x-retroview': '1' }, data });
    const account = { id: 'pair', name: 'Pair', zone: 'UTC', release_needs_second: true, plan: 'basic' };
    const made = await send('/v1/accounts', 'POST', account);
    expect(made.status(), await made.text()).toBe(201);
    await send('/v1/streams', 'POST', { id: 'gate', account: 'pair', source: 'push:' });
    const people = ['cleo', 'dora'];
    for (const name of people) await invite(first.page.request, 'pair', name, 'manager');
    const hold = { streams: ['gate'], start: `${day}T10:00:00Z`, end: `${day}T11:00:00Z`, case: 'B-7', reason: 'why' };
    expect((await send('/v1/accounts/pair/holds', 'POST', hold)).status()).toBe(201);

    for (const [visit, name] of [
      [first, people[0]],
      [second, people[1]],
    ] as const) {
      await visit.page.context().clearCookies();
      await visit.signIn(name);
      await visit.page.goto('/#/holds');
      const row = visit.page.getByRole('main').getByRole('listitem').filter({ hasText: 'B-7' });
      await row.getByRole('button', { name: 'Release' }).click();
      const dialog = visit.page.getByRole('dialog');
      if (visit === first) {
        await dialog.getByRole('button', { name: 'Release', exact: true }).click();
        await dialog.getByText('It keeps holding until a second person agrees').waitFor();
        await dialog.getByRole('button', { name: 'Done' }).click();
        await row.getByText('Release asked for').waitFor();
        await row.getByRole('button', { name: 'Release' }).click();
        await dialog.getByText('You asked for its release: somebody else has to agree').waitFor();
        await visit.page.keyboard.press('Escape');
      } else {
        await dialog.getByText('cleo asked for its release').waitFor();
        await dialog.getByRole('button', { name: 'Agree and release' }).click();
        await dialog.getByText('Released. What has no other protection').waitFor();
      }
    }
  } finally {
    await first.close();
    await second.close();
  }
});

test('viewers are offered no holds', () =>
  visiting(async (visit) => {
    await visit.signIn();
    await invite(visit.page.request, 'main', 'vera', 'viewer');
    await visit.page.context().clearCookies();
    await visit.signIn('vera');
    await visit.watch('yard', `${day}T10:00:20Z`);
    await panel(visit).getByRole('button', { name: 'Share…' }).waitFor();
    expect(await panel(visit).getByRole('button', { name: 'Hold…' }).count()).toBe(0);
  }));

test('a page that was left for another does not call back while that one is fetched', () =>
  visiting(async (visit) => {
    await visit.signIn();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.page.route('**/assets/Holds*.js', async (route) => {
      await new Promise((later) => setTimeout(later, 4000));
      await route.continue();
    });
    await visit.page.goto('/#/holds');
    await visit.page.getByRole('heading', { name: 'Holds' }).waitFor();
    expect(new URL(visit.page.url()).hash).toBe('#/holds');
  }));
