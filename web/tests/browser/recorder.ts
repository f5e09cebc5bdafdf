/** A whole Retroview for the tests: the real binary on a free port, with footage made by its own camera and import. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../../../', import.meta.url));

export const user = 'admin';
export const password = 'a password for the browser tests';

export interface CameraOptions {
  start: string;
  duration: number;
  codec?: 'h264' | 'h265' | 'av1' | 'none';
  size?: string;
  audio?: 'aac' | 'opus' | 'none';
  label?: string;
  /** Ends in the middle of a frame, as what is sent over a connection that is cut. */
  torn?: boolean;
}

export class Recorder {
  readonly folder = mkdtempSync(join(tmpdir(), 'retroview-web-'));
  url = '';
  #service: ChildProcess | null = null;
  #log = '';
  #cameras: ChildProcess[] = [];
  #sending: ClientRequest[] = [];

  /** What the binary needs from our environment; our own variables would be refused as settings it does not know. */
  get #environment(): NodeJS.ProcessEnv {
    const passed = Object.entries(process.env).filter(([name]) => !name.startsWith('RETROVIEW_'));
    return Object.fromEntries(passed);
  }

  get #global(): string[] {
    return ['--data-dir', join(this.folder, 'data'), '--set', `access.admin_password=${password}`];
  }

  /** Runs one command of the product to its end. */
  async run(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary(), [...args, ...this.#global], {
      env: this.#environment,
      maxBuffer: 1 << 26,
    });
    return stdout;
  }

  /** Writes rows as recording leaves them: years of it cannot be filmed. Only while the service is not running. */
  async sql(text: string): Promise<void> {
    await promisify(execFile)('sqlite3', [join(this.folder, 'data', 'retroview.db'), text]);
  }

  /** Makes a recording and brings it in. */
  async import(stream: string, options: CameraOptions): Promise<void> {
    const file = join(this.folder, `${stream}-${options.start.replace(/[^0-9TZ]/g, '')}.ts`);
    const { start, duration, codec = 'h264', size = '640x360', audio = 'aac', label = stream } = options;
    await this.run(
      ...['camera', '--start', start, '--duration', String(duration), '--codec', codec, '--size', size],
      ...['--audio', audio, '--label', label, '--format', codec === 'av1' ? 'mp4' : 'mpegts', '--output', file],
    );
    if (options.torn) tearLastFrame(file);
    await this.run('import', stream, file, '--start', start);
  }

  /** The second time on the same port: a browser would not find it anywhere else. */
  async start(): Promise<void> {
    const port = this.url ? Number(new URL(this.url).port) : await freePort();
    this.url = `http://127.0.0.1:${port}/`;
    const args = ['serve', ...this.#global, '--set', `server.listen=127.0.0.1:${port}`];
    const service = spawn(binary(), args, { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#service = service;
    for (const output of [service.stdout, service.stderr]) output?.on('data', (text) => (this.#log += String(text)));
    await this.#ready();
  }

  async #ready(): Promise<void> {
    for (let tries = 0; tries < 150; tries += 1) {
      if (this.#service?.exitCode !== null) break;
      const answer = await fetch(new URL('readyz', this.url)).catch(() => null);
      if (answer?.ok) return;
      await new Promise((later) => setTimeout(later, 100));
    }
    throw new Error(`the recorder is not ready:\n${this.#log}`);
  }

  /** A camera that sends to a stream from now on. */
  async push(stream: string): Promise<void> {
    const token = await this.#token();
    // `--duration` only so that nothing outlives a test run that was killed.
    const args = ['camera', '--start', 'now', '--realtime', '--duration', '1800', '--gop', '25', '--label', stream];
    const camera = spawn(binary(), args, { env: this.#environment, stdio: ['ignore', 'pipe', 'ignore'] });
    this.#cameras.push(camera);
    const sending = request(new URL(`v1/streams/${stream}/ingest`, this.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'video/mp2t' },
    });
    sending.on('error', () => camera.kill());
    sending.on('response', (answer) => answer.resume());
    this.#sending.push(sending);
    camera.stdout.pipe(sending);
  }

  async #token(): Promise<string> {
    const made: unknown = JSON.parse(
      await this.run('tokens', 'create', 'browser-tests', '--scopes', 'ingest', '--json'),
    );
    const token = (made as { token?: unknown }).token;
    if (typeof token !== 'string') throw new Error('no token was made');
    return token;
  }

  /** All cameras leave. */
  unplug(): void {
    for (const sending of this.#sending.splice(0)) sending.destroy();
    for (const camera of this.#cameras.splice(0)) camera.kill();
  }

  async halt(): Promise<void> {
    const service = this.#service;
    if (!service || service.exitCode !== null) return;
    const gone = new Promise((exit) => service.once('exit', exit));
    service.kill('SIGTERM');
    await gone;
  }

  /** For good, with all it recorded. */
  async stop(): Promise<void> {
    this.unplug();
    await this.halt();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get log(): string {
    return this.#log;
  }
}

/** Leaves of the last frame that takes several transport packets only the first. */
function tearLastFrame(file: string): void {
  const [packet, videoPid] = [188, 0x100];
  const bytes = readFileSync(file);
  const pid = (at: number) => bytes.readUInt16BE(at + 1) & 0x1fff;
  const begins = (at: number) => (bytes.readUInt8(at + 1) & 0x40) !== 0;
  for (let at = bytes.length - 2 * packet; at >= 0; at -= packet) {
    const frame = pid(at) === videoPid && begins(at);
    if (frame && pid(at + packet) === videoPid && !begins(at + packet)) return truncateSync(file, at + packet);
  }
  throw new Error('every frame fits into one packet');
}

/** `RETROVIEW_BIN`, or what was built last for release or for debugging. */
function binary(): string {
  const named = process.env['RETROVIEW_BIN'];
  if (named) return named;
  const built = ['release', 'debug']
    .map((profile) => join(repository, 'target', profile, 'retroview'))
    .find(existsSync);
  if (!built) throw new Error('build the recorder first (cargo build), or name it in RETROVIEW_BIN');
  return built;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
