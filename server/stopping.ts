/** How a process ends what it began: what is under way is finished all at once, then what held it is closed. */
export interface Stopping {
  isStopping(): boolean;
  /** Called when the stop begins, or at once when it has. Returns what takes it back. */
  onStop(listener: () => void): () => void;
  /** Takes nothing new from the moment it is called; resolves when what was under way has ended. All run together. */
  drains(work: () => Promise<unknown>): void;
  /** Closed after all draining, one after another, what was opened last first. */
  closes(work: () => Promise<unknown>): void;
  /** The same promise however often it is asked. Rejects with the first failure, when all has been tried. */
  stop(): Promise<void>;
}

export function createStopping(): Stopping {
  const listeners = new Set<() => void>();
  const draining: (() => Promise<unknown>)[] = [];
  const closing: (() => Promise<unknown>)[] = [];
  let stopped: Promise<void> | null = null;

  async function stopAll(): Promise<void> {
    for (const listener of listeners) listener();
    const failures: unknown[] = [];
    const outcomes = await Promise.allSettled(draining.map((work) => work()));
    for (const outcome of outcomes) if (outcome.status === 'rejected') failures.push(outcome.reason);
    for (const work of closing.toReversed()) {
      try {
        await work();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    isStopping: () => stopped !== null,
    onStop(listener) {
      if (stopped !== null) listener();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    drains: (work) => void draining.push(work),
    closes: (work) => void closing.push(work),
    stop() {
      // A turn later, so that whatever it calls finds it noted.
      stopped ??= Promise.resolve().then(stopAll);
      return stopped;
    },
  };
}
