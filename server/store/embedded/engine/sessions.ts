import { Binary, type Timestamp } from 'bson';
import { decode } from '../bson/decode.js';
import { encode, type Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import { read as readEntry, remove, type Snapshot, write } from '../disk/environment.js';
import { noSuchTransaction, StoreError } from '../errors.js';
import { toTimestamp } from './clock.js';
import * as read from './command.js';
import type { Database } from './database.js';
import { beginTransaction, type Claims, type OpenTransaction } from './transaction.js';

/** Logical sessions: their open transaction, the snapshots they read at, and what is noted of their latest retryable write. */

export interface Session {
  readonly key: string;
  readonly id: Binary;
  /** Of its latest transaction or retryable write. */
  number: bigint;
  open: OpenTransaction | null;
  /** The newest number that may be noted; null until somebody has looked. */
  noted: bigint | null;
  /** How its transaction `number` ended. */
  ended: 'aborted' | null;
  usedAt: number;
  /** Statements of one session run one after another. */
  busy: Promise<void>;
}

/** As MongoDB's `maxSessions`. */
const mostSessions = 1_000_000;
const sessionLifeMs = 30 * 60_000;
const transactionLifeMs = 60_000;
const snapshotLifeMs = 5 * 60_000;
const mostSnapshots = 64;

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions(database: Database) {
  const notes = database.environment.table('notes');
  const sessions = new Map<string, Session>();
  const claims: Claims = new Map();
  /** Snapshots that were read at, by their time: any session may go on reading there. */
  const snapshots = new Map<bigint, { snapshot: Snapshot; usedAt: number }>();
  const time = () => database.now().getTime();

  function endTransaction(session: Session): void {
    session.open?.end();
    session.open = null;
  }

  function forget(session: Session): void {
    endTransaction(session);
    sessions.delete(session.key);
  }

  function dropSnapshot(at: bigint): void {
    snapshots.get(at)?.snapshot.done();
    snapshots.delete(at);
  }

  const noteKey = (session: Session) => Buffer.from(session.key, 'hex');

  return {
    /** The session a command belongs to, made when it is new. */
    of(command: Doc): Session | null {
      const lsid = command.get('lsid');
      const id = lsid instanceof Map ? lsid.get('id') : undefined;
      if (!(id instanceof Binary)) return null;
      const bytes = Buffer.from(id.buffer.subarray(0, id.position));
      if (bytes.length !== 16) throw new StoreError(72, 'InvalidOptions', 'a session id has 16 bytes');
      const key = bytes.toString('hex');
      let session = sessions.get(key);
      if (!session) {
        if (sessions.size >= mostSessions)
          throw new StoreError(
            261,
            'TooManyLogicalSessions',
            `Unable to add session into the cache because the number of active sessions is too high: ${mostSessions}`,
          );
        session = {
          key,
          id,
          number: -1n,
          noted: null,
          open: null,
          ended: null,
          usedAt: 0,
          busy: Promise.resolve(),
        };
        sessions.set(key, session);
      }
      session.usedAt = time();
      return session;
    },

    all: (): Iterable<Session> => sessions.values(),

    /** The transaction a statement belongs to, begun with its first. */
    transactionFor(command: Doc, session: Session): OpenTransaction {
      const number = read.long(command, 'txnNumber');
      if (command.get('startTransaction') === true) {
        if (number < session.number) throw tooOld(number, session);
        if (number === session.number && (session.open || session.ended === 'aborted'))
          throw new StoreError(
            117,
            'ConflictingOperationInProgress',
            `Given transaction number ${number} does match an in-progress transaction`,
          );
        endTransaction(session);
        session.number = number;
        session.ended = null;
        session.open = beginTransaction(database, claims);
        return session.open;
      }
      if (session.number > number) throw tooOld(number, session);
      if (session.number !== number || !session.open) throw noSuchTransaction(String(number));
      return session.open;
    },

    endTransaction,

    /** A retryable write begins: a transaction that is open is over, and an older number is too late. */
    beginWrite(command: Doc, session: Session): void {
      const number = read.long(command, 'txnNumber');
      if (number < session.number) throw tooOld(number, session);
      if (number > session.number) {
        endTransaction(session);
        session.ended = null;
        session.number = number;
      }
    },

    /** What was noted under a session's number, in the commit that runs or as it is committed. */
    noteOf(session: Session, number: bigint, snapshot: Snapshot | null): Doc | null {
      if (session.noted !== null && session.noted < number) return null;
      const bytes = readEntry(notes, noteKey(session), snapshot);
      const note = bytes ? decode(Buffer.from(bytes)) : null;
      session.noted = (note?.get('number') as bigint | undefined) ?? -1n;
      return session.noted === number ? note : null;
    },

    /** Notes, with the effect itself in one commit, what a retry is to be answered. */
    note(session: Session, number: bigint, what: Plain): void {
      // Of a commit that fails it says too much: then there is nothing to be found.
      session.noted = number;
      write(notes, noteKey(session), encode({ number, at: database.now(), ...what }));
    },

    /** @returns the keys of those that ended */
    end(command: Doc): string[] {
      const ended: string[] = [];
      for (const one of read.docs(command, read.nameOf(command))) {
        const id = one.get('id');
        if (!(id instanceof Binary)) continue;
        const session = sessions.get(Buffer.from(id.buffer.subarray(0, id.position)).toString('hex'));
        if (!session) continue;
        ended.push(session.key);
        forget(session);
      }
      return ended;
    },

    /** The snapshot to read at: the one of `at`, or one of now. */
    snapshotAt(at: Timestamp | null): { snapshot: Snapshot; time: bigint } {
      const wanted = BigInt.asUintN(64, (at ?? toTimestamp(database.oplog.durable())).toBigInt());
      const held = snapshots.get(wanted);
      if (held) {
        held.usedAt = time();
        return { snapshot: held.snapshot, time: wanted };
      }
      if (at)
        throw new StoreError(
          239,
          'SnapshotTooOld',
          'Read timestamp is older than the oldest available timestamp.',
        );
      if (snapshots.size >= mostSnapshots) dropSnapshot(snapshots.keys().next().value!);
      const snapshot = database.snapshot();
      snapshots.set(wanted, { snapshot, usedAt: time() });
      return { snapshot, time: wanted };
    },

    /** Ends what nobody came back for, and forgets notes that no retry can ask for any more. */
    async sweep(): Promise<void> {
      const now = time();
      for (const session of [...sessions.values()]) {
        // However busy it is: what it holds, others wait for, and the file grows around its snapshot.
        if (session.open && now - session.open.begunAt > transactionLifeMs) {
          endTransaction(session);
          session.ended = 'aborted';
        }
        if (now - session.usedAt > sessionLifeMs) forget(session);
      }
      for (const [at, { usedAt }] of [...snapshots]) if (now - usedAt > snapshotLifeMs) dropSnapshot(at);
      const stale = staleNotes(now - 2 * sessionLifeMs);
      if (stale.length > 0)
        await database.write(() => {
          for (const key of stale) remove(notes, key);
        });
    },

    close(): void {
      for (const session of [...sessions.values()]) forget(session);
      for (const at of [...snapshots.keys()]) dropSnapshot(at);
    },
  };

  function staleNotes(before: number): Buffer[] {
    const snapshot = database.snapshot();
    try {
      return [...notes.db.getRange({ limit: 10_000, transaction: snapshot.txn })]
        .filter(({ value }) => (decode(Buffer.from(value)).get('at') as Date).getTime() < before)
        .map(({ key }) => Buffer.from(key));
    } finally {
      snapshot.done();
    }
  }
}

const tooOld = (number: bigint, session: Session) =>
  new StoreError(
    225,
    'TransactionTooOld',
    `Cannot start transaction ${number} on session ${session.key} because a newer transaction ${session.number} has already started on this session.`,
  );
