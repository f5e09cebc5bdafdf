/** Roles and scopes as people choose them. */
import { t } from '../../../i18n/index.svelte';
import type { Role } from '../../shell/places';

export const roles = ['viewer', 'manager', 'auditor', 'operator'] as const;
export const scopes = ['view', 'ingest', 'admin', 'audit', 'operate'] as const;
export type Scope = (typeof scopes)[number];

/** Nobody gives away what they lack: only operators make operators. */
export function givable(role: Role | null): readonly Role[] {
  return role === 'operator' ? roles : roles.filter((r) => r !== 'operator');
}

export function givableScopes(role: Role | null): readonly Scope[] {
  return role === 'operator' ? scopes : scopes.filter((s) => s !== 'operate');
}

export function roleText(role: string): string {
  const known = roles.find((r) => r === role);
  return known ? t(`role.${known}`) : role;
}

export function scopeText(scope: string): string {
  const known = scopes.find((s) => s === scope);
  return known ? t(`scope.${known}`) : scope;
}

/** What one of this role may do, in a sentence. */
export function roleHint(role: string): string {
  const known = roles.find((r) => r === role);
  return known ? t(`role.hint.${known}`) : '';
}
