/** The recorder's clock, as well as we know it: the viewer's own may be off by an hour. */
import { SECOND_US, type WallUs, fromMs, wallUs } from '../time/timestamp';

let aheadUs = 0;

/** Every coverage answer says what time it is there. */
export function hearClock(recorderNow: WallUs): void {
  const ahead = recorderNow - fromMs(Date.now());
  // Answers take a while to arrive; smaller differences say nothing.
  if (Math.abs(ahead - aheadUs) > SECOND_US) aheadUs = ahead;
}

export function recorderNow(): WallUs {
  return wallUs(fromMs(Date.now()) + aheadUs);
}
