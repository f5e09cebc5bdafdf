/** Records of the log in people's words. */
import type { AuditRecord } from '../../../api/audit';
import { t } from '../../../i18n/index.svelte';

/** What records are about, as `act=` takes it: the part before the dot. */
export const nouns = [
  'stream',
  'footage',
  'range',
  'share',
  'export',
  'bookmark',
  'hold',
  'retention',
  'erasure',
  'receipt',
  'attestation',
  'cap',
  'user',
  'session',
  'link',
  'token',
  'account',
  'subscription',
  'plan',
  'signing_key',
  'checkpoint',
  'service',
] as const;

/** Those that people look for by themselves. Others are listed under their noun, and read as they are written. */
export const acts = [
  'stream.added',
  'stream.changed',
  'stream.paused',
  'stream.resumed',
  'stream.removed',
  'stream.restored',
  'footage.watched',
  'footage.exported',
  'footage.pictured',
  'range.shared',
  'hold.placed',
  'hold.released',
  'retention.marked',
  'retention.rescued',
  'retention.swept',
  'retention.stopped',
  'retention.confirmed',
  'cap.set',
  'erasure.asked',
  'erasure.finished',
  'share.made',
  'share.opened',
  'share.revoked',
  'export.asked',
  'export.done',
  'bookmark.added',
  'bookmark.changed',
  'bookmark.removed',
  'account.added',
  'account.changed',
  'subscription.upgraded',
  'subscription.downgrade_scheduled',
  'subscription.downgrade_cancelled',
  'subscription.renewal_changed',
  'subscription.rolled_over',
  'plan.added',
  'user.invited',
  'user.added',
  'user.changed',
  'user.removed',
  'user.password_set',
  'user.reset_offered',
  'session.started',
  'session.refused',
  'session.ended',
  'session.revoked',
  'token.created',
  'token.revoked',
  'link.used',
  'receipt.signed',
  'attestation.made',
  'signing_key.added',
  'signing_key.removed',
  'checkpoint.signed',
  'service.started',
  'setup.done',
] as const;

export function actText(act: string): string {
  const known = acts.find((a) => a === act);
  return known ? t(`audit.act.${known}`) : act;
}

/** `user ann` → `ann`; programs and the service itself say what they are. */
export function personText(actor: string): string {
  if (actor === 'system') return t('audit.system');
  if (actor === 'command line') return t('audit.command_line');
  const [kind = '', ...rest] = actor.split(' ');
  const name = rest.join(' ');
  if (kind === 'user' && name) return name;
  return kind === 'token' && name ? t('audit.token', { id: name }) : actor;
}

/** All that a record holds beside what its row shows, in the order it came. */
export function detailsOf(record: AuditRecord): { name: string; value: string }[] {
  const details = Object.entries(record.details as Record<string, unknown>);
  return [
    { name: 'act', value: record.act },
    { name: 'actor', value: record.actor },
    ...(record.account === null ? [] : [{ name: 'account', value: record.account }]),
    ...details.map(([name, value]) => ({ name, value: typeof value === 'string' ? value : JSON.stringify(value) })),
    { name: 'sha256', value: record.hash },
  ];
}
