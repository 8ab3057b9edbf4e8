import { afterEach, describe, expect, it } from 'vitest';
import { mongooseLeases } from '../../../server/jobs/leases.js';
import { JobModel, type JobRow } from '../../../server/jobs/model.js';
import type { LeaseStore } from '../../../server/jobs/ports.js';
import { newJob } from '../../../server/jobs/row.js';
import { mongooseJobs } from '../../../server/jobs/store.js';
import { newId } from '../../../server/store/id.js';
import { transact } from '../../../server/timeline/store.js';
import { withStore } from '../store.js';
import { type MemoryJobs, memoryJobs, memoryLeases } from './memory-jobs.js';

withStore();

/** Both sides of the ports keep the same promises: what is proved over jobs in memory holds for the real store. */
const sides: [string, () => Omit<MemoryJobs, 'rows'>, () => LeaseStore][] = [
  ['in memory', memoryJobs, memoryLeases],
  [
    'mongoose',
    () => ({ ...mongooseJobs, transact: (work) => transact(async (session) => work(session)) }),
    () => mongooseLeases,
  ],
];

afterEach(async () => {
  await JobModel.deleteMany({});
});

const start = Date.UTC(2026, 2, 1);
const at = (seconds: number): Date => new Date(start + seconds * 1_000);
let made = 0;
const aJob = (over: Partial<JobRow> = {}): JobRow => ({
  ...newJob({ _id: newId(), workspaceId: 'w', name: 'mail', key: `k${++made}`, payload: { n: made } }, at(0)),
  ...over,
});
const nameOf = ({ workspaceId, name, key, dueAt, attempts }: JobRow) => ({
  workspaceId,
  name,
  key,
  dueAt,
  attempts,
});

