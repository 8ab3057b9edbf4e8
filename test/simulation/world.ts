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
  /** Every third run has the bounds that the product has when nobody says otherwise. */
  isPlain: boolean;
  /** What tells servers of due jobs, in every other run; null: they look into the store. */
  queue: ReturnType<typeof memoryQueue> | null;
  clients: SimClient[];
  /** Null while it is down. */
  servers: (SimServer | null)[];
  storeAwayUntil: number;
  mailAwayUntil: number;
  /** No more faults: the rest of the run shows that all come to the same. */
  isHealed: boolean;
  oracle: Oracle;
  /** How much work each process has in hand; what a dead one had is never done. */
  working: Map<Owner, number>;
  /** How often somebody had a dead letter tried again. */
  mended: Map<string, number>;
  /** How often each fault and each rare state was really reached. */
  hits: Map<string, number>;
  hit(name: string): void;
  /** A draw in percent; never once healed. */
  strikes(percent: number, name: string): boolean;
  /** What happened, line by line, when somebody asked for it. */
  trace: string[] | null;
  note(who: string, what: string): void;
  newId(): string;
  /** Links the group of one head to another's, once the event that says so stands. */
  merge(headId: string, mergedId: string, mergeId: string): void;
  /** Another text once anything that a reader might see has changed. */
  standsAs(): string;
}

/** Where virtual time begins on the wall. */
export const epoch = Date.UTC(2026, 2, 1);

export function createWorld(schedule: Schedule, trace: string[] | null): World {
  const kernel = createKernel(schedule.seed);
  let ids = 0;
  let merges = 0;
  const draws = new Map<string, () => number>();
  const world: World = {
    schedule,
    kernel,
    outside: owner('outside'),
    store: memoryStore(),
    jobs: memoryJobs(),
    leases: memoryLeases(),
    isPlain: schedule.seed % 3 === 2,
    queue: null,
    clients: [],
    servers: [],
    storeAwayUntil: 0,
    mailAwayUntil: 0,
    isHealed: false,
    oracle: createOracle(() => world),
    working: new Map(),
    mended: new Map(),
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
    merge(headId, mergedId, mergeId) {
      const { contacts } = world.store;
      world.oracle.merges(headId, mergedId);
      for (const [key, contact] of contacts) {
        if (contact.id === headId) contacts.set(key, { ...contact, lastMergeId: mergeId });
        else if (contact.headId === mergedId) contacts.set(key, { ...contact, headId });
      }
      merges += 1;
      world.oracle.merges(headId, mergedId);
      world.hit('contacts merged');
    },
    standsAs: () => `${world.store.commits} ${world.store.moved.size} ${merges}`,
  };
  if (schedule.seed % 4 < 2) {
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
