import type { ClientSession } from 'mongoose';
import type * as v from 'valibot';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { parse } from '../../shared/parse.js';
import type { Scope } from '../workspaces/scope.js';
import { takeLease } from './leases.js';
import { JobModel, type JobRow } from './model.js';
import type { DueQueue, JobPorts } from './ports.js';
import { type JobContext, type JobKind, type Runner, startRunner } from './runner.js';
import { mongooseJobs } from './store.js';
import { systemJobPorts } from './system.js';
import { onWake, wakeJobs } from './wake.js';

/** Work outside a request: at least once, idempotent by key. What runs it is behind this file. */
export interface DefinedJob<Payload> extends JobKind {
  /** Type only: what the payload parses to. */
  readonly payload?: Payload;
}

export interface JobOptions {
  /** Attempts before it is dead. Default 8. */
  attempts?: number;
  /** The wait after the first failure, doubling with each. Default 5 s, at most 1 h. */
  backoffMs?: number;
  backoffMaxMs?: number;
}

/**
 * A kind of job. `handler` may run twice for one job (a process can die between the work and its note), so it must bear
 * it. An AppError whose `retry` is not `same` ends the job at once; everything else is tried again.
 */
export function defineJob<const Schema extends v.GenericSchema>(
  name: string,
  schema: Schema,
  handler: (payload: v.InferOutput<Schema>, context: JobContext) => Promise<void>,
  options: JobOptions = {},
): DefinedJob<v.InferOutput<Schema>> {
  return {
    name,
    run: async (payload, context) => handler(parse(schema, payload), context),
    attempts: options.attempts ?? 8,
    backoffMs: options.backoffMs ?? 5_000,
    backoffMaxMs: options.backoffMaxMs ?? 3_600_000,
  };
}

export interface EnqueueOptions {
  /** The same again is the same job. Default: a new one each time. */
  key?: string;
  dueAt?: Date;
  /** Writes the row with whatever else the transaction writes. */
  session?: ClientSession;
}

/** Puts a job into the queue. Resolves when it is durable (with a session: when that commits). False: it was there. */
export async function enqueue(
  scope: Pick<Scope, 'workspaceId'>,
  name: string,
  payload: unknown,
  options: EnqueueOptions = {},
): Promise<boolean> {
  const now = systemJobPorts.now();
  const _id = systemJobPorts.newId();
  const row: JobRow = {
    _id,
    workspaceId: scope.workspaceId,
    name,
    key: options.key ?? _id,
    payload,
    state: 'waiting',
    dueAt: options.dueAt ?? now,
    attempts: 0,
    holder: null,
    heldUntil: null,
    fence: 0,
    progress: 0,
    error: null,
    createdAt: now,
    finishedAt: null,
  };
  if (!options.session) {
    const isNew = await mongooseJobs.insert(row);
    if (isNew) wakeJobs([row]);
    return isNew;
  }
  const { session } = options;
  const same = { workspaceId: row.workspaceId, name, key: row.key };
  if (await JobModel.exists(same).session(session)) return false;
  await JobModel.create([row], { session });
  return true;
}

const pruneEveryMs = 3_600_000;
/** Who tells the queue what it lost does so for this long, unless it says so again. */
const leadMs = 30_000;

/** Forgets work that was done long ago; dead letters stay until somebody looks. Several processes may do it at once. */
export async function pruneDone(now: Date = systemJobPorts.now()): Promise<void> {
  const before = new Date(now.getTime() - limits.jobsKeptDays * 24 * 3_600_000);
  await JobModel.deleteMany({ state: 'done', dueAt: { $lt: before } });
}

/** Starts running these kinds of jobs in this process, until `stop`. */
export function startJobs(
  kinds: readonly JobKind[],
  options: {
    report: JobPorts['report'];
    /** Where processes are told what is due. Without it each looks into the store. */
    queue?: DueQueue;
    concurrency?: number;
    pollMs?: number;
    holdMs?: number;
    sweepMs?: number;
  },
): Runner {
  const { report, queue, sweepMs, ...rest } = options;
  const self = systemJobPorts.newId();
  const runner = startRunner({
    store: mongooseJobs,
    ports: { ...systemJobPorts, report },
    kinds,
    ...rest,
    ...(queue && {
      queue: {
        due: queue,
        lead: async () => (await takeLease('schedule:jobs', self, leadMs)) !== null,
        ...(sweepMs !== undefined && { sweepMs }),
      },
    }),
  });
  const stopListening = onWake(runner.wake);
  let stopPruning = systemJobPorts.after(0, prune);
  function prune(): void {
    pruneDone().catch((error: unknown) => report({ what: 'store', error }));
    stopPruning = systemJobPorts.after(pruneEveryMs, prune);
  }
  return {
    wake: runner.wake,
    stop: async (graceMs) => {
      stopListening();
      stopPruning();
      await runner.stop(graceMs);
    },
  };
}

/** Dead letters of a workspace, the newest first. */
export async function listDead(
  scope: Pick<Scope, 'workspaceId'>,
  limit = 50,
): Promise<Pick<JobRow, '_id' | 'name' | 'key' | 'attempts' | 'error' | 'finishedAt'>[]> {
  return JobModel.find(
    { workspaceId: scope.workspaceId, state: 'dead' },
    { name: 1, key: 1, attempts: 1, error: 1, finishedAt: 1 },
  )
    .sort({ dueAt: -1 })
    .limit(limit)
    .lean();
}

/** Gives a dead job all its attempts again. @throws AppError `not_found` */
export async function retryDead(scope: Pick<Scope, 'workspaceId'>, jobId: string): Promise<void> {
  const job = await JobModel.findOneAndUpdate(
    { _id: jobId, workspaceId: scope.workspaceId, state: 'dead' },
    afresh(),
    { returnDocument: 'after' },
  ).lean();
  if (!job) throw new AppError('not_found');
  wakeJobs([job]);
}

/** The same for every dead job of a workspace. @returns how many */
export async function retryAllDead(scope: Pick<Scope, 'workspaceId'>): Promise<number> {
  // Found by whoever looks next, which is soon: there may be more than one word should carry.
  const { modifiedCount } = await JobModel.updateMany(
    { workspaceId: scope.workspaceId, state: 'dead' },
    afresh(),
  );
  return modifiedCount;
}

const afresh = () => ({
  $set: {
    state: 'waiting' as const,
    dueAt: systemJobPorts.now(),
    attempts: 0,
    error: null,
    finishedAt: null,
  },
});
