/** More of them wait for the next read: one that asks for too much at once holds up whoever asks for little. */
const mostAtOnce = 256;

interface Waiting<One, Value> {
  one: One;
  resolve: (value: Value) => void;
  reject: (error: unknown) => void;
}

/**
 * Makes one read of many that are asked for at the same time: what comes while a read is under way waits for it and is
 * read together next. It waits for no more than one turn of the event loop, so whoever asks alone is answered at once; and
 * each read begins after it was asked for, so nobody is answered with what was true before. `within` is what the things of
 * one read have in common, which is the workspace where they belong to one. `read` answers each of them, in their order;
 * when it fails, it fails for all that it read.
 */
export function gather<One, Value>(
  read: (within: string, ones: readonly One[]) => Promise<readonly Value[]>,
): (within: string, one: One) => Promise<Value> {
  const queues = new Map<string, Waiting<One, Value>[]>();

  async function run(within: string, queue: Waiting<One, Value>[]): Promise<void> {
    while (queue.length > 0) {
      // All that the process has been sent by now asks first.
      await new Promise((resolve) => setImmediate(resolve));
      const together = queue.splice(0, mostAtOnce);
      try {
        const values = await read(
          within,
          together.map(({ one }) => one),
        );
        for (const [at, { resolve }] of together.entries()) resolve(values[at] as Value);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    queues.delete(within);
  }

  return (within, one) =>
    new Promise((resolve, reject) => {
      const waiting = { one, resolve, reject };
      const queue = queues.get(within);
      if (queue) {
        queue.push(waiting);
        return;
      }
      const begun = [waiting];
      queues.set(within, begun);
      void run(within, begun);
    });
}
