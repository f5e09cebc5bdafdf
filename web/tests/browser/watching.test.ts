import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { day, nextDay } from './footage';
import { Visit } from './page';

let visit: Visit;
beforeEach(async () => {
  visit = await Visit.open();
  await visit.signIn();
});
afterEach(() => visit.close());

const frameMs = 40;

describe('a time', () => {
  test('that is typed shows the frame of that time', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    for (const time of ['10:00:31', '10:00:05.5', '10:00:47.250', '10:05:10']) {
      await visit.type(time);
      const wanted = Date.parse(`${day}T${time}Z`);
      const shown = await visit.sees(wanted, frameMs);
      expect(wanted - shown).toBeGreaterThanOrEqual(0);
      expect(await visit.clock()).toBe(time.slice(0, 8));
    }
  });

  test('with its day, or before now, or in UTC is understood', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.type(`${nextDay} 09:00:07`);
    await visit.sees(`${nextDay}T09:00:07Z`, frameMs);
    expect(await visit.page.locator('input[type=date]').inputValue()).toBe(nextDay);
    await visit.type('3/5/2026 10:00:09');
    await visit.sees(`${day}T10:00:09Z`, frameMs);
    await visit.type(`${day}T12:05:03+02:00`);
    await visit.sees(`${day}T10:05:03Z`, frameMs);
  });

  test('that no clock shows is refused in words', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.type('25:00');
    await visit.page.getByText('No clock shows that time').waitFor();
    await visit.type('soon');
    await visit.page.getByText('not a time this page understands').waitFor();
  });

  test('that is clicked on the bar is played', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    // What is shown moves along while it plays.
    await visit.pause();
    // Close enough that a pixel is less than a second.
    for (let i = 0; i < 8; i += 1) await visit.page.keyboard.press('+');
    // Zooming keeps the playhead where it was on the day.
    const { x, y } = await visit.placeOnBar(`${day}T10:00:20Z`);
    await visit.page.waitForTimeout(600);
    await visit.page.mouse.click(x + 60, y);
    const clicked = await visit.page.locator('.tip strong').innerText();
    expect(clicked > '10:00:30' && clicked < '10:00:50').toBe(true);
    await visit.sees(`${day}T${clicked}Z`, 2000);
  });
});

describe('keys', () => {
  test('step ten seconds, a minute, a frame', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.page.keyboard.press('Space');
    await visit.type('10:00:20');
    await visit.sees(`${day}T10:00:20Z`, frameMs);
    await visit.page.keyboard.press('ArrowRight');
    await visit.sees(`${day}T10:00:30Z`, frameMs);
    await visit.page.keyboard.press('ArrowLeft');
    await visit.page.keyboard.press('ArrowLeft');
    const from = await visit.sees(`${day}T10:00:10Z`, frameMs);
    await visit.page.keyboard.press('.');
    await visit.sees(from + frameMs, 1);
    await visit.page.keyboard.press('.');
    await visit.sees(from + 2 * frameMs, 1);
    await visit.page.keyboard.press(',');
    await visit.sees(from + frameMs, 1);
    await visit.type('10:05:05');
    await visit.sees(`${day}T10:05:05Z`, frameMs);
    await visit.page.keyboard.press('Shift+ArrowRight');
    await visit.page.getByText('Nothing was recorded at 10:06:05').waitFor();
  });

  test('are on a sheet behind the question mark', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.page.keyboard.press('?');
    await visit.page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await visit.page.keyboard.press('Escape');
    await visit.page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  test('change the speed', async () => {
    await visit.watch('yard', `${day}T10:00:01Z`);
    await visit.page.getByLabel('Speed').selectOption('4');
    const [ms, began] = [await visit.sees(`${day}T10:00:10Z`, 5000), Date.now()];
    const later = await visit.reaches(`${day}T10:00:30Z`);
    const speed = (later - ms) / (Date.now() - began);
    expect(speed).toBeGreaterThan(3);
    expect(speed).toBeLessThan(5);
  });
});

describe('a gap', () => {
  test('says why when it is pointed at', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    const { x, y } = await visit.placeOnBar(`${day}T10:03:00Z`);
    await visit.page.mouse.move(x, y);
    const tip = visit.page.locator('.tip');
    await tip.getByText('Between imported recordings').waitFor();
    expect(await tip.innerText()).toContain('10:01:00 – 10:05:00');
  });

  test('is listed as words', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    const list = visit.page.getByRole('region', { name: 'Gaps in view' });
    await list.getByText('10:01:00 – 10:05:00, 4 min').waitFor();
    await list.getByRole('button', { name: /10:01:00/ }).click();
    await visit.sees(`${day}T10:05:00Z`);
  });

  test('that is clicked says why there is nothing and leads to what is before and after', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.type('10:03:00');
    await visit.page.getByText('Nothing was recorded at 10:03:00').waitFor();
    await visit.page.locator('.card').getByText('Between imported recordings').waitFor();
    await visit.page.getByRole('button', { name: 'Footage after, from 10:05:00' }).click();
    await visit.sees(`${day}T10:05:00Z`);
    await visit.type('10:03:00');
    await visit.page.getByRole('button', { name: 'Footage before, up to 10:01:00' }).click();
    await visit.sees(`${day}T10:00:50Z`);
  });

  test('is played over, and the page says what was skipped', async () => {
    await visit.watch('yard', `${day}T10:00:57Z`);
    await visit.reaches(`${day}T10:05:02Z`);
    await visit.page.getByText(/Skipped 4 min without footage\. Between imported recordings/).waitFor();
  });

  test('before the first recording and after now have their own words', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.type('2026-05-01 10:00');
    await visit.page.getByText('Recording of this stream had not begun').waitFor();
    await visit.page.getByRole('button', { name: /Footage after, from 10:00:00/ }).click();
    await visit.sees(`${day}T10:00:00Z`);
    await visit.type('2126-05-01 10:00');
    await visit.page.getByText('has not happened yet').waitFor();
  });
});

