import { isDuplicateKey } from '../store/duplicate-key.js';
import { JobModel, type JobRow } from './model.js';
import type { DueJob, JobShelf, JobStore } from './ports.js';

/** The mongoose side of the runner's port. The runner serves every workspace: a job's own says whose data it may touch. */
export const mongooseJobs: JobStore & JobShelf = {
  async insert(row, session) {
    if (session) {
      // A duplicate would end the caller's transaction with all that it writes: it is looked for first.
      const same = { workspaceId: row.workspaceId, name: row.name, key: row.key };
      if (await JobModel.exists(same).session(session)) return false;
      await JobModel.create([row], { session });
      return true;
    }
    try {
      await JobModel.create([row]);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  },

  async claim(names, holder, now, heldUntil) {
    const set = { $set: { state: 'running', holder, heldUntil }, $inc: { attempts: 1, fence: 1 } } as const;
    const due = { name: { $in: [...names] } };
    const options = { returnDocument: 'after' } as const;
    // Two steps, so that each is one look into the index: what waits, then what a process left behind.
    const waiting = await JobModel.findOneAndUpdate(
      { ...due, state: 'waiting', dueAt: { $lte: now } },
      set,
      options,
    )
      .sort({ dueAt: 1 })
      .lean();
    if (waiting) return waiting;
    return JobModel.findOneAndUpdate({ ...due, state: 'running', heldUntil: { $lte: now } }, set, options)
      .sort({ dueAt: 1 })
      .lean();
  },

  async claimOne({ workspaceId, name, key }, holder, now, heldUntil) {
    return JobModel.findOneAndUpdate(
      {
        workspaceId,
        name,
        key,
        $or: [
          { state: 'waiting', dueAt: { $lte: now } },
          { state: 'running', heldUntil: { $lte: now } },
        ],
      },
      { $set: { state: 'running', holder, heldUntil }, $inc: { attempts: 1, fence: 1 } },
      { returnDocument: 'after' },
    ).lean();
  },

  async due(names, now, before, limit) {
    const fields = { _id: 0, workspaceId: 1, name: 1, key: 1, dueAt: 1, attempts: 1 } as const;
    const known = { name: { $in: [...names] } };
    const find = (filter: object): Promise<DueJob[]> =>
      JobModel.find({ ...known, ...filter }, fields)
        .sort({ dueAt: 1 })
        .limit(limit)
        .lean();
    const waiting = await find({ state: 'waiting', dueAt: { $lte: before } });
    return [...waiting, ...(await find({ state: 'running', heldUntil: { $lte: now } }))];
  },

  async renew(job, heldUntil) {
    return isWritten(await JobModel.updateOne(held(job), { $set: { heldUntil } }));
  },

  async settle(job, change) {
    if ('progress' in change) {
      return isWritten(await JobModel.updateOne(held(job), { $set: { progress: change.progress } }));
    }
    const released = { holder: null, heldUntil: null };
    const set =
      change.state === 'waiting'
        ? { ...released, state: change.state, dueAt: change.dueAt, error: change.error }
        : {
            ...released,
            state: change.state,
            finishedAt: change.at,
            ...(change.state === 'dead' && { error: change.error }),
            ...(change.state === 'done' && { error: null, progress: 1 }),
          };
    return isWritten(await JobModel.updateOne(held(job), { $set: set }));
  },

  async countIn(state, atMost) {
    return JobModel.countDocuments({ state }).limit(atMost);
  },

  async longestDue(now) {
    const found = await JobModel.findOne({ state: 'waiting', dueAt: { $lte: now } }, { dueAt: 1 })
      .sort({ dueAt: 1 })
      .lean();
    return found?.dueAt ?? null;
  },

  async dead(workspaceId, limit) {
    const fields = { name: 1, key: 1, attempts: 1, error: 1, finishedAt: 1 } as const;
    return JobModel.find({ workspaceId, state: 'dead' }, fields).sort({ dueAt: -1 }).limit(limit).lean();
  },

  async revive(workspaceId, jobId, at) {
    return JobModel.findOneAndUpdate({ _id: jobId, workspaceId, state: 'dead' }, afresh(at), {
      returnDocument: 'after',
    }).lean();
  },

  async reviveAll(workspaceId, at) {
    return (await JobModel.updateMany({ workspaceId, state: 'dead' }, afresh(at))).modifiedCount;
  },

  async forgetDone(before) {
    await JobModel.deleteMany({ state: 'done', dueAt: { $lt: before } });
  },
};

const afresh = (dueAt: Date) => ({
  $set: { state: 'waiting' as const, dueAt, attempts: 0, error: null, finishedAt: null },
});

/** The job as long as this attempt holds it: the fence grows with each, so an old holder finds nothing. */
const held = (job: JobRow) => ({
  _id: job._id,
  workspaceId: job.workspaceId,
  state: 'running' as const,
  fence: job.fence,
});

const isWritten = (result: { matchedCount: number }): boolean => result.matchedCount === 1;
