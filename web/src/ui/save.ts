/** Hands a file made in the page to the viewer. */
export function saveAs(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has taken it by then; sooner, some lose the download.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
