import mongoose from 'mongoose';

/**
 * The store's time. What several processes compare (who holds a job and until when, what is due, when something was
 * recorded) comes from one clock, so that a process whose own clock is wrong, or is set while it runs, neither takes what
 * others hold nor hides its work from them until its hour has come.
 */
let measured: { storeMs: number; at: number } | null = null;

const measureEveryMs = 5_000;

/** The time by the store's clock; by our own until the store was asked. In between it goes on by a clock nobody sets. */
export function storeNow(): Date {
  return measured ? new Date(measured.storeMs + performance.now() - measured.at) : new Date();
}

/** Asks the store what time it is. @throws when it does not answer: what was measured before stays */
async function measure(): Promise<void> {
  const began = performance.now();
  const hello = await mongoose.connection.db?.command({ hello: 1 });
  const ended = performance.now();
  // It looked at its clock somewhere on the way: half of it is the best guess.
  if (hello?.localTime instanceof Date) {
    measured = { storeMs: hello.localTime.getTime(), at: (began + ended) / 2 };
  }
}

/** Begins to follow the store's clock; resolves when it was asked once. @returns what ends it */
export async function followStoreClock(): Promise<() => void> {
  await measure();
  const timer = setInterval(() => {
    measure().catch(() => {
      // The store is away, which its users are told themselves; its clock went on as ours did.
    });
  }, measureEveryMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    measured = null;
  };
}
