import { AppError } from '../../shared/errors.js';
import type { JobRow } from './model.js';
import type { DueJob, DueQueue, JobPorts, JobStore } from './ports.js';
import { startSweeper } from './sweeper.js';

/** What a handler is given beside its payload. */
export interface JobContext {
  jobId: string;
  workspaceId: string;
  /** From 1. */
  attempt: number;
  /** Grows with each holder: a write that must not be an old holder's carries it. */
  fence: number;
  /** Aborted when another process took the job over, or the runner stops for good. */
  signal: AbortSignal;
  /** 0 to 1, for whoever looks. */
  progress: (done: number) => Promise<void>;
  /**
   * To be asked right before what cannot be taken back: a process that stood still may not know yet that it was given up.
   * @throws when somebody else holds the job, or the store does not say
   */
  confirmHold: () => Promise<void>;
}

export interface JobKind {
  name: string;
  /** @throws when the stored payload is not one: the job dies at once, since no retry can change it */
  run: (payload: unknown, context: JobContext) => Promise<void>;
  /** Attempts before it is dead. */
  attempts: number;
  /** The wait after the first failure; it doubles with each, up to `backoffMaxMs`, spread over its second half. */
  backoffMs: number;
  backoffMaxMs: number;
}

export interface RunnerOptions {
  store: JobStore;
  ports: JobPorts;
  kinds: readonly JobKind[];
  /** Who tells what is due, and whose turn it is to put there what it lost. Without it the store is looked into. */
  queue?: { due: DueQueue; lead: () => Promise<boolean>; sweepMs?: number };
  /** How many run at once in this process. */
  concurrency?: number;
  /** Without a sign of life for this long, a job is taken over by whoever looks next. */
  holdMs?: number;
  /** The longest time between two looks; a wake-up comes sooner. */
  pollMs?: number;
}

