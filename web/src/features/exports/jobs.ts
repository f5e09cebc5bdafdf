/** What is told about an export: how far it is, how long it takes, what can be done with it. Pure. */
import type { ExportJob, ExportState } from '../../api/keep';
import { SECOND_US, type WallUs } from '../../time/timestamp';

export function isOpen(job: { state: ExportState }): boolean {
  return job.state === 'waiting' || job.state === 'running';
}

/** Whether there is still a file: it is deleted when its time is up, on the next round of the recorder. */
export function hasFile(job: ExportJob, now: WallUs): boolean {
  return job.state === 'done' && (job.expires_at_us == null || job.expires_at_us > now);
}

/** From 0 to 1; `null` while the recorder does not know yet how much there is. */
export function progress(job: ExportJob): number | null {
  if (job.state === 'done') return 1;
  if (job.total_bytes <= 0) return null;
  return Math.min(1, Math.max(0, job.done_bytes / job.total_bytes));
}

/** Whole percent, rounded down: 100 is said when it is done and not before. */
export function percent(job: ExportJob): number | null {
  const share = progress(job);
  if (share === null) return null;
  return job.state === 'done' ? 100 : Math.min(99, Math.floor(share * 100));
}

/** The time that is left, as far as anybody knows. */
export function leftUs(job: ExportJob): number | null {
  return job.state === 'running' && job.eta_s != null && job.eta_s > 0 ? job.eta_s * SECOND_US : null;
}

/** Newest first, each once: a page of older ones may overlap with what is asked for again and again. */
export function merge(fresh: readonly ExportJob[], older: readonly ExportJob[]): ExportJob[] {
  const known = new Set(fresh.map((job) => job.id));
  return [...fresh, ...older.filter((job) => !known.has(job.id))].sort((a, b) => b.created_at_us - a.created_at_us);
}

/** How soon to ask again: often while something moves, rarely otherwise. */
export function askAgainMs(jobs: readonly ExportJob[]): number {
  return jobs.some(isOpen) ? 1000 : 20_000;
}
