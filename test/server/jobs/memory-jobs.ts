import type { JobRow } from '../../../server/jobs/model.js';
import type { DueQueue, JobPorts, JobProblem, JobStore } from '../../../server/jobs/ports.js';

/** The runner's store in memory. */
export function memoryJobs(): JobStore & { rows: Map<string, JobRow> } {
  const rows = new Map<string, JobRow>();
  const change = (job: JobRow, set: (row: JobRow) => void): boolean => {
    const row = rows.get(job._id);
    if (row?.state !== 'running' || row.fence !== job.fence) return false;
    set(row);
    return true;
  };
  const isDue = (row: JobRow, now: Date): boolean =>
    row.state === 'waiting' ? row.dueAt <= now : row.state === 'running' && (row.heldUntil ?? now) <= now;
  const take = (row: JobRow, holder: string, heldUntil: Date): JobRow => {
    Object.assign(row, { state: 'running', holder, heldUntil });
    row.attempts += 1;
    row.fence += 1;
    return { ...row };
  };
  return {
    rows,
    async insert(row) {
      const same = [...rows.values()].some(
        (one) => one.workspaceId === row.workspaceId && one.name === row.name && one.key === row.key,
      );
      if (same) return false;
      rows.set(row._id, { ...row });
      return true;
    },
    async claim(names, holder, now, heldUntil) {
      const due = [...rows.values()]
        .filter((row) => names.includes(row.name))
        .filter((row) => isDue(row, now))
        .toSorted((a, b) => a.dueAt.getTime() - b.dueAt.getTime())[0];
      return due ? take(due, holder, heldUntil) : null;
    },
    async claimOne({ workspaceId, name, key }, holder, now, heldUntil) {
      const row = [...rows.values()].find(
        (one) => one.workspaceId === workspaceId && one.name === name && one.key === key,
      );
      if (!row || !isDue(row, now)) return null;
      return take(row, holder, heldUntil);
    },
    async due(names, now, before, limit) {
      const known = [...rows.values()].filter((row) => names.includes(row.name));
      return known
        .filter((row) => (row.state === 'waiting' ? row.dueAt <= before : isDue(row, now)))
        .toSorted((a, b) => a.dueAt.getTime() - b.dueAt.getTime())
        .slice(0, limit)
        .map((row) => ({ ...row }));
    },
    async renew(job, heldUntil) {
      return change(job, (row) => {
        row.heldUntil = heldUntil;
      });
    },
    async settle(job, settlement) {
      return change(job, (row) => {
        if ('progress' in settlement) row.progress = settlement.progress;
        else if (settlement.state === 'waiting') {
          Object.assign(row, {
            state: 'waiting',
            dueAt: settlement.dueAt,
            error: settlement.error,
            holder: null,
          });
        } else {
          Object.assign(row, { state: settlement.state, finishedAt: settlement.at, holder: null });
          if (settlement.state === 'dead') row.error = settlement.error;
        }
      });
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