describe('playing', () => {
  test('goes over a change of size and codec and a day without footage to the end', async () => {
    await visit.watch('yard', `${day}T10:05:34Z`);
    await visit.reaches(`${day}T10:05:43Z`);
    await visit.page.getByLabel('Speed').selectOption('4');
    await visit.reaches(`${nextDay}T09:00:02Z`);
    expect(await visit.page.locator('input[type=date]').inputValue()).toBe(nextDay);
    await visit.page.getByText('This is the end of the footage').waitFor({ timeout: 30_000 });
  });

  test('goes over parts with and without sound', async () => {
    await visit.watch('shed', `${day}T12:00:07Z`);
    await visit.reaches(`${day}T12:00:13Z`);
    await visit.type('12:00:18');
    await visit.reaches(`${day}T12:00:22Z`);
    await visit.type('12:00:11');
    await visit.sees(`${day}T12:00:11Z`);
  });

  test('goes on after a frame that was cut short', async () => {
    await visit.watch('torn', `${day}T12:00:06Z`);
    await visit.reaches(`${day}T12:00:22Z`);
  });

  test('of sound alone shows the time and says that there is no picture', async () => {
    await visit.page.goto(`/#/watch/radio?t=${day}T12:00:05Z`);
    await visit.page.getByText('This stream is sound only').waitFor();
    await expect.poll(() => visit.clock(), { timeout: 10_000 }).toBe('12:00:09');
    await visit.type('12:00:20');
    await expect.poll(() => visit.clock(), { timeout: 10_000 }).toBe('12:00:23');
  });

  test('goes back past the start of what is loaded', async () => {
    await visit.watch('yard', `${nextDay}T09:00:10Z`);
    await visit.type(`${day} 10:00:03`);
    await visit.sees(`${day}T10:00:03Z`);
    await visit.reaches(`${day}T10:00:05Z`);
    await visit.type('10:05:44');
    await visit.sees(`${day}T10:05:44Z`);
    await visit.type('10:00:01');
    await visit.sees(`${day}T10:00:01Z`);
  });

  test('steps by days and keeps the time of day', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.page.getByRole('button', { name: 'Next day' }).click();
    await visit.page.getByText('Nothing has been recorded since').waitFor();
    expect(await visit.page.locator('input[type=date]').inputValue()).toBe(nextDay);
    await visit.page.getByRole('button', { name: 'Previous day' }).click();
    await visit.sees(`${day}T10:00:20Z`, 2000);
    await visit.page.locator('input[type=date]').fill(nextDay);
    await visit.page.getByText('Nothing has been recorded since').waitFor();
  });

  test('of a codec this browser lacks says so and offers the download', async () => {
    await visit.page.goto(`/#/watch/attic?t=${day}T12:00:02Z`);
    await visit.page.getByText('This browser cannot play this kind of video').waitFor();
    await visit.page.getByText('Its format is H.265 (HEVC)').waitFor();
    const moment = visit.page.locator('img.moment');
    await expect.poll(() => moment.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(640);
    await visit.page.getByRole('button', { name: /Save the picture on screen/ }).waitFor();
  });
});

describe('live', () => {
  test('is a few seconds behind now, goes back and comes forward again', async () => {
    await visit.watch('live');
    await visit.page.getByRole('button', { name: 'You are watching live' }).waitFor();
    const first = await visit.sees(Date.now() - 8000, 8000);
    // Past the end of what was loaded: the playlist has grown meanwhile.
    await visit.reaches(new Date(first + 12_000).toISOString());
    await visit.page.keyboard.press('Shift+ArrowLeft');
    await visit.page.keyboard.press('l');
    await visit.sees(Date.now() - 8000, 8000);
    await visit.page.keyboard.press('ArrowLeft');
    await visit.page.keyboard.press('ArrowLeft');
    await visit.sees(Date.now() - 28_000, 8000);
    await visit.page.getByRole('button', { name: 'Go to live' }).click();
    await visit.sees(Date.now() - 8000, 8000);
  });
});

describe('keeping', () => {
  test('downloads a marked part and a picture', async () => {
    await visit.watch('yard', `${day}T10:00:20Z`);
    await visit.pause();
    await visit.type('10:00:50');
    await visit.sees(`${day}T10:00:50Z`, frameMs);
    await visit.page.keyboard.press('i');
    await visit.type('10:05:10');
    await visit.sees(`${day}T10:05:10Z`, frameMs);
    await visit.page.keyboard.press('o');
    await visit.page.getByText('1 gap, 4 min').waitFor();
    const [clip] = await Promise.all([
      visit.page.waitForEvent('download'),
      visit.page.getByRole('link', { name: 'Download clip' }).click(),
    ]);
    expect(clip.suggestedFilename()).toMatch(/\.mp4$/);
    expect(await clip.failure()).toBeNull();
    const [picture] = await Promise.all([
      visit.page.waitForEvent('download'),
      visit.page.getByRole('button', { name: /Save the picture on screen/ }).click(),
    ]);
    expect(picture.suggestedFilename()).toMatch(/\.png$/);
    expect(await picture.failure()).toBeNull();
  });
});
