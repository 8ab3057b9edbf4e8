import type { LeaseStore } from '../../server/jobs/ports.js';
import { newJob } from '../../server/jobs/row.js';
import { memoryJobs, memoryLeases, memoryQueue } from '../server/jobs/memory-jobs.js';
import { type MemoryStore, memoryStore, type Written } from '../server/timeline/memory-store.js';
import type { SimClient } from './client.js';
import { createKernel, type Kernel, type Owner, owner } from './kernel.js';
import { createOracle, type Oracle } from './oracle.js';
import type { Schedule } from './schedule.js';
import type { SimServer } from './server.js';

export const workspaceId = 'w';
export const inboxId = 'inbox';

/** Everything outside the shipped code, of one run. */
export interface World {
  schedule: Schedule;
  kernel: Kernel;
  /** The network, the store and the operator: who never die. */
  outside: Owner;
  store: MemoryStore;
  jobs: ReturnType<typeof memoryJobs>;
  leases: LeaseStore;
  /** What tells servers of due jobs, in every fourth run; null: they look into the store. */
  queue: ReturnType<typeof memoryQueue> | null;
  clients: SimClient[];
  /** Null while it is down. */
  servers: (SimServer | null)[];
  storeAwayUntil: number;
  mailAwayUntil: number;
  /** No more faults: the rest of the run shows that all come to the same. */
  isHealed: boolean;
  oracle: Oracle;
  /** How often each fault and each rare state was really reached. */
  hits: Map<string, number>;
  hit(name: string): void;
  /** A draw in percent; never once healed. */
  strikes(percent: number, name: string): boolean;
  /** What happened, line by line, when somebody asked for it. */
  trace: string[] | null;
  note(who: string, what: string): void;
  newId(): string;
}

/** Where virtual time begins on the wall. */
export const epoch = Date.UTC(2026, 2, 1);

export function createWorld(schedule: Schedule, trace: string[] | null): World {
  const kernel = createKernel(schedule.seed);
  let ids = 0;
  const draws = new Map<string, () => number>();
  const world: World = {
    schedule,
    kernel,
    outside: owner('outside'),
    store: memoryStore(),
    jobs: memoryJobs(),
    leases: memoryLeases(),
    queue: null,
    clients: [],
    servers: [],
    storeAwayUntil: 0,
    mailAwayUntil: 0,
    isHealed: false,
    oracle: createOracle(() => world),
    hits: new Map(),
    hit: (name) => world.hits.set(name, (world.hits.get(name) ?? 0) + 1),
    strikes(percent, name) {
      if (world.isHealed || percent === 0) return false;
      const draw = draws.get(name) ?? kernel.random(name);
      draws.set(name, draw);
      const isStruck = draw() * 100 < percent;
      if (isStruck) world.hit(name.replace(/[:#].*/, ''));
      return isStruck;
    },
    trace,
    note: (who, what) =>
      trace?.push(`${String(kernel.now.toFixed(1)).padStart(10)}  ${who.padEnd(12)} ${what}`),
    newId: () => `id-${++ids}`,
  };
  if (schedule.seed % 4 === 1) {
    world.queue = memoryQueue({
      now: () => new Date(epoch + kernel.now),
      after: (ms, task) => kernel.after(world.outside, ms, task),
    });
  }
  world.store.numbers.set(workspaceId, 0);
  return world;
}

/** The commit itself: what stands in the store from here on. */
export function committed(world: World, written: Written): void {
  for (const job of written.jobs) {
    const _id = world.newId();
    world.jobs.rows.set(_id, newJob({ ...job, _id }, written.now));
  }
  world.oracle.committed(written);
}
