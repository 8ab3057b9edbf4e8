import type { ClientSession } from 'mongoose';
import type { JobRow } from '../../../server/jobs/model.js';
import type {
  DueQueue,
  JobPorts,
  JobProblem,
  JobShelf,
  JobStore,
  Lease,
  LeaseStore,
} from '../../../server/jobs/ports.js';

/** The jobs' ports in memory. Held to the mongoose sides by store.contract.test.ts. */
export interface MemoryJobs extends JobStore, JobShelf {
  rows: Map<string, JobRow>;
  /** What is inserted with its session stands when `work` resolves, or not at all. */
  transact(work: (session: ClientSession) => Promise<void>): Promise<void>;
}

export function memoryJobs(): MemoryJobs {
  const rows = new Map<string, JobRow>();
  const pending = new Map<object, JobRow[]>();
  const isSame = (a: Pick<JobRow, 'workspaceId' | 'name' | 'key'>) => (b: JobRow) =>
    a.workspaceId === b.workspaceId && a.name === b.name && a.key === b.key;
  const change = (job: JobRow, set: Partial<JobRow>): boolean => {
    const row = rows.get(job._id);
    if (row?.state !== 'running' || row.fence !== job.fence) return false;
    Object.assign(row, set);
    return true;
  };
  const isLeft = (row: JobRow, now: Date): boolean =>
    row.state === 'running' && row.heldUntil !== null && row.heldUntil <= now;
  const isDue = (row: JobRow, now: Date): boolean =>
    row.state === 'waiting' ? row.dueAt <= now : isLeft(row, now);
  const take = (row: JobRow, holder: string, heldUntil: Date): JobRow => {
    const { attempts, fence } = row;
    Object.assign(row, { state: 'running', holder, heldUntil, attempts: attempts + 1, fence: fence + 1 });
    return { ...row };
  };
  /** The longest due first. */
  const those = (is: (row: JobRow) => boolean): JobRow[] =>
    [...rows.values()].filter(is).toSorted((a, b) => a.dueAt.getTime() - b.dueAt.getTime());
  const revive = (row: JobRow, dueAt: Date): JobRow =>
    Object.assign(row, { state: 'waiting', dueAt, attempts: 0, error: null, finishedAt: null });

  return {
    rows,
    async insert(row, session) {
      const inside = session && pending.get(session);
      if ([...rows.values(), ...(inside ?? [])].some(isSame(row))) return false;
      if (inside) inside.push({ ...row });
      else rows.set(row._id, { ...row });
      return true;
    },
    async transact(work) {
      const session = {} as ClientSession;
      const inside: JobRow[] = [];
      pending.set(session, inside);
      await work(session).finally(() => pending.delete(session));
      for (const row of inside) rows.set(row._id, row);
    },
    async claim(names, holder, now, heldUntil) {
      const known = ({ name }: JobRow): boolean => names.includes(name);
      const [waiting] = those((row) => known(row) && row.state === 'waiting' && isDue(row, now));
      const [left] = those((row) => known(row) && isLeft(row, now));
      const due = waiting ?? left;
      return due ? take(due, holder, heldUntil) : null;
    },
    async claimOne(job, holder, now, heldUntil) {
      const row = [...rows.values()].find(isSame(job));
      return row && isDue(row, now) ? take(row, holder, heldUntil) : null;
    },
    async due(names, now, before, limit) {
      const known = ({ name }: JobRow): boolean => names.includes(name);
      const waiting = those((row) => known(row) && row.state === 'waiting' && row.dueAt <= before);
      const left = those((row) => known(row) && isLeft(row, now));
      return [...waiting.slice(0, limit), ...left.slice(0, limit)].map(
        ({ workspaceId, name, key, dueAt, attempts }) => ({ workspaceId, name, key, dueAt, attempts }),
      );
    },
    renew: async (job, heldUntil) => change(job, { heldUntil }),
    async settle(job, settlement) {
      if ('progress' in settlement) return change(job, { progress: settlement.progress });
      const released = { holder: null, heldUntil: null, state: settlement.state };
      if (settlement.state === 'waiting') {
        const { dueAt, error } = settlement;
        return change(job, { ...released, dueAt, error });
      }
      const finished = { ...released, finishedAt: settlement.at };
      if (settlement.state === 'dead') return change(job, { ...finished, error: settlement.error });
      return change(job, { ...finished, error: null, progress: 1 });
    },
    countIn: async (state, atMost) => Math.min(atMost, those((row) => row.state === state).length),
    longestDue: async (now) => those((row) => row.state === 'waiting' && row.dueAt <= now)[0]?.dueAt ?? null,
    async dead(workspaceId, limit) {
      const found = those((row) => row.workspaceId === workspaceId && row.state === 'dead');
      return found
        .toReversed()
        .slice(0, limit)
        .map(({ _id, name, key, attempts, error, finishedAt }) => ({
          _id,
          name,
          key,
          attempts,
          error,
          finishedAt,
        }));
    },
    async revive(workspaceId, jobId, at) {
      const row = rows.get(jobId);
      if (row?.workspaceId !== workspaceId || row.state !== 'dead') return null;
      return { ...revive(row, at) };
    },
    async reviveAll(workspaceId, at) {
      const found = those((row) => row.workspaceId === workspaceId && row.state === 'dead');
      for (const row of found) revive(row, at);
      return found.length;
    },
    async forgetDone(before) {
      for (const { _id } of those((row) => row.state === 'done' && row.dueAt < before)) rows.delete(_id);
    },
  };
}

