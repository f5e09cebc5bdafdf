import { type Locator } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { day, nextDay } from './footage';
import { Visit } from './page';

let visit: Visit;
beforeEach(async () => {
  visit = await Visit.open();
  await visit.signIn();
});
afterEach(() => visit.close());

const timeline = (): Locator => visit.page.getByRole('slider', { name: 'Time bar' });
const tip = (): Locator => visit.page.locator('.tip');
/** The middle of the band, from the top of the timeline; the ruler; the overview. */
const [band, ruler, overview] = [62, 30, 114];

async function box(): Promise<{ x: number; y: number; width: number; height: number }> {
  const found = await timeline().boundingBox();
  if (!found) throw new Error('there is no timeline');
  return found;
}

async function hover(share: number, y = band): Promise<void> {
  const b = await box();
  await visit.page.mouse.move(b.x + share * b.width, b.y + y);
}

/** The time that the page says is under the pointer. */
async function pointed(): Promise<number> {
  const [clock, date] = [await tip().locator('strong').innerText(), await tip().locator('.date').innerText()];
  return Date.parse(`${date} ${clock.slice(0, 8)} UTC`) + Number(clock.slice(9, 12) || 0);
}

/** Waits until the view has stopped moving. */
async function still(): Promise<void> {
  let before = '';
  await expect
    .poll(
      async () => {
        const now = await visit.page.evaluate(() => {
          const canvas = document.querySelector('[role=slider] canvas') as HTMLCanvasElement;
          return canvas.toDataURL().slice(-4000);
        });
        const same = now === before;
        before = now;
        return same;
      },
      { timeout: 5000, interval: 120 },
    )
    .toBe(true);
}

/** The time burned into a canvas of the page; `null`: there is none to be read. */
const painted = (selector: string): Promise<number | null> =>
  visit.page.evaluate((s) => {
    const canvas = document.querySelector<HTMLCanvasElement>(s);
    return canvas ? window.burnedIn(canvas) : null;
  }, selector);

async function wheel(by: number, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await visit.page.mouse.wheel(0, by);
  await still();
}

describe('zooming', () => {
  test('with the wheel goes from years to frames and keeps what is under the pointer', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await hover(0.4175);
    const before = await pointed();
    await wheel(-400, 4);
    const perPx = (24 * 3600 * 1000) / (await box()).width;
    expect(Math.abs((await pointed()) - before)).toBeLessThan(perPx);
    await wheel(-400, 12);
    // Single frames: a pixel is less than a millisecond.
    const here = await pointed();
    expect(Math.abs(here - before)).toBeLessThan(perPx);
    await hover(0.7);
    const there = await pointed();
    expect(there - here).toBeGreaterThan(10);
    expect(there - here).toBeLessThan(200);
    await wheel(600, 40);
    await hover(0);
    const first = await pointed();
    await hover(0.999);
    const last = await pointed();
    expect((last - first) / (24 * 3600 * 1000)).toBeGreaterThan(1400);
  });

  test('with Shift moves, with keys zooms around the playhead, and a link keeps it', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    for (let i = 0; i < 8; i += 1) await visit.page.keyboard.press('+');
    await still();
    await hover(0.5);
    const before = await pointed();
    await visit.page.keyboard.down('Shift');
    await visit.page.mouse.wheel(0, 200);
    await visit.page.keyboard.up('Shift');
    await still();
    expect((await pointed()) - before).toBeGreaterThan(30_000);
    await expect.poll(() => new URL(visit.page.url()).hash).toContain('z=337.5');
    await visit.page.reload();
    await visit.sees(`${day}T10:00:20Z`, 2000);
    await hover(0);
    const from = await pointed();
    await hover(0.999);
    expect(((await pointed()) - from) / 337_500).toBeCloseTo(1, 1);
  });
});

