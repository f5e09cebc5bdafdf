/** Any pace, both ways, and frame by frame: read from the picture. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';

let visit: Visit;
beforeEach(async () => {
  visit = await Visit.open();
  await visit.signIn();
});
afterEach(() => visit.close());

const frameMs = 40;
const at = (time: string, of = day) => Date.parse(`${of}T${time}Z`);
const speed = (rate: number) => visit.page.getByLabel('Speed').selectOption(String(rate));

/** Wall seconds a second, from the first picture to the last; a wait at the beginning does not count. */
function paceOf(row: { ms: number; seen: number }[]): number {
  const [from, to] = [row[1], row[row.length - 1]];
  if (!from || !to || from === to) throw new Error(`too few pictures: ${JSON.stringify(row)}`);
  return (to.ms - from.ms) / (to.seen - from.seen);
}

describe('forwards', () => {
  test.each([0.25, 0.5, 1.5, 2, 4])('%s times', async (rate) => {
    await visit.watch('yard', `${day}T10:00:02Z`);
    await speed(rate);
    await visit.row(500);
    const pace = paceOf(await visit.row(4000));
    expect(pace).toBeGreaterThan(rate * 0.8);
    expect(pace).toBeLessThan(rate * 1.25);
  });

  test.each([8, 16])('%s times by keyframes, in order', async (rate) => {
    await visit.watch('road', `${day}T10:00:05Z`);
    await speed(rate);
    await visit.page.getByText('Single pictures').waitFor();
    const row = await visit.row(10_000);
    expect(row.length).toBeGreaterThan((10 * rate) / 4 / 2);
    expect(row.every(({ ms }, i) => i === 0 || ms > (row[i - 1]?.ms ?? 0))).toBe(true);
    expect(paceOf(row)).toBeGreaterThan(rate * 0.8);
    expect(paceOf(row)).toBeLessThan(rate * 1.2);
    // The page's clock is that of the picture.
    await visit.pause();
    const shown = await visit.sees(row[row.length - 1]?.ms ?? 0, 8000);
    await expect.poll(() => visit.clock()).toBe(new Date(shown).toISOString().slice(11, 19));
    // And back to a pace at which every frame is shown.
    await speed(1);
    await visit.page.getByRole('button', { name: 'Play', exact: true }).click();
    await visit.reaches(new Date(shown + 1500).toISOString());
  });

  test('16 times goes over a gap and says what it was, to the end of the footage', async () => {
    await visit.watch('yard', `${day}T10:00:30Z`);
    await speed(16);
    await visit.page.getByText(/Skipped 4 min without footage/).waitFor();
    const row = await visit.row(1500);
    expect(row[row.length - 1]?.ms).toBeGreaterThan(at('10:05:00'));
    await visit.page.getByText('This is the end of the footage').waitFor({ timeout: 30_000 });
  });
});

describe('backwards', () => {
  test.each([-1, -2, -4, -8, -16])('%s times', async (rate) => {
    await visit.watch('road', `${day}T10:04:00Z`);
    await speed(rate);
    await visit.page.getByText('Single pictures').waitFor();
    await visit.row(1000);
    const row = await visit.row(Math.max(6000, 8000 / -rate));
    expect(row.every(({ ms }, i) => i === 0 || ms < (row[i - 1]?.ms ?? 0))).toBe(true);
    expect(paceOf(row)).toBeLessThan(rate * 0.75);
    expect(paceOf(row)).toBeGreaterThan(rate * 1.3);
    // Slowly enough that everything is decoded, it moves and does not jump.
    if (rate >= -2) expect(row.length).toBeGreaterThan(20);
  });

  test('over a gap and to the first picture, where it stops', async () => {
    await visit.watch('yard', `${day}T10:05:06Z`);
    await visit.page.keyboard.press('j');
    await visit.page.keyboard.press('j');
    await visit.page.keyboard.press('j');
    await visit.page.getByText(/Skipped 4 min without footage/).waitFor();
    await visit.page.keyboard.press('j');
    await visit.page.keyboard.press('j');
    await visit.sees(at('10:00:00'), 0);
    await visit.page.getByRole('button', { name: 'Play', exact: true }).waitFor();
    expect(await visit.clock()).toBe('10:00:00');
  });

  test('and forwards again from where it was', async () => {
    await visit.watch('road', `${day}T10:02:00Z`);
    await speed(-4);
    await visit.row(3000);
    await speed(1);
    const row = await visit.row(3000);
    const last = row[row.length - 1]?.ms ?? 0;
    expect(last).toBeLessThan(at('10:01:56'));
    expect(last).toBeGreaterThan(at('10:01:40'));
    await visit.reaches(new Date(last + 1000).toISOString());
  });
});

