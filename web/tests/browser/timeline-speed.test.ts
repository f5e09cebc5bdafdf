/**
 * How smoothly the timeline moves over two years with 20,000 gaps, in a real index. It prints what it measured; the limits here are
 * wide, because other tests run beside it.
 */
import { expect, test } from 'vitest';
import { day, yearsGaps } from './footage';
import { Visit } from './page';

interface Measured {
  /** Milliseconds from frame to frame. */
  readonly frames: number[];
  /** Milliseconds of our own work in each frame. */
  readonly work: number[];
  readonly blank: number;
}

test(`panning and zooming over two years with ${yearsGaps} gaps is smooth, and never blank`, async () => {
  const visit = await Visit.open({ viewport: { width: 1440, height: 900 } });
  await visit.page.addInitScript(timeFrames);
  await visit.signIn();
  let answers = 0;
  let largest = 0;
  visit.page.on('response', (response) => {
    if (!response.url().includes('/coverage')) return;
    answers += 1;
    void response.body().then(
      (body) => (largest = Math.max(largest, body.length)),
      () => undefined,
    );
  });
  await visit.page.goto('/#/watch/years');
  await visit.page.getByRole('button', { name: 'Show everything' }).click();
  await visit.page.waitForTimeout(2500);
  for (const [name, how] of [
    ['zooming', 'zoom'],
    ['panning', 'pan'],
  ] as const) {
    const measured = await visit.page.evaluate(drive, how);
    const { frames, work } = measured;
    console.log(
      `${name}: ${frames.length} frames, p50 ${at(frames, 0.5)} ms, p95 ${at(frames, 0.95)} ms; work p50 ${at(work, 0.5)} ms, p95 ${at(work, 0.95)} ms`,
    );
    expect(Number(at(frames, 0.5))).toBeLessThan(40);
    expect(Number(at(work, 0.95))).toBeLessThan(40);
    expect(measured.blank).toBe(0);
  }
  console.log(`coverage: ${answers} answers, the largest ${largest} bytes`);
  expect(largest).toBeLessThan(300_000);
  visit.complaints.length = 0;
  await visit.close();
});

test('a thumbnail is there as soon as its minute is loaded', async () => {
  const visit = await Visit.open({ viewport: { width: 1440, height: 900 } });
  await visit.signIn();
  await visit.page.goto(`/#/watch/yard?t=${day}T10:00:30Z&z=60`);
  await visit.sees(`${day}T10:00:30Z`, 3000);
  await visit.pause();
  // Once over it, so that it is loaded.
  await visit.page.evaluate(hover, 40);
  await visit.page.waitForTimeout(2500);
  const times = await visit.page.evaluate(hover, 200);
  console.log(`hover to thumbnail: p50 ${at(times, 0.5)} ms, p95 ${at(times, 0.95)} ms over ${times.length}`);
  expect(times.length).toBe(200);
  expect(Number(at(times, 0.95))).toBeLessThan(400);
  await visit.close();
});

/** Runs in the page: milliseconds from a movement of the pointer to the frame with the picture of its new place. */
async function hover(times: number): Promise<number[]> {
  const canvas = document.querySelector<HTMLCanvasElement>('[role=slider] canvas');
  if (!canvas) throw new Error('there is no timeline');
  const { left, top, width } = canvas.getBoundingClientRect();
  const measured: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const clientX = left + width * (0.05 + 0.9 * ((i * 0.618) % 1));
    const began = performance.now();
    const event = { bubbles: true, pointerId: 1, pointerType: 'mouse', clientX, clientY: top + 60 };
    canvas.dispatchEvent(new PointerEvent('pointermove', event));
    for (let frames = 0; frames < 60; frames += 1) {
      await new Promise((next) => requestAnimationFrame(next));
      if (document.querySelector<HTMLElement>('.tip canvas')?.dataset['shown'] !== undefined) {
        measured.push(performance.now() - began);
        break;
      }
    }
  }
  return measured;
}

function at(sorted: readonly number[], share: number): string {
  const values = [...sorted].sort((a, b) => a - b);
  return (values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0).toFixed(1);
}

/** Runs in the page: how long the callbacks of each frame take. */
function timeFrames(): void {
  const asked = window.requestAnimationFrame.bind(window);
  window.frameWork = [];
  let last = -1;
  window.requestAnimationFrame = (callback) =>
    asked((ms) => {
      const began = performance.now();
      callback(ms);
      const spent = performance.now() - began;
      // All callbacks of one frame are told the same time.
      if (ms === last) window.frameWork[window.frameWork.length - 1] = (window.frameWork.at(-1) ?? 0) + spent;
      else window.frameWork.push(spent);
      last = ms;
    });
}

/** Runs in the page: a wheel that turns with every frame, for some seconds. */
async function drive(how: 'zoom' | 'pan'): Promise<Measured> {
  const canvas = document.querySelector<HTMLCanvasElement>('[role=slider] canvas');
  if (!canvas) throw new Error('there is no timeline');
  const { left, top, width } = canvas.getBoundingClientRect();
  const frames: number[] = [];
  let blank = 0;
  window.frameWork.length = 0;
  let before = 0;
  for (let i = 0; i < 420; i += 1) {
    const ms = await new Promise<number>((next) => requestAnimationFrame(next));
    if (before > 0) frames.push(ms - before);
    before = ms;
    // In for a while, out for a while: through all levels between years and minutes; or to and fro.
    const turn = Math.floor(i / 105) % 2 === 0 ? -1 : 1;
    canvas.dispatchEvent(
      new WheelEvent('wheel', {
        ...{ bubbles: true, cancelable: true, clientX: left + width * 0.6, clientY: top + 60 },
        ...(how === 'zoom' ? { deltaY: turn * 38 } : { deltaX: turn * 45 }),
      }),
    );
    if (i % 15 === 0 && i > 0) {
      // Left and middle of the band: footage or gaps, never the ground alone.
      const ctx = canvas.getContext('2d');
      const row =
        ctx?.getImageData(0, Math.round(55 * devicePixelRatio), canvas.width, 1).data ?? new Uint8ClampedArray();
      const colours = new Set<number>();
      for (let x = 0; x < row.length; x += 4)
        colours.add((row[x] ?? 0) * 65536 + (row[x + 1] ?? 0) * 256 + (row[x + 2] ?? 0));
      if (colours.size < 1 || (row[3] ?? 0) === 0) blank += 1;
    }
  }
  return { frames, work: [...window.frameWork], blank };
}

declare global {
  interface Window {
    frameWork: number[];
  }
}
