/** The runner of this process looks at once instead of at its next round. A hint: rows wait in the store anyway. */
const sleepers = new Set<() => void>();

export function onWake(listener: () => void): () => void {
  sleepers.add(listener);
  return () => sleepers.delete(listener);
}

export function wakeJobs(): void {
  for (const listener of sleepers) listener();
}
