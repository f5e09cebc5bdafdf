/** Bad days in mid-play: a clock that is wrong, a session that ends, a network that goes away. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { day } from './footage';
import { Visit } from './page';
import { password, user } from './recorder';

let visit: Visit;
beforeEach(async () => {
  visit = await Visit.open();
});
afterEach(() => visit.close());

test.each([3_600_000, -3_600_000])('a viewer whose clock is off by %s ms watches live all the same', async (offMs) => {
  await visit.page.addInitScript((offMs) => {
    const RealDate = Date;
    class WrongDate extends RealDate {
      constructor(...args: [] | [number]) {
        if (args.length === 0) super(RealDate.now() + offMs);
        else super(...(args as [number]));
      }
      static override now(): number {
        return RealDate.now() + offMs;
      }
    }
    globalThis.Date = WrongDate as DateConstructor;
  }, offMs);
  await visit.signIn();
  await visit.watch('live');
  await visit.page.getByRole('button', { name: 'You are watching live' }).waitFor();
  const first = await visit.sees(Date.now() - 8000, 8000);
  await visit.reaches(new Date(first + 6000).toISOString());
  await visit.page.keyboard.press('Shift+ArrowLeft');
  await visit.page.keyboard.press('l');
  await visit.sees(Date.now() - 8000, 8000);
});

test('a session that ends in mid-play is taken up where it was', async () => {
  await visit.signIn();
  await visit.watch('road', `${day}T10:00:20Z`);
  await visit.page.context().clearCookies();
  await visit.page.getByText('Your session has ended').waitFor({ timeout: 30_000 });
  await visit.page.locator('#user').fill(user);
  await visit.page.locator('#password').fill(password);
  await visit.page.keyboard.press('Enter');
  await visit.page.locator('video').waitFor();
  const again = await visit.reaches(`${day}T10:00:20Z`);
  expect(again).toBeLessThan(Date.parse(`${day}T10:01:20Z`));
  // Refused requests are in the console; that is what this was about.
  visit.complaints.splice(0, visit.complaints.length, ...visit.complaints.filter((c) => !c.includes('status of 401')));
});

test('a network that goes away and comes back is noticed, and playing goes on', async () => {
  await visit.signIn();
  await visit.watch('road', `${day}T10:00:10Z`);
  await visit.page.context().setOffline(true);
  // Far from what is loaded: without a network there is nothing to show.
  await visit.type('10:04:00');
  await visit.page.getByText('The recorder does not answer').first().waitFor({ timeout: 30_000 });
  await visit.page.context().setOffline(false);
  await visit.reaches(`${day}T10:04:01Z`);
  visit.complaints.splice(0, visit.complaints.length, ...visit.complaints.filter((c) => !c.includes('ERR_INTERNET')));
});