describe('one frame', () => {
  async function press(key: string, wanted: number): Promise<void> {
    await visit.page.keyboard.press(key);
    await visit.sees(wanted, 1);
  }

  test('on and back over the borders of segments', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.page.keyboard.press('Space');
    await visit.type('10:00:07.9');
    let ms = await visit.sees(at('10:00:07.88'), frameMs);
    for (let i = 0; i < 6; i += 1) await press('.', (ms += frameMs));
    for (let i = 0; i < 12; i += 1) await press(',', (ms -= frameMs));
  });

  test('over a gap and a change of size and codec, both ways', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.page.keyboard.press('Space');
    await visit.type('10:00:59.90');
    await visit.sees(at('10:00:59.88'), 1);
    await press('.', at('10:00:59.92'));
    await press('.', at('10:00:59.96'));
    await press('.', at('10:05:00'));
    await press('.', at('10:05:00.04'));
    await press(',', at('10:05:00'));
    await press(',', at('10:00:59.96'));
    await visit.type('10:05:39.95');
    await visit.sees(at('10:05:39.92'), 1);
    await press('.', at('10:05:39.96'));
    await press('.', at('10:05:40'));
    await press(',', at('10:05:39.96'));
  });

  test('into a part that a session cannot join, without and with sound', async () => {
    await visit.watch('shed', `${day}T12:00:05Z`);
    await visit.page.keyboard.press('Space');
    await visit.type('12:00:09.95');
    await visit.sees(at('12:00:09.92'), 1);
    await press('.', at('12:00:09.96'));
    await press('.', at('12:00:10'));
    await press('.', at('12:00:10.04'));
    await press(',', at('12:00:10'));
    await press(',', at('12:00:09.96'));
  });
});

describe('a gap that is waited through', () => {
  test('takes its own time, says why and how long, and goes on', async () => {
    await visit.watch('shed', `${day}T12:00:24Z`);
    await visit.page.keyboard.press('w');
    await visit.page.getByText('Gaps are waited through').waitFor();
    const card = visit.page.locator('.card');
    await card.getByText('Between imported recordings').waitFor();
    await card.getByText(/Playback goes on in \d+ s, at 12:00:40/).waitFor();
    const began = Date.now();
    // The last picture before the gap stays, and the clock runs.
    expect(Math.abs(((await visit.onScreen()) ?? 0) - at('12:00:29.96'))).toBeLessThanOrEqual(2 * frameMs);
    await expect.poll(() => visit.clock(), { timeout: 8000 }).toBe('12:00:33');
    const first = await visit.sees(at('12:00:40'), 1500);
    expect(Date.now() - began).toBeGreaterThan(8000);
    expect(first).toBeGreaterThanOrEqual(at('12:00:40'));
    await visit.page.keyboard.press('w');
  });

  test('can be left early', async () => {
    await visit.watch('yard', `${day}T10:00:56Z`);
    await visit.page.keyboard.press('w');
    await visit.page.getByRole('button', { name: 'Skip this gap' }).click();
    await visit.sees(`${day}T10:05:00Z`);
  });

  test('passes at the speed that is played, backwards as well', async () => {
    await visit.watch('shed', `${day}T12:00:43Z`);
    await visit.page.keyboard.press('w');
    await speed(-4);
    await visit.page.locator('.card').getByText('Between imported recordings').waitFor();
    const row = await visit.row(5000);
    expect(row[row.length - 1]?.ms).toBeLessThan(at('12:00:30'));
  });
});
