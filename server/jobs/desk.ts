import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import type { Scope } from '../workspaces/scope.js';
import type { DeadJob, DueQueue, JobPorts, JobShelf, JobStore, LeaseStore } from './ports.js';
import { newJob } from './row.js';
import { type JobKind, type Runner, startRunner } from './runner.js';
import type { Wake } from './wake.js';

export interface EnqueueOptions {
  /** The same again is the same job. Default: a new one each time. */
  key?: string;
  dueAt?: Date;
  /** Writes the row with whatever else the transaction writes. */
  session?: ClientSession;
}

export interface StartOptions {
  report: JobPorts['report'];
  /** Where processes are told what is due. Without it each looks into the store. */
  queue?: DueQueue;
  concurrency?: number;
  pollMs?: number;
  holdMs?: number;
  sweepMs?: number;
}

type Workspace = Pick<Scope, 'workspaceId'>;

/** Work outside a request, as one process has it: at least once, idempotent by key. */
export interface JobDesk {
  /** Puts a job into the queue. Resolves when it is durable (with a session: when that commits). False: it was there. */
  enqueue(scope: Workspace, name: string, payload: unknown, options?: EnqueueOptions): Promise<boolean>;
  /** Starts running these kinds of jobs in this process, until `stop`. */
  startJobs(kinds: readonly JobKind[], options: StartOptions): Runner;
  /** Forgets work that was done long ago; dead letters stay until somebody looks. Several processes may do it at once. */
  pruneDone(now?: Date): Promise<void>;
  /** Dead letters of a workspace, the newest first. */
  listDead(scope: Workspace, limit?: number): Promise<DeadJob[]>;
  /** Gives a dead job all its attempts again. @throws AppError `not_found` */
  retryDead(scope: Workspace, jobId: string): Promise<void>;
  /** The same for every dead job of a workspace. @returns how many */
  retryAllDead(scope: Workspace): Promise<number>;
}

export interface JobDeskOptions {
  store: JobStore & JobShelf;
  leases: Pick<LeaseStore, 'take'>;
  ports: Omit<JobPorts, 'report'>;
  wake: Wake;
}

const pruneEveryMs = 3_600_000;
/** Who tells the queue what it lost does so for this long, unless it says so again. */
const leadMs = 30_000;

export function openJobDesk({ store, leases, ports, wake }: JobDeskOptions): JobDesk {
  async function pruneDone(now: Date = ports.now()): Promise<void> {
    await store.forgetDone(new Date(now.getTime() - limits.jobsKeptDays * 24 * 3_600_000));
  }

  return {
    pruneDone,

    async enqueue({ workspaceId }, name, payload, { key, dueAt, session } = {}) {
      const _id = ports.newId();
      const row = newJob({ _id, workspaceId, name, key: key ?? _id, payload }, ports.now(), dueAt);
      const isNew = await store.insert(row, session);
      // Inside a transaction nobody knows yet whether it will be there.
      if (isNew && !session) wake.wakeJobs([row]);
      return isNew;
    },

    startJobs(kinds, { report, queue, sweepMs, ...rest }) {
      const self = ports.newId();
      const lead = async (): Promise<boolean> => {
        const now = ports.now();
        const until = new Date(now.getTime() + leadMs);
        return (await leases.take('schedule:jobs', self, now, until)) !== null;
      };
      const runner = startRunner({
        store,
        ports: { ...ports, report },
        kinds,
        ...rest,
        ...(queue && { queue: { due: queue, lead, ...(sweepMs !== undefined && { sweepMs }) } }),
      });
      const stopListening = wake.onWake(runner.wake);
      let stopPruning = ports.after(0, prune);
      function prune(): void {
        pruneDone().catch((error: unknown) => report({ what: 'store', error }));
        stopPruning = ports.after(pruneEveryMs, prune);
      }
      return {
        wake: runner.wake,
        stop: async (graceMs) => {
          stopListening();
          stopPruning();
          await runner.stop(graceMs);
        },
      };
    },

    listDead: ({ workspaceId }, limit = 50) => store.dead(workspaceId, limit),

    async retryDead({ workspaceId }, jobId) {
      const job = await store.revive(workspaceId, jobId, ports.now());
      if (!job) throw new AppError('not_found');
      wake.wakeJobs([job]);
    },

    // Found by whoever looks next, which is soon: there may be more than one word should carry.
    retryAllDead: ({ workspaceId }) => store.reviveAll(workspaceId, ports.now()),
  };
}
