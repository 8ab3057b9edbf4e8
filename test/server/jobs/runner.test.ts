import { describe, expect, it } from 'vitest';
import type { JobRow } from '../../../server/jobs/model.js';
import type { DueQueue } from '../../../server/jobs/ports.js';
import { newJob } from '../../../server/jobs/row.js';
import { type JobContext, type JobKind, startRunner } from '../../../server/jobs/runner.js';
import { AppError } from '../../../shared/errors.js';
import { type MemoryJobs, memoryJobs, virtualWorld } from './memory-jobs.js';

const job = (id: string, over: Partial<JobRow> = {}): JobRow => ({
  ...newJob({ _id: id, workspaceId: 'w', name: 'work', key: id, payload: {} }, new Date(0)),
  ...over,
});

const kind = (run: (payload: unknown, context: JobContext) => Promise<void>, attempts = 3): JobKind => ({
  name: 'work',
  run,
  attempts,
  backoffMs: 1_000,
  backoffMaxMs: 10_000,
});

/** A runner with nothing said but what it is to do. */
const plainRunner = (world: ReturnType<typeof virtualWorld>, store: MemoryJobs, run: JobKind['run']) =>
  startRunner({ store, ports: world.ports, kinds: [kind(run)] });

/** Asked for a job, it takes a second to give one. */
function slowToClaim({ ports }: ReturnType<typeof virtualWorld>): MemoryJobs {
  const store = memoryJobs();
  return {
    ...store,
    async claim(...args) {
      await new Promise<void>((resolve) => ports.after(1_000, resolve));
      return store.claim(...args);
    },
  };
}

