/** Asks again and again, politely: never two questions at once, never while the page is hidden, slower when it fails. */

export interface Poll {
  /** Asks now, and counts the interval from here. */
  now(): void;
  stop(): void;
}

/** The recorder answers again: whoever waits for it asks at once. */
export const recorderIsBack = 'retroview:back';

/** How much slower at most after repeated failures. */
const slowest = 8;

/** `ask` answers whether it worked. */
export function poll(everyMs: number, ask: () => Promise<boolean>): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let asking = false;
  let slower = 1;

  const run = async () => {
    clearTimeout(timer);
    if (stopped || asking) return;
    if (!document.hidden) {
      asking = true;
      const worked = await ask().catch(() => false);
      asking = false;
      slower = worked ? 1 : Math.min(slowest, slower * 2);
    }
    schedule();
  };
  const schedule = () => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void run(), everyMs * slower);
  };
  const onShow = () => {
    if (!document.hidden) void run();
  };

  document.addEventListener('visibilitychange', onShow);
  addEventListener(recorderIsBack, onShow);
  void run();
  return {
    now: () => void run(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onShow);
      removeEventListener(recorderIsBack, onShow);
    },
  };
}
