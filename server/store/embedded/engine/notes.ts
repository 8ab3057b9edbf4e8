import { decode } from '../bson/decode.js';
import { encode, type Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import { readEntries, read as readEntry, remove, type Snapshot, write } from '../disk/environment.js';
import type { Database } from './database.js';

/**
 * What is noted on disk of each session: the number of its latest retryable write or transaction that was committed, and
 * what a retry of it is to be answered.
 */

/** So many notes one sweep looks at: reads wait meanwhile. */
const mostSwept = 1_000;

export type Notes = ReturnType<typeof createNotes>;

/** Sessions are named by the bytes of their ids, in hexadecimal. */
export function createNotes(database: Database) {
  const table = database.environment.table('notes');
  const keyOf = (session: string) => Buffer.from(session, 'hex');
  /** Where the last sweep stopped: the next one goes on from there. */
  let swept: Buffer | null = null;

  const isOlder = (note: Uint8Array, before: number): boolean =>
    (decode(Buffer.from(note)).get('at') as Date).getTime() < before;

  /** The stale ones among the next ones. */
  function staleNotes(before: number): Buffer[] {
    const snapshot = database.snapshot();
    try {
      const range = { ...(swept && { start: swept, after: true }), limit: mostSwept };
      const entries = readEntries(table, range, snapshot);
      swept = entries.length < mostSwept ? null : Buffer.from(entries.at(-1)!.key);
      return entries.filter(({ value }) => isOlder(value, before)).map(({ key }) => Buffer.from(key));
    } finally {
      snapshot.done();
    }
  }

  return {
    /** A session's note, in a snapshot or, for null, in the commit that runs. */
    of(session: string, snapshot: Snapshot | null): { number: bigint; note: Doc } | null {
      const bytes = readEntry(table, keyOf(session), snapshot);
      if (!bytes) return null;
      const note = decode(Buffer.from(bytes));
      return { number: note.get('number') as bigint, note };
    },

    /** Notes in the commit that runs, together with the effect itself. */
    write(session: string, number: bigint, what: Plain): void {
      write(table, keyOf(session), encode({ number, at: database.now(), ...what }));
    },

    /** Forgets, of the next notes in turn, those that are older than any retry. */
    async sweep(before: number): Promise<void> {
      const stale = staleNotes(before);
      if (stale.length === 0) return;
      await database.write(() => {
        for (const key of stale) {
          // Its session may have come back meanwhile.
          const note = readEntry(table, key, null);
          if (note && isOlder(note, before)) remove(table, key);
        }
      });
    },
  };
}