describe('a pointer', () => {
  test('over footage is shown its picture, and the very keyframe when it rests', async () => {
    await visit.page.goto(`/#/watch/yard?t=${day}T10:00:20Z&z=120`);
    await visit.sees(`${day}T10:00:20Z`, 3000);
    await visit.pause();
    await hover(0.5 + 25 / 120);
    const at = await pointed();
    await expect.poll(() => painted('.tip canvas'), { timeout: 8000 }).not.toBeNull();
    // Of the synthetic camera: a keyframe every two seconds.
    await expect
      .poll(async () => at - ((await painted('.tip canvas')) ?? 0), { timeout: 8000 })
      .toBeLessThanOrEqual(2100);
    expect(at - ((await painted('.tip canvas')) ?? 0)).toBeGreaterThanOrEqual(0);
  });

  test('that drags the ruler looks through the pictures, and plays where it is let go', async () => {
    await visit.page.goto(`/#/watch/yard?t=${day}T10:00:20Z&z=60`);
    await visit.sees(`${day}T10:00:20Z`, 3000);
    const b = await box();
    const x = (s: number) => b.x + (0.5 + s / 60) * b.width;
    await visit.page.mouse.move(x(2), b.y + ruler);
    await visit.page.mouse.down();
    for (let s = 2; s <= 20; s += 0.5) await visit.page.mouse.move(x(s), b.y + ruler);
    const at = await pointed();
    await expect.poll(() => painted('.picture > canvas.shown'), { timeout: 5000 }).not.toBeNull();
    await expect
      .poll(async () => Math.abs(at - ((await painted('.picture > canvas.shown')) ?? 0)), { timeout: 5000 })
      .toBeLessThanOrEqual(2100);
    await visit.page.mouse.up();
    await visit.sees(at, 1500);
    await expect.poll(() => visit.page.locator('.picture > canvas.shown').count()).toBe(0);
    await visit.page.getByRole('button', { name: 'Pause' }).waitFor();
  });

  test('that drags the band moves the view, which coasts on', async () => {
    await visit.page.goto(`/#/watch/yard?t=${day}T10:00:20Z&z=3600`);
    await visit.sees(`${day}T10:00:20Z`, 3000);
    await visit.pause();
    await hover(0.5);
    const [before, b] = [await pointed(), await box()];
    const perPx = 3_600_000 / b.width;
    await visit.page.mouse.move(b.x + b.width * 0.7, b.y + band);
    await visit.page.mouse.down();
    for (let i = 1; i <= 10; i += 1) await visit.page.mouse.move(b.x + b.width * 0.7 - i * 20, b.y + band);
    await visit.page.mouse.up();
    await still();
    await hover(0.5);
    const moved = ((await pointed()) - before) / perPx;
    expect(moved).toBeGreaterThan(215);
    // Nothing was played from somewhere else.
    expect(await visit.clock()).toMatch(/^10:00:2\d$/);
  });

  test('takes hold of the marks', async () => {
    await visit.page.goto(`/#/watch/yard?t=${day}T10:00:20Z&z=60`);
    await visit.sees(`${day}T10:00:20Z`, 3000);
    await visit.pause();
    await visit.type('10:00:20');
    await visit.sees(`${day}T10:00:20Z`, 40);
    await visit.page.keyboard.press('i');
    const b = await box();
    await hover(0.5);
    const from = await pointed();
    const x = b.x + (0.5 + (Date.parse(`${day}T10:00:20Z`) - from) / 60_000) * b.width;
    await visit.page.mouse.move(x - 5, b.y + 36);
    await visit.page.mouse.down();
    await visit.page.mouse.move(x + b.width / 12, b.y + 36, { steps: 6 });
    await visit.page.mouse.up();
    await visit.page
      .getByText(/10:00:2[45]/)
      .first()
      .waitFor();
  });

  test('on the overview goes anywhere at once', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    const b = await box();
    await visit.page.mouse.click(b.x + b.width * 0.6, b.y + overview);
    await still();
    await hover(0.3);
    expect(await pointed()).toBeGreaterThan(Date.parse(`${nextDay}T12:00:00Z`));
    await visit.page.getByText('Nothing is recorded in view').waitFor();
    await visit.page.getByRole('button', { name: 'Go to the nearest footage' }).click();
    await visit.sees(`${nextDay}T09:00:19Z`, 3000);
  });
});

describe('a finger', () => {
  const touched = async (
    act: (send: (type: string, ...points: [number, number][]) => Promise<void>) => Promise<void>,
  ) => {
    await visit.close();
    visit = await Visit.open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await visit.signIn();
    await visit.page.goto(`/#/watch/yard?t=${day}T10:00:20Z&z=120`);
    await visit.sees(`${day}T10:00:20Z`, 3000);
    const session = await visit.page.context().newCDPSession(visit.page);
    await timeline().scrollIntoViewIfNeeded();
    await act(async (type, ...points) => {
      const touchPoints = points.map(([x, y], id) => ({ x, y, id }));
      await session.send('Input.dispatchTouchEvent', { type: type as 'touchStart', touchPoints });
    });
  };
  const span = () => Number(/z=([\d.]+)/.exec(visit.page.url())?.[1] ?? 0);

  test('moves the view without playing from somewhere else', () =>
    touched(async (send) => {
      const b = await box();
      const y = b.y + band;
      await send('touchStart', [b.x + 300, y]);
      for (let x = 290; x >= 100; x -= 10) await send('touchMove', [b.x + x, y]);
      await send('touchEnd');
      await visit.page.getByRole('button', { name: 'Back to what is playing' }).waitFor();
      await visit.sees(Date.parse(`${day}T10:00:22Z`), 4000);
    }));

  test('that stays is shown the picture, follows it, and plays where it is lifted', () =>
    touched(async (send) => {
      const b = await box();
      const [x, y] = [b.x + b.width * 0.6, b.y + band];
      await send('touchStart', [x, y]);
      await tip().waitFor();
      await send('touchMove', [x + 30, y]);
      const at = await pointed();
      expect(at).toBeGreaterThan(Date.parse(`${day}T10:00:20Z`));
      await expect.poll(() => painted('.tip canvas'), { timeout: 8000 }).not.toBeNull();
      await send('touchEnd');
      await visit.sees(at, 1500);
      expect(await tip().count()).toBe(0);
    }));

  test('and another one zoom, around what is between them', () =>
    touched(async (send) => {
      await visit.pause();
      const b = await box();
      const y = b.y + band;
      const middle = b.x + b.width / 2;
      await send('touchStart', [middle - 30, y], [middle + 30, y]);
      for (let d = 30; d <= 120; d += 10) await send('touchMove', [middle - d, y], [middle + d, y]);
      await send('touchEnd');
      await expect.poll(span, { timeout: 5000 }).toBeLessThan(40);
      expect(span()).toBeGreaterThan(25);
    }));
});

