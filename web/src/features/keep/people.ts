/** Whoever did something is written as in the audit log: `user ann`, `token t0123`. People are told by name alone. */
export function nameOf(actor: string): string {
  return actor.replace(/^user /, '');
}

export function isSelf(actor: string | null, user: string): boolean {
  return actor === `user ${user}`;
}
