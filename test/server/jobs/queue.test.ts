import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../../server/jobs/define.js';
import { JobModel } from '../../../server/jobs/model.js';
import type { JobProblem } from '../../../server/jobs/ports.js';
import { enqueue, listDead, pruneDone, retryDead, startJobs } from '../../../server/jobs/queue.js';
import { mongooseJobs } from '../../../server/jobs/store.js';
import { transact } from '../../../server/timeline/store.js';
import { limits } from '../../../shared/limits.js';
import { aCompany, withStore } from '../store.js';

withStore();

let names = 0;
const aName = () => `test.${++names}`;
const Payload = v.strictObject({ text: v.string() });
const stateOf = async (workspaceId: string, key: string) =>
  (await JobModel.findOne({ workspaceId, key }).lean())?.state;

describe('a job', () => {
  it('runs with its payload, once for its key, and at once when it is put in', async () => {
    const { scope } = await aCompany();
    const name = aName();
    const seen: string[] = [];
    const runner = startJobs([defineJob(name, Payload, async ({ text }) => void seen.push(text))], {
      report: () => {},
      pollMs: 60_000,
    });
    expect(await enqueue(scope, name, { text: 'one' }, { key: 'k' })).toBe(true);
    expect(await enqueue(scope, name, { text: 'other' }, { key: 'k' })).toBe(false);
    await expect.poll(() => stateOf(scope.workspaceId, 'k')).toBe('done');
    expect(await enqueue(scope, name, { text: 'later' }, { key: 'k' })).toBe(false);
    expect(seen).toEqual(['one']);
    await runner.stop();
  });

  it('stands or falls with the transaction that it is written in', async () => {
    const { scope } = await aCompany();
    const name = aName();
    const write = (fail: boolean) =>
      transact(async (session) => {
        await enqueue(scope, name, {}, { key: 'k', session });
        if (fail) throw new Error('changed my mind');
      });
    await expect(write(true)).rejects.toThrow('changed my mind');
    expect(await stateOf(scope.workspaceId, 'k')).toBeUndefined();
    await write(false);
    await write(false);
    expect(await stateOf(scope.workspaceId, 'k')).toBe('waiting');
  });

  it('that failed for good stands with the dead letters of its workspace, and may be tried again', async () => {
    const [one, two] = [await aCompany(), await aCompany()];
    const { scope } = one;
    const name = aName();
    const problems: JobProblem[] = [];
    let works = false;
    const job = defineJob(
      name,
      Payload,
      async () => {
        if (!works) throw new Error('550 no such mailbox');
      },
      { attempts: 2, backoffMs: 1 },
    );
    const runner = startJobs([job], { report: (problem) => problems.push(problem), pollMs: 20 });
    await enqueue(scope, name, { text: 'x' }, { key: 'k' });
    await enqueue(scope, name, { nonsense: true }, { key: 'malformed' });
    await expect.poll(() => stateOf(scope.workspaceId, 'k')).toBe('dead');
    await expect.poll(() => stateOf(scope.workspaceId, 'malformed')).toBe('dead');
    const dead = await listDead(scope);
    expect(dead.find(({ key }) => key === 'k')).toMatchObject({ attempts: 2, error: '550 no such mailbox' });
    expect(dead.find(({ key }) => key === 'malformed')).toMatchObject({ attempts: 1 });
    expect(await listDead(two.scope)).toEqual([]);
    const id = dead.find(({ key }) => key === 'k')?._id ?? '';
    await expect(retryDead(two.scope, id)).rejects.toMatchObject({ code: 'not_found' });
    works = true;
    await retryDead(scope, id);
    await expect.poll(() => stateOf(scope.workspaceId, 'k')).toBe('done');
    await runner.stop();
  });

  it('is taken by one of many who look at once, and an old holder can settle nothing', async () => {
    const { scope } = await aCompany();
    const name = aName();
    await enqueue(scope, name, {}, { key: 'k' });
    const now = new Date();
    const later = new Date(now.getTime() + 1_000);
    const claims = await Promise.all(
      ['a', 'b', 'c', 'd'].map((holder) => mongooseJobs.claim([name], holder, now, later)),
    );
    const taken = claims.filter((one) => one !== null);
    expect(taken).toHaveLength(1);
    const [first] = taken;
    const second = await mongooseJobs.claim([name], 'e', later, new Date(later.getTime() + 1_000));
    if (!first || !second) throw new Error('It was not taken.');
    expect([first.fence, second.fence]).toEqual([1, 2]);
    expect(await mongooseJobs.renew(first, later)).toBe(false);
    expect(await mongooseJobs.settle(first, { state: 'done', at: now })).toBe(false);
    expect(await mongooseJobs.settle(second, { progress: 0.5 })).toBe(true);
    expect(await mongooseJobs.settle(second, { state: 'done', at: now })).toBe(true);
    expect(await stateOf(scope.workspaceId, 'k')).toBe('done');
  });
});

describe('work that was done', () => {
  it('is forgotten after its days, and what waits or is dead is not', async () => {
    const { scope } = await aCompany();
    const now = new Date();
    const old = new Date(now.getTime() - (limits.jobsKeptDays * 24 * 3_600_000 + 1));
    for (const state of ['done', 'dead', 'waiting'] as const) {
      await enqueue(scope, aName(), {}, { key: state, dueAt: old });
      await JobModel.updateOne({ workspaceId: scope.workspaceId, key: state }, { $set: { state } });
    }
    await enqueue(scope, aName(), {}, { key: 'recent' });
    await JobModel.updateOne({ workspaceId: scope.workspaceId, key: 'recent' }, { $set: { state: 'done' } });
    await pruneDone(now);
    const left = await JobModel.find({ workspaceId: scope.workspaceId }).lean();
    expect(left.map(({ key }) => key).toSorted()).toEqual(['dead', 'recent', 'waiting']);
  });
});