describe('jumps', () => {
  test('lead to the gap after and before', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.page.keyboard.press(']');
    await visit.sees(`${day}T10:00:55Z`, 60);
    await visit.page.getByRole('button', { name: 'Next gap' }).click();
    await visit.sees(`${day}T10:05:55Z`, 60);
    await visit.page.keyboard.press('[');
    await visit.sees(`${day}T10:00:55Z`, 60);
    await visit.page.getByRole('button', { name: 'Previous gap' }).click();
    await visit.page.getByText('There is no gap before this').waitFor();
  });

  test('of a day show that day', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.page.locator('input[type=date]').fill(nextDay);
    await visit.page.getByText('Nothing has been recorded since').waitFor();
    await hover(0.5);
    expect(await pointed()).toBe(Date.parse(`${nextDay}T12:00:00Z`));
  });
});

describe('the keyboard alone', () => {
  test('moves by what is a few pixels wide, says where it is, and reaches both ends', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.type('10:00:20');
    await visit.sees(`${day}T10:00:20Z`, 40);
    for (let i = 0; i < 11; i += 1) await visit.page.keyboard.press('+');
    await still();
    // From the field for times the next stops are its button and the timeline.
    await visit.page.keyboard.press('g');
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.press('Tab');
    await expect.poll(() => timeline().evaluate((e) => e === document.activeElement)).toBe(true);
    expect(await timeline().getAttribute('aria-valuetext')).toContain('10:00:20, 3 May 2026, Recorded');
    await visit.page.keyboard.press('ArrowRight');
    // 42 s in view: eight pixels are less than half a second.
    await visit.sees(`${day}T10:00:20.500Z`, 40);
    await visit.page.keyboard.press('Shift+ArrowRight');
    await visit.sees(`${day}T10:00:25.500Z`, 40);
    await tip()
      .getByText(/10:00:25\.[45]/)
      .waitFor();
    await visit.page.keyboard.press('Home');
    await visit.sees(`${day}T10:00:00Z`, 40);
    await visit.page.keyboard.press('End');
    await visit.page.getByText('Nothing has been recorded since').waitFor();
    expect(await timeline().getAttribute('aria-valuetext')).toContain('Recording was paused');
  });
});

describe('times', () => {
  test('are read in the zone that is chosen on the page, the account’s included', async () => {
    const answer = await visit.page.request.patch('/v1/accounts/main', {
      headers: { 'x-retroview': '1' },
      data: { zone: 'America/St_Johns' },
    });
    expect(answer.ok()).toBe(true);
    await visit.page.reload();
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    const choice = visit.page.getByLabel('Times in');
    await choice.selectOption('account');
    await expect.poll(() => visit.clock()).toMatch(/^07:30:2\d$/);
    await visit.page.getByText('UTC−2:30').waitFor();
    await choice.selectOption('utc');
    await expect.poll(() => visit.clock()).toMatch(/^10:00:2\d$/);
    await visit.page.request.patch('/v1/accounts/main', { headers: { 'x-retroview': '1' }, data: { zone: 'UTC' } });
  });
});

describe('states', () => {
  test('of a stream that never recorded: an empty timeline that says so', async () => {
    await visit.watch('porch');
    await visit.page.getByText('Nothing has been recorded on this stream yet').waitFor();
    await hover(0.5);
    await tip().getByText('Before the first recording').waitFor();
  });

  test('of a day that is all gaps: the cause, in colour and in words', async () => {
    await visit.page.goto('/#/watch/yard?t=2026-05-20T12:00:00Z');
    await visit.page.getByText('Nothing has been recorded since').waitFor();
    await hover(0.3);
    await tip().getByText('Between imported recordings').waitFor();
    // The whole of it, not what of it is in view.
    await tip()
      .getByText(/^4 May 2026 – /)
      .waitFor();
    const list = visit.page.getByRole('region', { name: 'Gaps in view' });
    await list.getByText('1 gap').waitFor();
    await visit.page.getByText('Nothing is recorded in view').waitFor();
  });

  test('without the recorder: what is known stays, and it recovers by itself', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.page.route('**/v1/**', (route) => route.abort());
    await visit.page.keyboard.press('+');
    await visit.page.getByText('The recorder does not answer').first().waitFor();
    await hover(0.4171);
    await tip().waitFor();
    await visit.page.unroute('**/v1/**');
    await expect.poll(() => visit.page.getByText('The recorder does not answer').count(), { timeout: 15_000 }).toBe(0);
    visit.complaints.length = 0;
  });
});
