/**
 * One writer. What arrives while a commit is being synced shares the next one; answers leave after the sync that makes
 * them true. A task that needs long gives way when its commit has lasted enough, and goes on in the next.
 */

/** What came of running a task in a commit. */
export type Step = 'done' | 'more' | { until: Promise<unknown> };

export interface WriteTask<Batch> {
  /** Runs inside a commit, at most once in each. After `undone` it runs again from where that commit began. */
  run(batch: Batch): Step;
  /** Everything up to its `done` is durable. */
  committed(): void;
  /** It failed by itself, or the disk did not take its commit. Nothing of this commit's part was written. */
  failed(error: unknown): void;
  /** The commit was undone after the task had run in it: it goes back to where it stood before. */
  undone?(): void;
}

export interface WriterPort<Batch> {
  /** Runs `work` as one durable commit. */
  commit(work: (batch: Batch) => void): Promise<void>;
  /** Whether the error came from the disk; otherwise one of the tasks threw what it should not. */
  isOfDisk(error: unknown): boolean;
  now(): number;
}

/** A commit takes tasks until it has lasted this long; reads wait meanwhile. */
const sliceMs = 8;
const mostTasks = 4_096;

export interface Writer<Batch> {
  submit(task: WriteTask<Batch>): void;
  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void>;
  /** The commit that is under way, if any. */
  current(): Promise<void> | null;
}

export function createWriter<Batch>(port: WriterPort<Batch>): Writer<Batch> {
  let waiting: WriteTask<Batch>[] = [];
  let running: Promise<void> | null = null;
  /** After a task threw, the others are tried again one by one. */
  let oneByOne = 0;

  function schedule(): void {
    if (running || waiting.length === 0) return;
    running = commitNext().finally(() => {
      running = null;
      schedule();
    });
  }

  async function commitNext(): Promise<void> {
    const most = oneByOne > 0 ? 1 : mostTasks;
    const taken: WriteTask<Batch>[] = [];
    const done: WriteTask<Batch>[] = [];
    const unfinished: WriteTask<Batch>[] = [];
    const blocked: { task: WriteTask<Batch>; until: Promise<unknown> }[] = [];
    let queue: WriteTask<Batch>[] = [];
    let next = 0;
    try {
      await port.commit((batch) => {
        // The commit was asked for a while ago, and begun by another thread: what came meanwhile is taken along.
        queue = waiting;
        waiting = [];
        const began = port.now();
        while (next < queue.length && taken.length < most) {
          const task = queue[next]!;
          next += 1;
          taken.push(task);
          const step = task.run(batch);
          if (step === 'done') done.push(task);
          else if (step === 'more') unfinished.push(task);
          else blocked.push({ task, until: step.until });
          if (port.now() - began > sliceMs) break;
        }
      });
      if (oneByOne > 0) oneByOne -= 1;
      // Who needs long lets the others go first.
      waiting = [...queue.slice(next), ...waiting, ...unfinished];
      for (const { task, until } of blocked) park(task, until);
      for (const task of done) task.committed();
    } catch (error) {
      for (const task of taken) task.undone?.();
      const rest = queue.slice(next);
      if (taken.length === 0) {
        // It did not even begin: whoever waits is told so, and not left to wait for better times.
        const all = waiting;
        waiting = [];
        for (const task of all) task.failed(error);
        return;
      }
      if (port.isOfDisk(error) || taken.length <= 1) {
        if (oneByOne > 0) oneByOne -= 1;
        waiting = [...rest, ...waiting];
        for (const task of taken) task.failed(error);
      } else {
        // One of them is to blame: it fails alone, its neighbours do not suffer.
        oneByOne = taken.length;
        waiting = [...taken, ...rest, ...waiting];
      }
    }
  }

  function park(task: WriteTask<Batch>, until: Promise<unknown>): void {
    const again = () => {
      waiting.push(task);
      schedule();
    };
    until.then(again, again);
  }

  return {
    submit(task) {
      waiting.push(task);
      schedule();
    },
    async idle() {
      while (running || waiting.length > 0) {
        if (running !== null) await running;
        else await new Promise((resolve) => setImmediate(resolve));
      }
    },
    current: () => running,
  };
}
