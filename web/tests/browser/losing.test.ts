/** What the page does when streams, cameras and the recorder come and go: on a recorder of its own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Visit } from './page';
import { Recorder } from './recorder';

let recorder: Recorder;
beforeAll(async () => {
  recorder = new Recorder();
  await recorder.start();
});
afterAll(() => recorder.stop());

test('a new recorder leads through first steps that can wait, says how to add a stream, shows it once it is there, and its picture once that comes', async () => {
  const visit = await Visit.open({}, recorder.url);
  await visit.signIn();
  for (const head of ['A password of your own', 'Whose footage this is', 'The first stream']) {
    await visit.page.getByRole('heading', { name: head }).waitFor();
    await visit.page.getByRole('button', { name: 'Not now' }).click();
  }
  await visit.page.getByRole('button', { name: 'Go to the streams' }).click();
  await visit.page.getByText('No streams yet.').waitFor();
  await visit.page.getByRole('main').getByRole('link', { name: /Add/ }).waitFor();
  await recorder.run('streams', 'add', 'door', 'push:');
  await visit.page.getByRole('link', { name: 'door' }).click();
  await visit.page.locator('.card').getByText('Nothing has been recorded on this stream yet').waitFor();
  await recorder.push('door');
  await visit.sees(Date.now(), 12_000);
  await visit.page.getByRole('button', { name: 'You are watching live' }).waitFor();
  await visit.close();
});

test('a camera that goes away is named, and its picture comes back by itself', async () => {
  const visit = await Visit.open({}, recorder.url);
  await visit.signIn();
  await visit.watch('door');
  await visit.sees(Date.now() - 6000, 8000);
  recorder.unplug();
  const card = visit.page.locator('.card');
  await card.getByText('Nothing has been recorded since').waitFor({ timeout: 40_000 });
  await card.getByText('Nobody was sending').waitFor();
  await recorder.push('door');
  await card.waitFor({ state: 'detached', timeout: 20_000 });
  await visit.sees(Date.now() - 6000, 8000);
  await visit.close();
});

test('a recorder that goes away is waited for', async () => {
  const visit = await Visit.open({}, recorder.url);
  await visit.signIn();
  await visit.watch('door');
  await visit.sees(Date.now() - 6000, 8000);
  recorder.unplug();
  await recorder.halt();
  await visit.page.getByText('The recorder does not answer. Trying again…').waitFor();
  await recorder.start();
  await recorder.push('door');
  await visit.page.getByText('The recorder does not answer').first().waitFor({ state: 'detached', timeout: 30_000 });
  await expect.poll(async () => Date.now() - ((await visit.picture()) ?? 0), { timeout: 40_000 }).toBeLessThan(15_000);
  // Of course it complained while there was nobody to answer.
  visit.complaints.length = 0;
  await visit.close();
});
