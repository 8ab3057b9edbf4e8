import type { DueJob, DueQueue, JobPorts, JobStore } from './ports.js';

/** The queue is told of what is due within this time, and of nothing later: that waits in the store. */
const aheadMs = 600_000;
const sweepEachMs = 10_000;
const mostAtOnce = 1_000;

/** Keeps the queue told of what the store holds. */
export interface Sweeper {
  /** Tells the queue of these, as far as they are due soon. Losing this is healed by the next round. */
  announce(jobs: readonly DueJob[]): void;
  stop(): void;
}

interface SweeperOptions {
  store: Pick<JobStore, 'due'>;
  ports: JobPorts;
  names: readonly string[];
  due: DueQueue;
  /** Whether it is this process's turn. Two at once do no harm: what is told twice is run once. */
  lead: () => Promise<boolean>;
  sweepMs?: number;
}

/** Begins. Each round the process whose turn it is tells the queue of all that is due soon, whatever it knows already. */
export function startSweeper({
  store,
  ports,
  names,
  due,
  lead,
  sweepMs = sweepEachMs,
}: SweeperOptions): Sweeper {
  let isStopped = false;
  let cancel: () => void = () => {};

  const soon = (): Date => new Date(ports.now().getTime() + aheadMs);

  function announce(jobs: readonly DueJob[]): void {
    const before = soon();
    const told = jobs.filter(({ dueAt }) => dueAt <= before);
    if (told.length === 0 || !due.isThere()) return;
    due.put(told).catch((error: unknown) => ports.report({ what: 'queue', error }));
  }

  async function sweep(): Promise<void> {
    if (!due.isThere() || !(await lead())) return;
    const found = await store.due(names, ports.now(), soon(), mostAtOnce);
    if (!isStopped) announce(found);
  }

  function next(): void {
    cancel = ports.after(sweepMs, () => {
      sweep()
        .catch((error: unknown) => ports.report({ what: 'store', error }))
        .finally(() => {
          if (!isStopped) next();
        });
    });
  }
  if (names.length > 0) next();

  return {
    announce,
    stop() {
      isStopped = true;
      cancel();
    },
  };
}
