import { setTimeout as pause } from 'node:timers/promises';
import mongoose, { type ClientSession } from 'mongoose';

/** How long a transaction is begun again and again. */
export interface Patience {
  /** How often a rival may be first. */
  rivals: number;
  /** Altogether, the store's absence included; what is under way then is still waited for. */
  ms: number;
}

const usual: Patience = { rivals: 100, ms: 10_000 };
const firstPauseMs = 5;
const longestPauseMs = 200;

const options = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;

/**
 * Runs `work` in one transaction and commits it durably. `work` may run several times (a rival's write aborts it), so
 * it does nothing that cannot be done again: publishing waits until this has resolved.
 *
 * The driver's own `withTransaction` goes on for two minutes whatever happens. Here patience ends earlier, and it ends
 * first where a rival stays ahead: that may be a process that died in the middle of its own, whose claims the store
 * holds until it gives that transaction up (MongoDB after a minute). What to repeat is as MongoDB's specification of
 * its drivers' transactions has it: all of it after a TransientTransactionError, the commit alone where nobody knows
 * whether it took place.
 * @throws MongoError the last one, when patience is over
 */
export async function inTransaction<T>(
  work: (session: ClientSession) => Promise<T>,
  patience: Patience = usual,
): Promise<T> {
  const until = performance.now() + patience.ms;
  const session = await mongoose.connection.startSession();
  try {
    for (let attempt = 1, rivals = 0; ; attempt += 1) {
      try {
        session.startTransaction(options);
        const result = await work(session);
        await commit(session, until);
        return result;
      } catch (error) {
        if (session.inTransaction()) await session.abortTransaction();
        if (wasRivalFirst(error)) rivals += 1;
        if (!hasLabel(error, 'TransientTransactionError') && !wasCutOff(error)) throw error;
        if (rivals >= patience.rivals || performance.now() > until) throw error;
        await rest(attempt);
      }
    }
  } finally {
    await session.endSession();
  }
}

/** Until it is known that it took place, or patience is over. */
async function commit(session: ClientSession, until: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await session.commitTransaction();
    } catch (error) {
      const mayHave = hasLabel(error, 'UnknownTransactionCommitResult') || wasCutOff(error);
      if (!mayHave || performance.now() > until) throw error;
      await rest(attempt);
    }
  }
}

/** Full jitter: two that were in each other's way must not meet again. */
const rest = (attempt: number): Promise<void> =>
  pause(Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** attempt));

const hasLabel = (error: unknown, label: string): boolean =>
  error instanceof mongoose.mongo.MongoError && error.hasErrorLabel(label);

/**
 * The store was away. The driver leaves its labels off an error of a connection that it had given up already (the second
 * of several that a restart of the store ended), and off one that found no server.
 */
const wasCutOff = (error: unknown): boolean =>
  error instanceof mongoose.mongo.MongoNetworkError ||
  error instanceof mongoose.mongo.MongoServerSelectionError;

const writeConflictCode = 112;

/** Whether a transaction failed because somebody else wrote the same row first, or holds it. */
export const wasRivalFirst = (error: unknown): boolean =>
  error instanceof mongoose.mongo.MongoServerError && error.code === writeConflictCode;
