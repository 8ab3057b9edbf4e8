/**
 * Virtual time. Nothing in a simulation waits for anything but this: one task at a time, in the order of their times,
 * and all that follows from it in microtasks before the next. The same seed is the same run.
 */

/** A process, a page, the network: whoever owns a task. What belongs to somebody who died never happens. */
export interface Owner {
  name: string;
  isAlive: boolean;
  /** Stopped, like by SIGSTOP: what is due waits for this moment. */
  pausedUntil: number;
}

export interface Kernel {
  /** Milliseconds since the run began. */
  readonly now: number;
  /** Numbers in [0, 1) that depend on the seed and the name alone: another part's draws do not move them. */
  random(name: string): () => number;
  /** @returns how to call it off */
  after(owner: Owner, ms: number, task: () => void): () => void;
  /** Never resolves when its owner dies before. */
  delay(owner: Owner, ms: number): Promise<void>;
  /** Until nothing is left, `isOver`, or this moment. */
  run(until: number, isOver?: () => boolean): Promise<void>;
  readonly tasks: number;
}

interface Task {
  at: number;
  order: number;
  owner: Owner;
  run: (() => void) | null;
}

export const owner = (name: string): Owner => ({ name, isAlive: true, pausedUntil: 0 });

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

export function createKernel(seed: number): Kernel {
  let now = 0;
  let order = 0;
  let tasks = 0;
  const heap: Task[] = [];

  function push(task: Task): void {
    heap.push(task);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isSooner(heap[parent]!, heap[at]!)) break;
      swap(heap, parent, at);
      at = parent;
    }
  }

  function pop(): Task | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || first === last) return first;
    heap[0] = last;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (heap[left] && isSooner(heap[left], heap[least]!)) least = left;
      if (heap[right] && isSooner(heap[right], heap[least]!)) least = right;
      if (least === at) return first;
      swap(heap, least, at);
      at = least;
    }
  }

  const kernel: Kernel = {
    get now() {
      return now;
    },
    get tasks() {
      return tasks;
    },
    random: (name) => seeded(`${seed}/${name}`),
    after(who, ms, task) {
      const made: Task = { at: now + Math.max(0, ms), order: ++order, owner: who, run: task };
      push(made);
      return () => {
        made.run = null;
      };
    },
    delay: (who, ms) =>
      new Promise((resolve) => {
        kernel.after(who, ms, resolve);
      }),
    async run(until, isOver) {
      while (heap[0] && heap[0].at <= until && !isOver?.()) {
        const task = pop()!;
        if (!task.run || !task.owner.isAlive) continue;
        now = Math.max(now, task.at);
        if (task.owner.pausedUntil > now) {
          push(Object.assign(task, { at: task.owner.pausedUntil, order: ++order }));
          continue;
        }
        const { run } = task;
        task.run = null;
        tasks += 1;
        run();
        await settled();
      }
      if (!isOver?.()) now = Math.max(now, until);
    },
  };
  return kernel;
}

const isSooner = (a: Task, b: Task): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function swap(heap: Task[], a: number, b: number): void {
  const kept = heap[a]!;
  heap[a] = heap[b]!;
  heap[b] = kept;
}

/** Numbers in [0, 1) that follow from a text. */
export const seeded = (text: string): (() => number) => randomFrom(hash(text));

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 16_777_619);
  }
  return value >>> 0;
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
