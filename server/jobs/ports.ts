import type { ClientSession } from 'mongoose';
import type { JobRow } from './model.js';

/** A job by its own name, and when it is due. `attempts` tells this wait of it from the next one. */
export type DueJob = Pick<JobRow, 'workspaceId' | 'name' | 'key' | 'dueAt' | 'attempts'>;

/**
 * Tells processes which job is due, so that none has to look into the store again and again. It holds nothing that the
 * store does not: it may lose all of it, or tell twice. The store alone says who runs a job.
 */
export interface DueQueue {
  /** Whether it can be used now; while it is away every process looks for itself. */
  isThere(): boolean;
  /** Asks that each be told of at its time, to one process. What waits there already is not put again. */
  put(jobs: readonly DueJob[]): Promise<void>;
  /** Calls `run` for what is due, at most `concurrency` at once, until it is closed. */
  take(concurrency: number, run: (job: Pick<DueJob, 'workspaceId' | 'name' | 'key'>) => Promise<void>): void;
  /** Takes no more. */
  close(): Promise<void>;
}

/** What the runner needs of the world. A simulation gives these from a virtual clock and a store in memory. */

export interface JobStore {
  /**
   * Writes the row, unless the same workspace, name and key has one: that is the same job. True when it is new. With a
   * session the row stands or falls with what else its transaction writes.
   */
  insert(row: JobRow, session?: ClientSession): Promise<boolean>;
  /**
   * Takes, of these names, the job that has waited for longest since it was due; when none waits, one whose holder gave
   * no sign of life. Each taking is one attempt, under a fence that grows.
   */
  claim(names: readonly string[], holder: string, now: Date, heldUntil: Date): Promise<JobRow | null>;
  /** Takes this very job, on the same terms; null when it is not due, done, or somebody's. */
  claimOne(
    job: Pick<DueJob, 'workspaceId' | 'name' | 'key'>,
    holder: string,
    now: Date,
    heldUntil: Date,
  ): Promise<JobRow | null>;
  /**
   * At most `limit` of what waits and is due by `before`, then as many of what a holder left without a sign of life; of
   * each the longest due first.
   */
  due(names: readonly string[], now: Date, before: Date, limit: number): Promise<DueJob[]>;
  /** A sign of life. False when somebody else holds it now. */
  renew(job: JobRow, heldUntil: Date): Promise<boolean>;
  /** Every change of a held job carries its fence and does nothing when that is old. True when it was written. */
  settle(job: JobRow, change: Settlement): Promise<boolean>;
}

/** What stands in the store for whoever looks after the jobs. */
export interface JobShelf {
  /** Over all workspaces; counts no further than `atMost`. */
  countIn(state: JobRow['state'], atMost: number): Promise<number>;
  /** Since when the job that waits longest has been due; null when none is. */
  longestDue(now: Date): Promise<Date | null>;
  /** What failed for good in a workspace, the newest first. */
  dead(workspaceId: string, limit: number): Promise<DeadJob[]>;
  /** A dead job waits again, due `at`, with all its attempts; null when there is no such dead job. */
  revive(workspaceId: string, jobId: string, at: Date): Promise<JobRow | null>;
  /** @returns how many */
  reviveAll(workspaceId: string, at: Date): Promise<number>;
  /** Deletes what is done and was due before this. */
  forgetDone(before: Date): Promise<void>;
}

export type DeadJob = Pick<JobRow, '_id' | 'name' | 'key' | 'attempts' | 'error' | 'finishedAt'>;

/** What must happen once in a cluster runs under a lease: one holder at a time, and a fence that tells old from new. */
export interface Lease {
  name: string;
  holder: string;
  /** Every write made under the lease carries it; one with a smaller number is an old holder's. */
  fence: number;
}

export interface LeaseStore {
  /** Takes the lease if it is free, the holder's own, or was not renewed in time; null when somebody else has it. */
  take(name: string, holder: string, now: Date, until: Date): Promise<Lease | null>;
  /** A sign of life. False: it was taken over, and whatever ran under it stops. */
  renew(lease: Lease, until: Date): Promise<boolean>;
  /** Gives it back at once. Does nothing when it is somebody else's. */
  release(lease: Lease): Promise<void>;
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
  what: 'attempt_failed' | 'dead' | 'fenced_out' | 'store' | 'queue';
  job?: Pick<JobRow, '_id' | 'name' | 'workspaceId' | 'attempts'>;
  error: unknown;
}
