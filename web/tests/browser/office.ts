/**
 * A recorder of its own for the pages of those who look after it: a customer on three months, some of whose footage is older,
 * a sweep that is over and has its receipt, and one person of each role.
 *
 * ```text
 * acme   door    60 and 2 days ago; the older is on hold
 *        yard    110, 95 and 1 days ago: the first two are outside of three months
 *        gate    nobody ever sends
 * ```
 */
import { createReadStream, statSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Visit } from './page';
import { Recorder, password } from './recorder';

export const people = { manager: 'mary', auditor: 'odette', viewer: 'vic' } as const;

const dayMs = 86_400_000;

export function daysAgo(days: number): string {
  return `${new Date(Date.now() - days * dayMs).toISOString().slice(0, 13)}:00:00Z`;
}

export async function openOffice(): Promise<Recorder> {
  const recorder = new Recorder();
  await recorder.run('accounts', 'add', 'acme', '--name', 'Acme Ltd', '--zone', 'Europe/Paris', '--plan', 'basic');
  for (const [id, title] of [
    ['door', 'Front door'],
    ['yard', 'Yard'],
    ['gate', 'North gate'],
  ] as const) {
    await recorder.run('streams', 'add', id, 'push:', '--title', title, '--account', 'acme');
  }
  for (const [stream, days] of [
    ['door', 60],
    ['door', 2],
    ['yard', 110],
    ['yard', 1],
  ] as const) {
    await recorder.import(stream, { start: daysAgo(days), duration: 12, size: '320x180' });
  }
  const [from, to] = [daysAgo(61), daysAgo(59)];
  await recorder.run('holds', 'place', 'door', '--from', from, '--to', to, '--case', '4711', '--reason', 'Burglary');
  await sweep(recorder);
  await recorder.import('yard', { start: daysAgo(95), duration: 12, size: '320x180' });
  await recorder.start();
  return recorder;
}

/** What is outside the window goes now, past whatever asks for a look. */
async function sweep(recorder: Recorder): Promise<void> {
  const now = ['--set', 'retention.grace=1s'];
  const run = () => recorder.run('retention', 'run', ...now).catch(() => '');
  await run();
  await recorder.run('retention', 'confirm', ...now).catch(() => '');
  await run();
  await new Promise((grace) => setTimeout(grace, 1500));
  await run();
  await run();
}

/** Everybody chooses the password of the tests with their link. */
export async function hire(visit: Visit): Promise<void> {
  const { request } = visit.page;
  const headers = { 'x-retroview': '1' };
  for (const [role, name] of Object.entries(people)) {
    const data = { name, role };
    const invited = (await (await request.post('/v1/accounts/acme/users', { headers, data })).json()) as {
      link: { url: string };
    };
    const link = decodeURIComponent(new URL(invited.link.url).hash.split('/').pop() ?? '');
    await request.post('/v1/links/use', { headers, data: { link, password } });
  }
}

/** A camera that sends the same seconds to whoever asks. */
export async function camera(recorder: Recorder): Promise<{ url: string; close(): void }> {
  const file = join(recorder.folder, 'source.ts');
  const size = ['--codec', 'h264', '--size', '640x360', '--audio', 'aac', '--label', 'lobby'];
  await recorder.run(
    ...['camera', '--start', daysAgo(0), '--duration', '20', ...size],
    ...['--format', 'mpegts', '--output', file],
  );
  const server: Server = createServer((_, answer) => {
    answer.writeHead(200, { 'content-type': 'video/mp2t', 'content-length': statSync(file).size });
    createReadStream(file).pipe(answer);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/lobby.ts`, close: () => server.close() };
}