export function memoryLeases(): LeaseStore {
  const rows = new Map<string, { holder: string; until: Date; fence: number }>();
  const held = ({ name, holder, fence }: Lease) => {
    const row = rows.get(name);
    return row?.holder === holder && row.fence === fence ? row : undefined;
  };
  return {
    async take(name, holder, now, until) {
      const row = rows.get(name);
      if (row && row.holder !== holder && row.until > now) return null;
      const fence = (row?.fence ?? 0) + 1;
      rows.set(name, { holder, until, fence });
      return { name, holder, fence };
    },
    async renew(lease, until) {
      const row = held(lease);
      if (row) row.until = until;
      return row !== undefined;
    },
    async release(lease) {
      const row = held(lease);
      if (row) row.until = new Date(0);
    },
  };
}

/** The queue in memory, on a world's clock. It forgets what it told, and can lose all that it holds. */
export function memoryQueue({ now, after }: Pick<JobPorts, 'now' | 'after'>) {
  const held = new Map<string, () => void>();
  const takers: Parameters<DueQueue['take']>[1][] = [];
  let isThere = true;
  let turn = 0;
  return {
    held,
    lose() {
      for (const cancel of held.values()) cancel();
      held.clear();
    },
    setThere(there: boolean) {
      isThere = there;
    },
    /** The same queue, as one process has it. */
    open(): DueQueue {
      let own: (typeof takers)[number] | undefined;
      return {
        isThere: () => isThere,
        async put(jobs) {
          if (!isThere) throw new Error('The queue is away.');
          for (const job of jobs) {
            const id = `${job.name} ${job.key} ${job.attempts}`;
            if (held.has(id)) continue;
            const cancel = after(Math.max(0, job.dueAt.getTime() - now().getTime()), () => {
              held.delete(id);
              void takers[turn++ % takers.length]?.(job);
            });
            held.set(id, cancel);
          }
        },
        take(_concurrency, run) {
          own = run;
          takers.push(run);
        },
        async close() {
          if (own) takers.splice(takers.indexOf(own), 1);
          // Closed once more, it takes nobody else's.
          own = undefined;
        },
      };
    },
  };
}

/** A clock that moves only when it is told to, and the timers on it. */
export function virtualWorld() {
  let now = Date.UTC(2026, 2, 1);
  let ids = 0;
  let timers: { at: number; task: () => void }[] = [];
  const problems: JobProblem[] = [];
  const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));
  const ports: JobPorts = {
    now: () => new Date(now),
    newId: () => `id-${++ids}`,
    random: () => 0.5,
    after: (delayMs, task) => {
      const timer = { at: now + delayMs, task };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    report: (problem) => problems.push(problem),
  };
  return {
    ports,
    problems,
    breathe,
    /** Lets `ms` pass, each timer at its time. */
    async pass(ms: number) {
      const end = now + ms;
      await breathe();
      for (;;) {
        const next = timers.toSorted((a, b) => a.at - b.at)[0];
        if (!next || next.at > end) break;
        now = Math.max(now, next.at);
        timers = timers.filter((one) => one !== next);
        next.task();
        await breathe();
      }
      now = end;
      await breathe();
    },
  };
}