export interface Runner {
  /** Looks for work now; of what was just written it is told. */
  wake(written?: readonly DueJob[]): void;
  /** Takes no more; resolves when what runs has ended, or was told to after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

const errorLength = 500;

/** Starts a runner: durable in the store, at least once, each job under a hold that must be renewed. */
export function startRunner(options: RunnerOptions): Runner {
  const { store, ports } = options;
  const concurrency = options.concurrency ?? 8;
  const holdMs = options.holdMs ?? 20_000;
  const pollMs = options.pollMs ?? 1_000;
  const kinds = new Map(options.kinds.map((kind) => [kind.name, kind]));
  const names = [...kinds.keys()];
  const holder = ports.newId();
  const running = new Map<Promise<void>, AbortController>();
  /** Asked of the store: each may be one more that runs. */
  const taking = new Set<Promise<unknown>>();
  let isLooking = false;
  let lookAgain = false;
  let isStopped = false;
  let cancelNext: () => void = () => {};

  const hasRoom = (): boolean => running.size + taking.size < concurrency;
  const queue = options.queue?.due;
  const sweeper = options.queue && startSweeper({ store, ports, names, ...options.queue });

  function wake(written: readonly DueJob[] = []): void {
    if (isStopped) return;
    sweeper?.announce(written);
    if (isLooking) {
      lookAgain = true;
      return;
    }
    isLooking = true;
    cancelNext();
    look()
      .catch((error: unknown) => ports.report({ what: 'store', error }))
      .finally(() => {
        isLooking = false;
        if (isStopped) return;
        if (lookAgain) {
          lookAgain = false;
          wake();
        } else cancelNext = ports.after(pollMs, () => wake());
      });
  }

  /** Takes jobs until there is no more room or nothing is due. While somebody tells what is due, nobody looks. */
  async function look(): Promise<void> {
    while (!isStopped && hasRoom() && !queue?.isThere()) {
      // The queue may come back, and tell of one meanwhile.
      if (!(await take((now, heldUntil) => store.claim(names, holder, now, heldUntil)))) return;
    }
  }

  /** Asks for a job and begins it. One that is given counts as tried: who stops does not leave it lying. */
  async function take(
    ask: (now: Date, heldUntil: Date) => Promise<JobRow | null>,
  ): Promise<{ ended: Promise<void> } | null> {
    const now = ports.now();
    const taken = ask(now, new Date(now.getTime() + holdMs)).then((job) => job && { ended: begin(job) });
    taking.add(taken);
    try {
      return await taken;
    } finally {
      taking.delete(taken);
    }
  }

  function begin(job: JobRow): Promise<void> {
    const controller = new AbortController();
    const work: Promise<void> = attempt(job, controller)
      .catch((error: unknown) => ports.report({ what: 'store', job, error }))
      .finally(() => {
        running.delete(work);
        wake();
      });
    running.set(work, controller);
    return work;
  }

  queue?.take(concurrency, async (due) => {
    // What it cannot take is told again by the sweeper, to somebody else.
    if (isStopped || !hasRoom() || !kinds.has(due.name)) return;
    try {
      const taken = await take((now, heldUntil) => store.claimOne(due, holder, now, heldUntil));
      await taken?.ended;
    } catch (error) {
      ports.report({ what: 'store', error });
    }
  });

  async function attempt(job: JobRow, controller: AbortController): Promise<void> {
    const kind = kinds.get(job.name);
    if (!kind) return;
    // Whoever ran it ended without a word each time: what kills its process must not do so for ever.
    if (job.attempts > kind.attempts) {
      const error = new Error('No attempt came to an end.');
      if (await settle(job, { state: 'dead', at: ports.now(), error: oneLine(error) }, error))
        ports.report({ what: 'dead', job, error });
      return;
    }
    const stopRenewing = keepHold(job, controller);
    try {
      await kind.run(job.payload, {
        jobId: job._id,
        workspaceId: job.workspaceId,
        attempt: job.attempts,
        fence: job.fence,
        signal: controller.signal,
        progress: async (done) => {
          await store.settle(job, { progress: Math.max(0, Math.min(1, done)) });
        },
        confirmHold: async () => {
          if (await store.renew(job, new Date(ports.now().getTime() + holdMs))) return;
          controller.abort();
          throw new Error('Another process holds the job.');
        },
      });
    } catch (error) {
      stopRenewing();
      await fail(job, kind, error);
      return;
    }
    stopRenewing();
    await settle(job, { state: 'done', at: ports.now() });
  }

  /** @returns false when another process holds the job by now, whose outcome alone counts */
  async function settle(
    job: JobRow,
    change: Parameters<JobStore['settle']>[1],
    error: unknown = null,
  ): Promise<boolean> {
    const isOurs = await store.settle(job, change);
    if (!isOurs) ports.report({ what: 'fenced_out', job, error });
    return isOurs;
  }

  async function fail(job: JobRow, kind: JobKind, error: unknown): Promise<void> {
    const reason = oneLine(error);
    // Only what may succeed by itself is tried again: the error says so, and nothing else is asked.
    const isHopeless = error instanceof AppError && error.retry !== 'same';
    if (isHopeless || job.attempts >= kind.attempts) {
      if (await settle(job, { state: 'dead', at: ports.now(), error: reason }, error))
        ports.report({ what: 'dead', job, error });
      return;
    }
    const doubled = kind.backoffMs * 2 ** (job.attempts - 1);
    const waitMs = Math.min(doubled, kind.backoffMaxMs) * (0.5 + ports.random() / 2);
    const dueAt = new Date(ports.now().getTime() + waitMs);
    if (!(await settle(job, { state: 'waiting', dueAt, error: reason }, error))) return;
    sweeper?.announce([{ ...job, dueAt }]);
    ports.report({ what: 'attempt_failed', job, error });
  }

  /** Renews the hold three times in its length; whoever lost it is told to stop. */
  function keepHold(job: JobRow, controller: AbortController): () => void {
    let isOver = false;
    let cancel: () => void = () => {};
    const schedule = () => {
      cancel = ports.after(holdMs / 3, () => {
        store
          .renew(job, new Date(ports.now().getTime() + holdMs))
          .then((isOurs) => {
            if (isOver) return;
            if (isOurs) schedule();
            else controller.abort();
          })
          .catch((error: unknown) => {
            ports.report({ what: 'store', job, error });
            // The store may be back before the hold ends.
            if (!isOver) schedule();
          });
      });
    };
    schedule();
    return () => {
      isOver = true;
      cancel();
    };
  }

  if (names.length > 0) wake();
  return {
    wake,
    async stop(graceMs = 5_000) {
      isStopped = true;
      cancelNext();
      sweeper?.stop();
      const cancel = ports.after(graceMs, () => {
        for (const controller of running.values()) controller.abort();
      });
      while (taking.size + running.size > 0) await Promise.allSettled([...taking, ...running.keys()]);
      cancel();
      await queue?.close();
    },
  };
}

/** Why it failed, for the dead letters: an error's own words on one line; a code of ours where there is one. */
function oneLine(error: unknown): string {
  const text =
    error instanceof AppError
      ? `${error.code}: ${error.message}`
      : error instanceof Error
        ? error.message
        : String(error);
  return text.replace(/\s+/g, ' ').slice(0, errorLength).toWellFormed();
}