describe('the job runner', () => {
  it('runs what is due, and what is due later at its time', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    const ran: string[] = [];
    await store.insert(job('now'));
    await store.insert(job('later', { dueAt: new Date(world.ports.now().getTime() + 5_000) }));
    const runner = plainRunner(world, store, async (_payload, { jobId }) => void ran.push(jobId));
    await world.pass(4_000);
    expect(ran).toEqual(['now']);
    await world.pass(3_000);
    expect(ran).toEqual(['now', 'later']);
    expect([...store.rows.values()].map((row) => row.state)).toEqual(['done', 'done']);
    await runner.stop();
  });

  it('waits longer after each failure, and keeps what failed for good where it is seen', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    const times: number[] = [];
    await store.insert(job('a'));
    const start = world.ports.now().getTime();
    const runner = startRunner({
      store,
      ports: world.ports,
      pollMs: 50,
      kinds: [
        kind(async () => {
          times.push(world.ports.now().getTime() - start);
          throw new Error('The mail server\nsaid no.');
        }),
      ],
    });
    await world.pass(60_000);
    expect(times).toHaveLength(3);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThan((times[1] ?? 0) - (times[0] ?? 0));
    expect(store.rows.get('a')).toMatchObject({
      state: 'dead',
      attempts: 3,
      error: 'The mail server said no.',
    });
    expect(world.problems.map((one) => one.what)).toEqual(['attempt_failed', 'attempt_failed', 'dead']);
    await runner.stop();
  });

  it('runs no more at once than it may, told of one job while it still asks for another', async () => {
    const world = virtualWorld();
    const store = slowToClaim(world);
    for (const id of ['asked for', 'told of']) await store.insert(job(id));
    let tell: Parameters<DueQueue['take']>[1] = async () => {};
    let isThere = false;
    const due: DueQueue = {
      isThere: () => isThere,
      put: async () => {},
      take: (_concurrency, run) => {
        tell = run;
      },
      close: async () => {},
    };
    let running = 0;
    let most = 0;
    const runner = startRunner({
      store,
      ports: world.ports,
      concurrency: 1,
      kinds: [
        kind(async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise<void>((resolve) => world.ports.after(5_000, resolve));
          running -= 1;
        }),
      ],
      queue: { due, lead: async () => false },
    });
    await world.pass(500);
    isThere = true;
    void tell(job('told of'));
    await world.pass(20_000);
    expect(most).toBe(1);
    await runner.stop();
  });

  it('ends what it is being given in the moment in which it is told to stop, before it has stopped', async () => {
    const world = virtualWorld();
    const store = slowToClaim(world);
    for (const id of ['a', 'b']) await store.insert(job(id));
    const ran: string[] = [];
    const runner = plainRunner(world, store, async (_payload, { jobId }) => void ran.push(jobId));
    await world.pass(500);
    const stopped = runner.stop().then(() => ran.push('stopped'));
    await world.pass(20_000);
    await stopped;
    expect(ran).toEqual(['a', 'stopped']);
    expect([...store.rows.values()].map(({ state, attempts }) => [state, attempts])).toEqual([
      ['done', 1],
      ['waiting', 0],
    ]);
  });

  it('says nothing of its own of a failed attempt whose job another process holds by now', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    await store.insert(job('a'));
    const runner = plainRunner(world, store, async () => {
      const row = store.rows.get('a');
      if (row) row.fence += 1;
      throw new Error('Too late.');
    });
    await world.pass(1_000);
    expect(world.problems.map(({ what }) => what)).toEqual(['fenced_out']);
    await runner.stop();
  });

  it('does not try again what can never succeed by itself', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    await store.insert(job('a'));
    const runner = plainRunner(world, store, async () => {
      throw new AppError('forbidden');
    });
    await world.pass(10);
    expect(store.rows.get('a')).toMatchObject({ state: 'dead', attempts: 1 });
    await runner.stop();
  });

  it('keeps a long job by signs of life, so that nobody else takes it', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    let finish: () => void = () => {};
    let runs = 0;
    await store.insert(job('a'));
    const slow = kind(() => {
      runs += 1;
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const options = { store, ports: world.ports, kinds: [slow], holdMs: 3_000 };
    const [one, two] = [startRunner(options), startRunner(options)];
    await world.pass(30_000);
    expect(runs).toBe(1);
    finish();
    await world.pass(10);
    expect(store.rows.get('a')).toMatchObject({ state: 'done', attempts: 1 });
    await Promise.all([one.stop(), two.stop()]);
  });

  it('gives a silent holder’s job to another, tells the first to stop, and ignores what it says afterwards', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    await store.insert(job('a'));
    const finish: (() => void)[] = [];
    const signals: AbortSignal[] = [];
    const slow = kind((_payload, { signal }) => {
      signals.push(signal);
      return new Promise<void>((resolve) => finish.push(resolve));
    });
    // The first process is paused: its timers do not run while the world's go on.
    const paused: (() => void)[] = [];
    let isPaused = false;
    const first = startRunner({
      store,
      ports: {
        ...world.ports,
        after: (delayMs, task) =>
          world.ports.after(delayMs, () => (isPaused ? void paused.push(task) : task())),
      },
      kinds: [slow],
      holdMs: 3_000,
    });
    await world.pass(100);
    isPaused = true;
    const second = startRunner({ store, ports: world.ports, kinds: [slow], holdMs: 3_000 });
    await world.pass(10_000);
    expect(finish).toHaveLength(2);
    isPaused = false;
    for (const task of paused.splice(0)) task();
    await world.pass(10);
    expect(signals[0]?.aborted).toBe(true);
    expect(signals[1]?.aborted).toBe(false);
    finish[0]?.();
    await world.pass(10);
    expect(store.rows.get('a')).toMatchObject({ state: 'running', fence: 2 });
    expect(world.problems.map((one) => one.what)).toContain('fenced_out');
    finish[1]?.();
    await world.pass(10);
    expect(store.rows.get('a')).toMatchObject({ state: 'done', attempts: 2 });
    await Promise.all([first.stop(), second.stop()]);
  });

  it('lets a holder that stood still learn, before what cannot be taken back, that it was given up', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    await store.insert(job('a'));
    const contexts: JobContext[] = [];
    const finish: (() => void)[] = [];
    const slow = kind((_payload, context) => {
      contexts.push(context);
      return new Promise<void>((resolve) => finish.push(resolve));
    });
    // The first process never gives a sign of life.
    const still = { ...world.ports, after: () => () => {} };
    const first = startRunner({ store, ports: still, kinds: [slow], holdMs: 3_000 });
    await world.pass(100);
    await contexts[0]?.confirmHold();
    const second = startRunner({ store, ports: world.ports, kinds: [slow], holdMs: 3_000 });
    await world.pass(10_000);
    expect(contexts).toHaveLength(2);
    await expect(contexts[0]?.confirmHold()).rejects.toThrow('Another process');
    expect(contexts[0]?.signal.aborted).toBe(true);
    await contexts[1]?.confirmHold();
    expect(contexts[1]?.signal.aborted).toBe(false);
    for (const end of finish) end();
    await world.pass(10);
    await Promise.all([first.stop(), second.stop()]);
  });

  it('goes on after the store was away', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    let away = true;
    const claim = store.claim;
    store.claim = (...given) => (away ? Promise.reject(new AppError('store_unavailable')) : claim(...given));
    await store.insert(job('a'));
    const runner = startRunner({ store, ports: world.ports, kinds: [kind(async () => {})] });
    await world.pass(5_000);
    away = false;
    await world.pass(2_000);
    expect(store.rows.get('a')?.state).toBe('done');
    await runner.stop();
  });

  it('runs no more at once than it may', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    let most = 0;
    let now = 0;
    for (let index = 0; index < 20; index += 1) await store.insert(job(`j${index}`));
    const runner = startRunner({
      store,
      ports: world.ports,
      concurrency: 3,
      kinds: [
        kind(async () => {
          now += 1;
          most = Math.max(most, now);
          await world.breathe();
          now -= 1;
        }),
      ],
    });
    for (let round = 0; round < 40; round += 1) await world.pass(1);
    expect(most).toBe(3);
    expect([...store.rows.values()].every((row) => row.state === 'done')).toBe(true);
    await runner.stop();
  });

  it('gives up what ended its process in every attempt, and says so', async () => {
    const world = virtualWorld();
    const store = memoryJobs();
    let runs = 0;
    const killer = kind(async () => {
      runs += 1;
    });
    await store.insert({
      ...job('a'),
      state: 'running',
      attempts: killer.attempts,
      heldUntil: new Date(world.ports.now().getTime() - 1),
    });
    const runner = startRunner({ store, ports: world.ports, kinds: [killer] });
    await world.pass(2_000);
    expect(runs).toBe(0);
    expect(store.rows.get('a')).toMatchObject({ state: 'dead', error: 'No attempt came to an end.' });
    expect(world.problems).toMatchObject([{ what: 'dead' }]);
    await runner.stop();
  });
});
