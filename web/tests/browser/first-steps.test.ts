/** A new installation leads its operator from the printed password to a first stream. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { camera } from './office';
import { Visit } from './page';
import { Recorder, password } from './recorder';

let recorder: Recorder;
let source: { url: string; close(): void };
beforeAll(async () => {
  recorder = new Recorder();
  source = await camera(recorder);
  await recorder.start();
});
afterAll(async () => {
  source.close();
  await recorder.stop();
});

test('password, account, plan, and a first stream that was tried', async () => {
  const visit = await Visit.open({}, recorder.url);
  const { page } = visit;
  await visit.signIn();
  await page.getByRole('heading', { name: 'A password of your own' }).waitFor();
  expect(new URL(page.url()).hash).toBe('#/setup');
  await page.getByLabel('Current password').fill(password);
  await page.getByLabel('New password').fill('only known to me');
  await page.getByLabel('The same again').fill('only known to me');
  await page.getByRole('button', { name: 'Next' }).click();

  await page.getByRole('heading', { name: 'Whose footage this is' }).waitFor();
  await page.getByLabel('Name', { exact: true }).fill('Corner shop');
  await page.getByLabel('Time zone').fill('Europe/Paris');
  await page.getByRole('button', { name: 'Next' }).click();

  await page.getByRole('heading', { name: 'The first stream' }).waitFor();
  await page.getByLabel('Name', { exact: true }).fill('Counter');
  await page.getByLabel('Source', { exact: true }).fill(source.url);
  await page.getByRole('button', { name: 'Test the connection' }).click();
  await page.getByRole('img', { name: 'The first picture' }).waitFor({ timeout: 40_000 });
  await page.getByRole('button', { name: 'Add and record' }).click();

  await page.getByRole('heading', { name: 'That is all' }).waitFor();
  await page.getByRole('button', { name: 'Go to the streams' }).click();
  await page.getByRole('link', { name: 'Counter' }).waitFor();
  await page.reload();
  await page.getByRole('link', { name: 'Counter' }).waitFor();
  await page.goto('/#/account');
  await page.getByRole('heading', { name: 'Corner shop' }).waitFor();
  await visit.close();
});
