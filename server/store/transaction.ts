import mongoose, { type ClientSession } from 'mongoose';

/**
 * Runs `work` in one transaction and commits it durably. `work` may run several times (a rival's write aborts it), so
 * it does nothing that cannot be done again: publishing waits until this has resolved.
 */
export async function inTransaction<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
  const session = await mongoose.connection.startSession();
  try {
    return await session.withTransaction(() => work(session), {
      readConcern: { level: 'snapshot' },
      writeConcern: { w: 'majority' },
    });
  } finally {
    await session.endSession();
  }
}
