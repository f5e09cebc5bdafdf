import { describe, expect, test } from 'vitest';
import { length, range } from '../time/range';
import { scale, toTime, toX } from '../time/scale';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US, wallUs } from '../time/timestamp';
import { Flick, Motion } from './motion';
import {
  around,
  between,
  coast,
  everything,
  followed,
  isThere,
  limitsOf,
  pannedBy,
  roundStep,
  shortestUs,
  zoomedAt,
} from './viewport';

const limits = range(100 * DAY_US, 830 * DAY_US);
const day = range(400 * DAY_US, 401 * DAY_US);
const s = scale(day, 1440);

describe('the view', () => {
  test('keeps the moment under the pointer when zooming, in and out', () => {
    for (const factor of [1.7, 40, 0.1, 0.01]) {
      const next = scale(zoomedAt(s, factor, 360, limits), 1440);
      expect(Math.abs(toX(next, toTime(s, 360)) - 360)).toBeLessThan(1);
      expect(length(next.range)).toBeCloseTo(DAY_US / factor, -1);
    }
  });
  test('goes from single frames to several years and no further', () => {
    expect(length(zoomedAt(s, 1e12, 360, limits))).toBe(shortestUs);
    expect(length(zoomedAt(s, 1e-12, 360, limits))).toBeGreaterThan(1400 * DAY_US);
  });
  test('never leaves what there is: its middle stays between the first footage and now', () => {
    expect(pannedBy(s, -1e9, limits)).toEqual(range(99.5 * DAY_US, 100.5 * DAY_US));
    expect(pannedBy(s, 1e9, limits).end).toBe(limits.end + DAY_US / 2);
    expect(around(day, wallUs(0), limits).start).toBe(99.5 * DAY_US);
  });
  test('of everything has a little air, also when next to nothing is recorded', () => {
    expect(everything(limits).start).toBeLessThan(limits.start);
    expect(everything(limits).end).toBeGreaterThan(limits.end);
    const now = wallUs(500 * DAY_US);
    expect(length(limitsOf(now, now))).toBe(MINUTE_US);
    expect(length(limitsOf(null, now))).toBe(DAY_US);
  });
});

describe('on the way between two views', () => {
  const hour = range(400.25 * DAY_US, 400.25 * DAY_US + HOUR_US);
  test('what both show at one place stays there', () => {
    const at = toTime(s, 500);
    const goal = zoomedAt(s, 24, 500, limits);
    for (const part of [0.1, 0.5, 0.9]) {
      const view = scale(between(day, goal, part), 1440);
      expect(Math.abs(toX(view, at) - 500)).toBeLessThan(0.5);
    }
  });
  test('each step shows the same share less', () => {
    const spans = [0, 0.25, 0.5, 0.75, 1].map((part) => length(between(day, hour, part)));
    const shares = spans.slice(1).map((span, i) => span / (spans[i] as number));
    for (const share of shares) expect(share).toBeCloseTo(shares[0] as number, 6);
    expect(between(day, hour, 1)).toEqual(hour);
  });
  test('of one length it only moves', () => {
    const next = range(day.start + HOUR_US, day.end + HOUR_US);
    expect(between(day, next, 0.5).start).toBe(day.start + HOUR_US / 2);
  });
  test('less than a quarter of a pixel apart is there', () => {
    expect(isThere(range(0, 1000), range(0, 1000), 100)).toBe(true);
    expect(isThere(range(2, 1002), range(0, 1000), 100)).toBe(true);
    expect(isThere(range(3, 1003), range(0, 1000), 100)).toBe(false);
  });
});

describe('the playhead', () => {
  const view = range(0, 100 * SECOND_US);
  const at = (seconds: number) => wallUs(seconds * SECOND_US);
  const wide = range(-1e12, 1e12);
  test('in the middle moves nothing', () => expect(followed(view, at(40), at(41), wide)).toBeNull());
  test('near the end takes the view along', () => {
    expect(followed(view, at(87.9), at(88.5), wide)?.start).toBe(0.5 * SECOND_US);
  });
  test('that jumped is in the middle of the view', () => {
    expect(followed(view, at(50), at(5000), wide)).toEqual(range(4950 * SECOND_US, 5050 * SECOND_US));
  });
  test('that the viewer has left behind stays there', () => {
    expect(followed(view, at(-10), at(-9), wide)).toBeNull();
    expect(followed(view, at(100.5), at(101), wide)).toBeNull();
  });
});

describe('motion', () => {
  const run = (motion: Motion, frames: number) => {
    for (let i = 0; i < frames && motion.step(i * 16.7, 1440, limits); i += 1);
  };
  test('glides to its goal and ends there', () => {
    const motion = new Motion(day);
    motion.zoom(24, 700, 1440, limits, false);
    const at = toTime(s, 700);
    expect(motion.view).toEqual(day);
    run(motion, 3);
    expect(Math.abs(toX(scale(motion.view, 1440), at) - 700)).toBeLessThan(0.5);
    run(motion, 200);
    expect(motion.moving).toBe(false);
    expect(length(motion.view)).toBeCloseTo(HOUR_US, -1);
  });
  test('adds up the notches of a wheel', () => {
    const motion = new Motion(day);
    for (let i = 0; i < 3; i += 1) motion.zoom(2, 700, 1440, limits, false);
    expect(length(motion.target)).toBeCloseTo(DAY_US / 8, -1);
  });
  test('is not seen by those who asked for little of it', () => {
    const motion = new Motion(day);
    motion.zoom(2, 700, 1440, limits, true);
    expect(motion.moving).toBe(false);
    expect(length(motion.view)).toBe(DAY_US / 2);
  });
  test('coasts after a flick, slower and slower, and stops', () => {
    const motion = new Motion(day);
    motion.fling(-1.5);
    run(motion, 600);
    expect(motion.moving).toBe(false);
    // To the left by 1.5 pixels a millisecond: some 480 pixels later in time.
    const px = ((motion.view.start - day.start) / DAY_US) * 1440;
    expect(px).toBeGreaterThan(400);
    expect(px).toBeLessThan(500);
    expect(coast(1, 0)).toEqual({ dx: 0, speed: 1 });
  });
  test('of a pointer that had stopped is none', () => {
    const flick = new Flick();
    for (let i = 0; i < 5; i += 1) flick.add(i * 10, i * 10);
    expect(flick.speed(45)).toBeCloseTo(1, 6);
    expect(flick.speed(400)).toBe(0);
    expect(new Flick().speed(10)).toBe(0);
  });
  test('of a page that slept is no leap', () => {
    const motion = new Motion(day);
    motion.fling(1);
    motion.step(0, 1440, limits);
    const before = motion.view.start;
    motion.step(60_000, 1440, limits);
    expect(((before - motion.view.start) / DAY_US) * 1440).toBeLessThan(70);
  });
});

test('arrow keys move by round steps', () => {
  expect(roundStep(3 * SECOND_US)).toBe(5 * SECOND_US);
  expect(roundStep(700_000)).toBe(SECOND_US);
  expect(roundStep(8 * MINUTE_US)).toBe(10 * MINUTE_US);
  expect(roundStep(1e15)).toBe(30 * DAY_US);
});
