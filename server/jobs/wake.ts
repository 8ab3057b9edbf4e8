import type { DueJob } from './ports.js';

/** The runner of this process is told at once of what was written. A hint: rows wait in the store anyway. */
const sleepers = new Set<(written: readonly DueJob[]) => void>();

export function onWake(listener: (written: readonly DueJob[]) => void): () => void {
  sleepers.add(listener);
  return () => sleepers.delete(listener);
}

export function wakeJobs(written: readonly DueJob[]): void {
  for (const listener of sleepers) listener(written);
}
