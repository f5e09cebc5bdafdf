/** The recorder's clock, as well as we know it: the viewer's own may be off by an hour. */
import { SECOND_US, type WallUs, fromMs, wallUs } from '../time/timestamp';

let aheadUs = 0;

/** Every coverage answer says what time it is there. */
export function hearClock(recorderNow: WallUs): void {
  const ahead = recorderNow - fromMs(Date.now());
  // Answers take a while to arrive; smaller differences say nothing.
  if (Math.abs(ahead - aheadUs) > SECOND_US) aheadUs = ahead;
}

/** Whole seconds only, and on its way for a while: believed where ours is off by more than that. */
const roughUs = 5 * SECOND_US;

/** Every answer has a `Date`: before the first coverage is asked for, what is live depends on it. */
export function hearDate(date: string | null): void {
  const there = date === null ? Number.NaN : Date.parse(date);
  if (!Number.isNaN(there) && Math.abs(fromMs(there) - recorderNow()) > roughUs) hearClock(fromMs(there));
}

export function recorderNow(): WallUs {
  return wallUs(fromMs(Date.now()) + aheadUs);
}
