import type { DueJob } from './ports.js';

type Sleeper = (written: readonly DueJob[]) => void;

/** A process's runner is told at once of what was written there. A hint: rows wait in the store anyway. */
export interface Wake {
  onWake(listener: Sleeper): () => void;
  wakeJobs(written: readonly DueJob[]): void;
}

/** Never throws to whoever wrote: what a listener fails at is its own loss, and is shown as a warning of the process. */
export function createWake(): Wake {
  const sleepers = new Set<Sleeper>();
  return {
    onWake(listener) {
      sleepers.add(listener);
      return () => sleepers.delete(listener);
    },
    wakeJobs(written) {
      for (const listener of sleepers) {
        try {
          listener(written);
        } catch (error) {
          process.emitWarning(error instanceof Error ? error : String(error), 'WakeWarning');
        }
      }
    },
  };
}

/** This process's own. */
export const { onWake, wakeJobs } = createWake();
