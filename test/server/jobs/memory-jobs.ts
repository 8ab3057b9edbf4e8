import type { JobRow } from '../../../server/jobs/model.js';
import type { JobPorts, JobProblem, JobStore } from '../../../server/jobs/ports.js';

/** The runner's store in memory. */
export function memoryJobs(): JobStore & { rows: Map<string, JobRow> } {
  const rows = new Map<string, JobRow>();
  const change = (job: JobRow, set: (row: JobRow) => void): boolean => {
    const row = rows.get(job._id);
    if (row?.state !== 'running' || row.fence !== job.fence) return false;
    set(row);
    return true;
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
        .filter((row) =>
          row.state === 'waiting'
            ? row.dueAt <= now
            : row.state === 'running' && (row.heldUntil ?? now) <= now,
        )
        .toSorted((a, b) => a.dueAt.getTime() - b.dueAt.getTime())[0];
      if (!due) return null;
      Object.assign(due, { state: 'running', holder, heldUntil });
      due.attempts += 1;
      due.fence += 1;
      return { ...due };
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
