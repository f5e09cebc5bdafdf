/** Plans as people choose them. */
import { type Plan, windowOf } from '../../../api/accounts';
import { language } from '../../../i18n/index.svelte';
import { windowText } from '../say';

/** `Extended` where the recorder says `extended`. */
export function planTitle(plans: readonly Plan[], name: string): string {
  return soldPlans(plans).find((plan) => plan.name === name)?.title[language()] ?? name;
}

/** The version of each plan that is sold today: the highest. */
export function soldPlans(plans: readonly Plan[]): Plan[] {
  const newest = new Map<string, Plan>();
  for (const plan of plans) {
    if ((newest.get(plan.name)?.version ?? 0) < plan.version) newest.set(plan.name, plan);
  }
  return [...newest.values()].sort((a, b) => worth(a) - worth(b) || a.rank - b.rank);
}

/** By the window first: a shorter one always takes something away. */
function worth(plan: Plan): number {
  const window = windowOf(plan);
  return window === 'unlimited' ? Infinity : window.months;
}

/** Whether going from one to the other takes something away. */
export function isDowngrade(from: Plan, to: Plan): boolean {
  const [a, b] = [worth(from), worth(to)];
  return a === b ? from.rank > to.rank || (from.rank === to.rank && from.version > to.version) : a > b;
}

export function planOptions(plans: readonly Plan[]): { value: string; text: string }[] {
  return soldPlans(plans).map((plan) => ({
    value: plan.name,
    text: `${plan.title[language()]} (${windowText(windowOf(plan))})`,
  }));
}
