import type { DueJob } from './ports.js';

type Sleeper = (written: readonly DueJob[]) => void;

/** A process's runner is told at once of what was written there. A hint: rows wait in the store anyway. */
export interface Wake {
  onWake(listener: Sleeper): () => void;
  wakeJobs(written: readonly DueJob[]): void;
}

export function createWake(): Wake {
  const sleepers = new Set<Sleeper>();
  return {
    onWake(listener) {
      sleepers.add(listener);
      return () => sleepers.delete(listener);
    },
    wakeJobs(written) {
      for (const listener of sleepers) listener(written);
    },
  };
}

/** This process's own. */
export const { onWake, wakeJobs } = createWake();
