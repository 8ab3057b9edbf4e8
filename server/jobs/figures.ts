import type { JobRow } from './model.js';
import type { JobShelf } from './ports.js';

export interface JobFigures {
  waiting: number;
  running: number;
  dead: number;
  /** For how long the job that waits longest has been due. */
  oldestDueSeconds: number;
}

/** Counting on tells nobody more. */
const countedAtMost = 10_000;

/** How the queue stands, over all workspaces: numbers alone, for whoever runs the installation. */
export async function jobFigures(store: JobShelf, now: Date): Promise<JobFigures> {
  const count = (state: JobRow['state']) => store.countIn(state, countedAtMost);
  const [waiting, running, dead, since] = await Promise.all([
    count('waiting'),
    count('running'),
    count('dead'),
    store.longestDue(now),
  ]);
  return { waiting, running, dead, oldestDueSeconds: since ? (now.getTime() - since.getTime()) / 1_000 : 0 };
}
