/** What plans grant, in people's words. */
import type { Grant } from '../../../api/accounts';
import { count, t } from '../../../i18n/index.svelte';
import { number, windowText } from '../say';

const known = [
  'retroview.window',
  'support.requests',
  'support.chat',
  'support.proactive',
  'sla.first_response',
  'reports.weekly',
  'monitoring.graphical_email',
  'backup.restore',
] as const;

/** In this order, then those that this page does not know, by name. */
export function inOrder(keys: readonly string[]): string[] {
  const place = (key: string) => {
    const found = known.findIndex((k) => k === key);
    return found < 0 ? known.length : found;
  };
  return [...keys].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

export function grantName(key: string): string {
  const found = known.find((k) => k === key);
  return found ? t(`grant.${found}`) : key;
}

export function grantText(key: string, grant: Grant): string {
  if (grant.kind === 'boolean') return t(grant.granted ? 'grant.yes' : 'grant.no');
  if (grant.kind === 'metered') return grant.limit === null ? t('grant.unlimited') : meterText(grant.limit);
  return valueText(key, grant.value);
}

export function meterText(limit: number): string {
  return t('grant.a_month', { n: number(limit) });
}

export function valueText(key: string, value: unknown): string {
  const members = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  if (key === 'retroview.window') {
    return typeof members['months'] === 'number' ? windowText({ months: members['months'] }) : windowText('unlimited');
  }
  if (key === 'sla.first_response') return responseText(members);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const severities = ['critical', 'high', 'medium', 'low'] as const;

function responseText(by: Record<string, unknown>): string {
  const parts = severities.flatMap((severity) => {
    const time = timeText(by[severity]);
    return time ? [`${t(`severity.${severity}`)} ${time}`] : [];
  });
  return parts.length > 0 ? parts.join(', ') : t('grant.no');
}

function timeText(value: unknown): string {
  const m = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  if (typeof m['hours'] === 'number') return `${number(m['hours'])} h`;
  return typeof m['business_days'] === 'number' ? count('grant.business_days', m['business_days']) : '';
}
