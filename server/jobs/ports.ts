import type { JobRow } from './model.js';

/** What the runner needs of the world. A simulation gives these from a virtual clock and a store in memory. */

export interface JobStore {
  /** Writes the row, unless the same workspace, name and key has one: that is the same job. True when it is new. */
  insert(row: JobRow): Promise<boolean>;
  /**
   * Takes the job that has been due for longest and that nobody holds (or whose holder gave no sign of life), of these
   * names. Each taking is one attempt, under a fence that grows.
   */
  claim(names: readonly string[], holder: string, now: Date, heldUntil: Date): Promise<JobRow | null>;
  /** A sign of life. False when somebody else holds it now. */
  renew(job: JobRow, heldUntil: Date): Promise<boolean>;
  /** Every change of a held job carries its fence and does nothing when that is old. True when it was written. */
  settle(job: JobRow, change: Settlement): Promise<boolean>;
}

type Settlement =
  | { state: 'done'; at: Date }
  | { state: 'waiting'; dueAt: Date; error: string }
  | { state: 'dead'; at: Date; error: string }
  | { progress: number };

export interface JobPorts {
  now: () => Date;
  newId: () => string;
  /** In [0, 1). */
  random: () => number;
  /** Runs `task` once after `delayMs`; the returned function calls it off. */
  after: (delayMs: number, task: () => void) => () => void;
  /** Told of what nobody waits for: a job that failed or died, a round that could not read the store. */
  report: (problem: JobProblem) => void;
}

export interface JobProblem {
  what: 'attempt_failed' | 'dead' | 'fenced_out' | 'store';
  job?: Pick<JobRow, '_id' | 'name' | 'workspaceId' | 'attempts'>;
  error: unknown;
}