describe.each(sides)('the store of jobs %s', (_side, make) => {
  async function open(...rows: JobRow[]) {
    const store = make();
    for (const row of rows) expect(await store.insert(row)).toBe(true);
    return store;
  }

  it('keeps one row for a workspace, name and key', async () => {
    const one = aJob();
    const store = await open(one);
    const same = () => aJob({ key: one.key, payload: 'other' });
    expect(await store.insert(same())).toBe(false);
    const racing = aJob();
    const racers = [racing, { ...racing, _id: newId() }].map((row) => store.insert(row));
    expect((await Promise.all(racers)).toSorted()).toEqual([false, true]);
    expect(await store.insert({ ...same(), name: 'other' })).toBe(true);
    expect(await store.insert({ ...same(), workspaceId: 'x' })).toBe(true);
  });

  it('keeps a row with the transaction that it was written in, or not at all', async () => {
    const one = aJob();
    const store = await open();
    const write = (fails: boolean) =>
      store.transact(async (session) => {
        await store.insert(one, session);
        expect(await store.insert({ ...one, _id: newId() }, session)).toBe(false);
        if (fails) throw new Error('changed my mind');
      });
    await expect(write(true)).rejects.toThrow('changed my mind');
    expect(await store.claim(['mail'], 'a', at(1), at(9))).toBeNull();
    await write(false);
    expect(await store.claim(['mail'], 'a', at(1), at(9))).toMatchObject({ _id: one._id });
  });

  it('gives the longest due of these names to one holder, each time under a higher fence', async () => {
    const [late, early, other, future] = [
      aJob({ dueAt: at(5) }),
      aJob({ dueAt: at(2) }),
      aJob({ name: 'other', dueAt: at(1) }),
      aJob({ dueAt: at(50) }),
    ];
    const store = await open(late, early, other, future);
    const taken = await Promise.all(
      ['a', 'b', 'c'].map((holder) => store.claim(['mail'], holder, at(10), at(40))),
    );
    expect(taken.map((row) => row?._id).toSorted()).toEqual([early._id, late._id, undefined].toSorted());
    const first = taken.find((row) => row?._id === early._id);
    expect(first).toEqual({
      ...early,
      state: 'running',
      holder: first?.holder,
      heldUntil: at(40),
      attempts: 1,
      fence: 1,
    });
    expect(await store.claim(['mail'], 'd', at(39), at(60))).toBeNull();
    // What waits comes before what somebody left, however long ago.
    expect(await store.claim(['mail'], 'd', at(50), at(90))).toMatchObject({ _id: future._id });
    expect(await store.claim(['mail'], 'd', at(50), at(90))).toMatchObject({ _id: early._id, fence: 2 });
  });

  it('gives one job by its name only while it is due and nobody’s', async () => {
    const one = aJob({ dueAt: at(5) });
    const store = await open(one, aJob());
    expect(await store.claimOne(one, 'a', at(4), at(20))).toBeNull();
    expect(await store.claimOne({ ...one, workspaceId: 'x' }, 'a', at(6), at(20))).toBeNull();
    const tries = await Promise.all(['a', 'b'].map((holder) => store.claimOne(one, holder, at(6), at(20))));
    expect(tries.filter((row) => row?._id === one._id)).toHaveLength(1);
    expect(await store.claimOne(one, 'c', at(19), at(40))).toBeNull();
    const again = await store.claimOne(one, 'c', at(20), at(40));
    expect(again).toMatchObject({ attempts: 2, fence: 2, holder: 'c' });
    if (again) await store.settle(again, { state: 'done', at: at(21) });
    expect(await store.claimOne(one, 'd', at(99), at(120))).toBeNull();
  });

  it('lists what waits and what was left, by name alone', async () => {
    const [left, soon, later, second] = [
      aJob({ dueAt: at(1) }),
      aJob({ dueAt: at(3) }),
      aJob({ dueAt: at(30) }),
      aJob({ dueAt: at(2) }),
    ];
    const store = await open(left);
    await store.claim(['mail'], 'a', at(1), at(5));
    for (const row of [soon, later, second]) await store.insert(row);
    const names = async (...given: Parameters<typeof store.due>) =>
      (await store.due(...given)).map(({ key }) => key);
    expect(await names(['mail'], at(4), at(10), 9)).toEqual([second.key, soon.key]);
    expect(await store.due(['mail'], at(5), at(10), 1)).toEqual([
      nameOf(second),
      { ...nameOf(left), attempts: 1 },
    ]);
    expect(await names(['other'], at(5), at(10), 9)).toEqual([]);
  });

  it('writes nothing under an old fence', async () => {
    const store = await open(aJob());
    const first = await store.claim(['mail'], 'a', at(1), at(2));
    const second = await store.claim(['mail'], 'b', at(3), at(9));
    if (!first || !second) throw new Error('It was not taken.');
    expect(await store.renew(first, at(20))).toBe(false);
    expect(await store.settle(first, { progress: 0.5 })).toBe(false);
    expect(await store.settle(first, { state: 'done', at: at(4) })).toBe(false);
    expect(await store.settle(first, { state: 'waiting', dueAt: at(4), error: 'x' })).toBe(false);
    expect(await store.renew(second, at(20))).toBe(true);
    expect(await store.claim(['mail'], 'c', at(10), at(30))).toBeNull();
    expect(await store.settle(second, { progress: 0.5 })).toBe(true);
    expect(await store.settle(second, { state: 'waiting', dueAt: at(40), error: 'no answer' })).toBe(true);
    expect(await store.renew(second, at(50))).toBe(false);
    const third = await store.claim(['mail'], 'c', at(40), at(60));
    expect(third).toMatchObject({ attempts: 3, fence: 3, progress: 0.5, error: 'no answer' });
    if (third) expect(await store.settle(third, { state: 'done', at: at(41) })).toBe(true);
    expect(await store.claim(['mail'], 'd', at(99), at(120))).toBeNull();
  });

  it('keeps what failed for good until it is given all its attempts again', async () => {
    const [one, two, theirs] = [
      aJob({ dueAt: at(1) }),
      aJob({ dueAt: at(2) }),
      aJob({ workspaceId: 'x', dueAt: at(3) }),
    ];
    const store = await open(one, two, theirs);
    for (let n = 0; n < 3; n += 1) {
      const job = await store.claim(['mail'], 'a', at(9), at(20));
      if (job) await store.settle(job, { state: 'dead', at: at(10), error: 'gone' });
    }
    expect(await store.claim(['mail'], 'a', at(99), at(120))).toBeNull();
    expect(await store.dead('w', 9)).toEqual(
      [two, one].map(({ _id, name, key }) => ({
        _id,
        name,
        key,
        attempts: 1,
        error: 'gone',
        finishedAt: at(10),
      })),
    );
    expect((await store.dead('w', 1)).map(({ key }) => key)).toEqual([two.key]);
    expect(await store.countIn('dead', 9)).toBe(3);
    expect(await store.countIn('dead', 2)).toBe(2);
    expect(await store.revive('w', theirs._id, at(11))).toBeNull();
    expect(await store.revive('w', one._id, at(11))).toMatchObject({
      _id: one._id,
      state: 'waiting',
      dueAt: at(11),
      attempts: 0,
      error: null,
      finishedAt: null,
    });
    expect(await store.revive('w', one._id, at(12))).toBeNull();
    expect(await store.reviveAll('w', at(13))).toBe(1);
    expect(await store.claim(['mail'], 'b', at(11), at(20))).toMatchObject({
      _id: one._id,
      attempts: 1,
      fence: 2,
    });
  });

  it('says since when work has been due, and forgets what is done', async () => {
    const [done, waits] = [aJob({ dueAt: at(1) }), aJob({ dueAt: at(2) })];
    const store = await open(done, waits);
    expect(await store.longestDue(at(0))).toBeNull();
    expect(await store.longestDue(at(9))).toEqual(at(1));
    const job = await store.claim(['mail'], 'a', at(9), at(20));
    if (job) await store.settle(job, { state: 'done', at: at(10) });
    expect(await store.longestDue(at(9))).toEqual(at(2));
    await store.forgetDone(at(1));
    expect(await store.insert({ ...done, _id: newId() })).toBe(false);
    await store.forgetDone(at(50));
    expect(await store.countIn('done', 9)).toBe(0);
    expect(await store.countIn('waiting', 9)).toBe(1);
  });
});

describe.each(sides)('leases %s', (_side, _jobs, make) => {
  it('are one holder’s each, with a fence that grows with each', async () => {
    const leases = make();
    const name = newId();
    const takes = await Promise.all(
      ['a', 'b', 'c'].map((holder) => leases.take(name, holder, at(0), at(10))),
    );
    const [first, ...others] = takes.filter((lease) => lease !== null);
    expect(others).toEqual([]);
    if (!first) throw new Error('Nobody has it.');
    expect(first).toMatchObject({ name, fence: 1 });
    expect(await leases.renew(first, at(20))).toBe(true);
    expect(await leases.take(name, 'late', at(19), at(40))).toBeNull();
    const second = await leases.take(name, 'late', at(20), at(40));
    expect(second?.fence).toBe(2);
    expect(await leases.renew(first, at(60))).toBe(false);
    await leases.release(first);
    expect(await leases.take(name, 'third', at(21), at(60))).toBeNull();
    // Whoever has it may take it again.
    const again = await leases.take(name, 'late', at(22), at(60));
    expect(again?.fence).toBe(3);
    if (second) expect(await leases.renew(second, at(70))).toBe(false);
    if (again) await leases.release(again);
    expect((await leases.take(name, 'third', at(23), at(60)))?.fence).toBe(4);
  });
});
