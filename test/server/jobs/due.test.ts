import { describe, expect, it } from 'vitest';
import type { JobRow } from '../../../server/jobs/model.js';
import { newJob } from '../../../server/jobs/row.js';
import { type JobContext, type JobKind, type Runner, startRunner } from '../../../server/jobs/runner.js';
import { memoryJobs, memoryQueue, virtualWorld } from './memory-jobs.js';

const kind = (run: (context: JobContext) => Promise<void>): JobKind => ({
  name: 'work',
  run: (_payload, context) => run(context),
  attempts: 3,
  backoffMs: 1_000,
  backoffMaxMs: 10_000,
});

/** Processes on one store and one queue; the first of them sweeps. */
function installation(count: number, run: (context: JobContext) => Promise<void>) {
  const world = virtualWorld();
  const store = memoryJobs();
  const queue = memoryQueue(world.ports);
  const looks = { count: 0 };
  const watched = {
    ...store,
    claim: (...args: Parameters<typeof store.claim>) => {
      looks.count += 1;
      return store.claim(...args);
    },
  };
  const runners = Array.from(
    { length: count },
    (_, n): Runner =>
      startRunner({
        store: watched,
        ports: world.ports,
        kinds: [kind(run)],
        holdMs: 30_000,
        queue: { due: queue.open(), lead: async () => n === 0 },
      }),
  );
  let keys = 0;
  const insert = async (inMs = 0): Promise<JobRow> => {
    keys += 1;
    const now = world.ports.now();
    const row = newJob(
      { _id: `job-${keys}`, workspaceId: 'w', name: 'work', key: `key-${keys}`, payload: {} },
      now,
      new Date(now.getTime() + inMs),
    );
    await store.insert(row);
    return row;
  };
  return { world, store, queue, runners, looks, insert };
}

describe('jobs that a queue tells of', () => {
  it('run once each, at their time, by whichever process, and nobody looks into the store', async () => {
    const ran: string[] = [];
    const { world, runners, looks, insert } = installation(2, async ({ jobId }) => void ran.push(jobId));
    runners[0]?.wake([await insert(), await insert(5_000), await insert()]);
    await world.pass(1_000);
    expect(ran.toSorted()).toEqual(['job-1', 'job-3']);
    await world.pass(60_000);
    expect(ran.toSorted()).toEqual(['job-1', 'job-2', 'job-3']);
    expect(looks.count).toBe(0);
  });

  it('wait in the store alone until they are due within ten minutes', async () => {
    const ran: string[] = [];
    const { world, queue, runners, insert } = installation(1, async ({ jobId }) => void ran.push(jobId));
    runners[0]?.wake([await insert(3_600_000)]);
    await world.pass(2_900_000);
    expect(queue.held.size).toBe(0);
    await world.pass(200_000);
    expect(queue.held.size).toBe(1);
    await world.pass(600_000);
    expect(ran).toEqual(['job-1']);
  });

  it('are told again by the sweeper when the queue lost them, or was never told', async () => {
    const ran: string[] = [];
    const { world, queue, runners, insert } = installation(2, async ({ jobId }) => void ran.push(jobId));
    runners[1]?.wake([await insert(5_000)]);
    await insert();
    await world.breathe();
    queue.lose();
    await world.pass(30_000);
    expect(ran.toSorted()).toEqual(['job-1', 'job-2']);
  });

  it('are looked for by each process while the queue is away, and told by it when it is back', async () => {
    const ran: string[] = [];
    const { world, queue, runners, looks, insert } = installation(
      2,
      async ({ jobId }) => void ran.push(jobId),
    );
    queue.setThere(false);
    queue.lose();
    runners[0]?.wake([await insert()]);
    await world.pass(2_000);
    expect(ran).toEqual(['job-1']);
    queue.setThere(true);
    await world.pass(2_000);
    const before = looks.count;
    runners[0]?.wake([await insert()]);
    await world.pass(20_000);
    expect(ran).toEqual(['job-1', 'job-2']);
    expect(looks.count).toBe(before);
  });

  it('are run under one fence, however often they are told', async () => {
    const fences: string[] = [];
    let isFirst = true;
    const { world, queue, runners, insert } = installation(2, async ({ jobId, fence }) => {
      fences.push(`${jobId}#${fence}`);
      if (isFirst) {
        isFirst = false;
        await new Promise<void>((resolve) => world.ports.after(15_000, resolve));
      }
    });
    const row = await insert();
    runners[0]?.wake([row]);
    await world.pass(1_000);
    // The queue forgot that it had told, and tells the other process while the first is at work.
    queue.lose();
    runners[0]?.wake([row]);
    runners[1]?.wake([row]);
    await world.pass(60_000);
    expect(fences).toEqual(['job-1#1']);
  });

  it('that failed are told of again after their back-off', async () => {
    const times: number[] = [];
    const { world, runners, looks, insert } = installation(1, async ({ attempt }) => {
      times.push(attempt);
      if (attempt < 3) throw new Error('not yet');
    });
    runners[0]?.wake([await insert()]);
    await world.pass(8_000);
    expect(times).toEqual([1, 2, 3]);
    expect(looks.count).toBe(0);
  });

  it('of a process that died are told of once its hold is over', async () => {
    const ran: string[] = [];
    const { world, store, insert } = installation(1, async ({ jobId }) => void ran.push(jobId));
    await insert();
    await store.claim(['work'], 'dead', world.ports.now(), new Date(world.ports.now().getTime() + 20_000));
    await world.pass(15_000);
    expect(ran).toEqual([]);
    await world.pass(20_000);
    expect(ran).toEqual(['job-1']);
  });
});
