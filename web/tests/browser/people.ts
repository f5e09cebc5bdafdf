/** People for the tests: invited as in life, with a password chosen by their link. */
import type { APIRequestContext } from 'playwright-core';
import { expect } from 'vitest';
import { password } from './recorder';

/** `request` is of somebody who may invite. The same name a second time is somebody who is there already. */
export async function invite(request: APIRequestContext, account: string, name: string, role: string): Promise<void> {
  const headers = { 'x-retroview': '1' };
  const invited = await request.post(`/v1/accounts/${account}/users`, { headers, data: { name, role } });
  if (invited.status() === 409) return;
  expect(invited.status(), await invited.text()).toBe(201);
  const { link } = (await invited.json()) as { link: { url: string } };
  const secret = decodeURIComponent(link.url.split('#/link/')[1] ?? '');
  const chosen = await request.post('/v1/links/use', { headers, data: { link: secret, password } });
  expect(chosen.ok(), await chosen.text()).toBe(true);
}
