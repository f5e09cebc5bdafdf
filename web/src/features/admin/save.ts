/** Hands a file to the browser's downloads. */

export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has taken its own hold of it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * As it is parsed: members keep their order, so a signed document stays what was signed. (Its numbers are whole and below
 * 2^53.)
 */
export function saveJson(value: unknown, name: string): void {
  save(new Blob([`${JSON.stringify(value)}\n`], { type: 'application/json' }), name);
}
