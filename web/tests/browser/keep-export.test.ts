/** Exports: jobs that go on by themselves, and the files they make. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';

const run = promisify(execFile);

async function visiting(act: (visit: Visit) => Promise<void>): Promise<void> {
  const visit = await Visit.open();
  try {
    await visit.signIn();
    await act(visit);
  } finally {
    await visit.close();
  }
}

async function mark(visit: Visit, from: string, to: string): Promise<void> {
  const panel = visit.page.getByRole('region', { name: 'Keep a part' });
  for (const [name, time] of [
    ['Beginning of the part', from],
    ['End of the part', to],
  ] as const) {
    await panel.getByLabel(name, { exact: true }).fill(time);
    await panel.getByLabel(name, { exact: true }).press('Enter');
  }
  await panel.getByRole('button', { name: 'Export…' }).click();
}

interface Probed {
  durationS: number;
  streams: string[];
}

async function probe(file: string): Promise<Probed> {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-show_format', '-show_streams', '-of', 'json', file]);
  const found = JSON.parse(stdout) as { format: { duration: string }; streams: { codec_type: string }[] };
  return { durationS: Number(found.format.duration), streams: found.streams.map((s) => s.codec_type).sort() };
}

/** Plays a file in the page and reads the clock of its first picture. */
function firstPicture(visit: Visit, base64: string): Promise<number | null> {
  return visit.page.evaluate(async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const source = new MediaSource();
    const video = document.createElement('video');
    video.src = URL.createObjectURL(source);
    video.muted = true;
    await new Promise((open) => source.addEventListener('sourceopen', open, { once: true }));
    const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.42c01e,mp4a.40.2"');
    const ready = new Promise((seen) => video.addEventListener('loadeddata', seen, { once: true }));
    buffer.appendBuffer(bytes);
    await ready;
    return window.burnedIn(video);
  }, base64);
}

/** Files of a zip, by name, from its own directory of contents (also beyond 4 GiB it is small enough here). */
function unzip(zip: Buffer): Record<string, Buffer> {
  const files: Record<string, Buffer> = {};
  let at = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  // From the last entry back to the first: entries do not know the one before.
  const starts: number[] = [];
  for (let i = 0; i < zip.length - 4; i += 1) if (zip.readUInt32LE(i) === 0x02014b50) starts.push(i);
  expect(at).toBeGreaterThan(0);
  for (at of starts) {
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    let [packed, size, offset] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 24), zip.readUInt32LE(at + 42)];
    let extra = at + 46 + nameLength + 4;
    const wide = (value: number) => {
      if (value !== 0xffffffff) return value;
      extra += 8;
      return Number(zip.readBigUInt64LE(extra - 8));
    };
    [size, packed, offset] = [wide(size), wide(packed), wide(offset)];
    const from = offset + 30 + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28);
    const body = zip.subarray(from, from + packed);
    files[name] = zip.readUInt16LE(at + 10) === 8 ? inflateRawSync(body) : body;
    expect(files[name]).toHaveLength(size);
  }
  return files;
}

test('an export goes on over a reload, and its file plays: right length, right first picture', () =>
  visiting(async (visit) => {
    const { page } = visit;
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await mark(visit, '10:00:20', '10:00:44');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason or note').fill('Claim 2026-114');
    await dialog.getByRole('button', { name: 'Start the export' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.reload();
    const tray = page.getByRole('region', { name: 'Exports' });
    await tray.getByText('Claim 2026-114').waitFor();
    await tray.getByRole('link', { name: /^Download/ }).waitFor({ timeout: 30_000 });
    await tray.getByRole('link', { name: 'All exports' }).click();
    const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'Claim 2026-114' });
    await row.getByText('Ready').waitFor();
    await row.getByText(/kept until .*more/).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      row.getByRole('link', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/yard.*\.mp4$/);
    const file = await download.path();
    const bytes = await readFile(file);
    await row.getByText('Checksum').click();
    expect(await row.locator('code').innerText()).toBe(createHash('sha256').update(bytes).digest('hex'));
    const { durationS, streams } = await probe(file);
    expect(streams).toEqual(['audio', 'video']);
    // Whole segments: up to one more on either side.
    expect(durationS).toBeGreaterThanOrEqual(23.9);
    expect(durationS).toBeLessThan(33);
    const first = await firstPicture(visit, bytes.toString('base64'));
    expect(first).toBeLessThanOrEqual(Date.parse(`${day}T10:00:20Z`));
    expect(first).toBeGreaterThan(Date.parse(`${day}T10:00:15Z`));

    await row.getByRole('button', { name: /^Delete/ }).click();
    await dialog.getByText('The footage it was made from stays').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await row.waitFor({ state: 'detached' });
  }));

test('several streams become an archive whose manifest tells ranges, gaps, checksums, who and why', () =>
  visiting(async (visit) => {
    const { page } = visit;
    await visit.page.goto(`/#/watch/shed?t=${day}T12:00:02Z`);
    await visit.page.locator('video').waitFor();
    await mark(visit, '12:00:00', '12:00:50');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('checkbox', { name: 'attic' }).check();
    expect(await dialog.getByRole('radio', { name: /Archive/ }).isChecked()).toBe(true);
    expect(await dialog.getByRole('radio', { name: /MP4/ }).isDisabled()).toBe(true);
    await dialog.getByLabel('Reason or note').fill('Two views');
    await dialog.getByRole('button', { name: 'Start the export' }).click();
    await page.goto('/#/exports');
    const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'Two views' });
    await row.getByText('Ready').waitFor({ timeout: 30_000 });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      row.getByRole('link', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/\.zip$/);
    const files = unzip(await readFile(await download.path()));
    const manifest = files['manifest.json']?.toString('utf8') ?? '';
    for (const word of ['Two views', 'admin', 'shed', 'attic', 'sha256', 'not_imported'])
      expect(manifest).toContain(word);
    const films = Object.entries(files).filter(([name]) => name.endsWith('.mp4'));
    expect(films.map(([name]) => name.replace(/^.*?(shed|attic).*$/, '$1')).sort()).toEqual(['attic', 'shed']);
    const folder = await mkdtemp(join(tmpdir(), 'retroview-export-'));
    for (const [name, film] of films) {
      expect(manifest).toContain(createHash('sha256').update(film).digest('hex'));
      const path = join(folder, name.replaceAll('/', '-'));
      await writeFile(path, film);
      expect((await probe(path)).durationS).toBeGreaterThan(7);
    }
    await rm(folder, { recursive: true });
  }));

test('an export is asked for in vain where nothing is recorded, and says so before', () =>
  visiting(async (visit) => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    const panel = visit.page.getByRole('region', { name: 'Keep a part' });
    await panel.getByLabel('Beginning of the part', { exact: true }).fill('10:02:00');
    await panel.getByLabel('End of the part', { exact: true }).fill('10:03:00');
    await panel.getByLabel('End of the part', { exact: true }).press('Enter');
    await panel.getByText('Nothing is recorded between the marks').waitFor();
    expect(await panel.getByRole('button', { name: 'Export…' }).isDisabled()).toBe(true);
  }));
