import { Binary } from 'bson';
import type { Plain } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Snapshot } from '../disk/environment.js';
import { noSuchTransaction, StoreError } from '../errors.js';
import type { Connection } from '../server/connection.js';
import * as read from './command.js';
import type { Cursors } from './cursors.js';
import type { Database } from './database.js';
import type { Notes } from './notes.js';
import { beginTransaction, type Claims, type OpenTransaction } from './transaction.js';

/**
 * Logical sessions: their open transaction, and how far they have come. What a session holds beyond what is noted on disk
 * is kept; of the others only the latest are, to spare the disk a look.
 */

export interface Session {
  /** The bytes of its id, in hexadecimal. */
  readonly key: string;
  readonly id: Binary;
  /** Of its latest transaction or retryable write. */
  number: bigint;
  open: OpenTransaction | null;
  /** The newest number that may be noted; null until somebody has looked. */
  noted: bigint | null;
  usedAt: number;
  /** Statements of one session run one after another. */
  busy: Promise<void>;
  /** Its commands that have come and are not done. */
  pending: number;
  /** The connection by which the latest statement of the open transaction came. */
  carrier: Connection | null;
  /** Ends the open transaction, whose connection is closed, unless somebody comes back for it. */
  grace: NodeJS.Timeout | null;
}

/** As MongoDB's `maxSessions`. */
const mostSessions = 1_000_000;
/** So many that hold nothing beyond the disk are remembered all the same. */
const mostRested = 1_000;
const sessionLifeMs = 30 * 60_000;
const transactionLifeMs = 60_000;
/** A driver that lost one connection goes on by another at once; nobody else will. */
const graceMs = 1_000;

/** The key of a session that an `lsid` names. @throws StoreError `InvalidOptions` for what cannot name one */
function keyOf(lsid: Value | undefined): string | null {
  const id = lsid instanceof Map ? lsid.get('id') : undefined;
  if (!(id instanceof Binary)) return null;
  if (id.position !== 16) throw new StoreError(72, 'InvalidOptions', 'a session id has 16 bytes');
  return Buffer.from(id.buffer.buffer, id.buffer.byteOffset, 16).toString('hex');
}

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions(database: Database, notes: Notes, cursors: Cursors) {
  /** Those with commands under way, and those that hold what the disk does not. */
  const sessions = new Map<string, Session>();
  /** The latest of the others, the one used longest ago first. */
  const rested = new Map<string, Session>();
  /** Those with an open transaction. */
  const opened = new Set<Session>();
  const claims: Claims = new Map();
  /** Connections whose end is waited for. */
  const watched = new WeakSet<Connection>();
  const time = () => database.now().getTime();

  function stopGrace(session: Session): void {
    if (session.grace) clearTimeout(session.grace);
    session.grace = null;
  }

  /** No statement belongs to the open transaction any more. */
  function takeOpen(session: Session): OpenTransaction | null {
    const { open } = session;
    if (!open) return null;
    session.open = null;
    session.carrier = null;
    stopGrace(session);
    opened.delete(session);
    cursors.removeOf(session.key, session.number);
    return open;
  }

  /** Ends the open transaction, if there is one, with nothing of it written. */
  const abort = (session: Session): void => takeOpen(session)?.end();

  function abortAll(): void {
    for (const session of opened) abort(session);
  }

  /** Nobody may be left to end the transaction: it does not hold up everybody else for the rest of its life. */
  function startGrace(session: Session): void {
    session.grace ??= setTimeout(() => abort(session), graceMs).unref();
  }

  function watch(connection: Connection): void {
    if (watched.has(connection)) return;
    watched.add(connection);
    const abandon = () => {
      for (const session of opened)
        if (session.carrier === connection && session.pending === 0) startGrace(session);
    };
    connection.gone.addEventListener('abort', abandon, { once: true });
  }

  function find(key: string): Session {
    const known = sessions.get(key);
    if (known) return known;
    if (sessions.size >= mostSessions)
      throw new StoreError(
        261,
        'TooManyLogicalSessions',
        `Unable to add session into the cache because the number of active sessions is too high: ${mostSessions}`,
      );
    const session = rested.get(key) ?? {
      key,
      id: new Binary(Uint8Array.from(Buffer.from(key, 'hex')), 4),
      number: -1n,
      noted: null,
      open: null,
      usedAt: 0,
      busy: Promise.resolve(),
      pending: 0,
      carrier: null,
      grace: null,
    };
    rested.delete(key);
    sessions.set(key, session);
    return session;
  }

  /** What is not under way and can be read from the disk again need not be kept. */
  function rest(session: Session): void {
    if (session.pending > 0 || session.open || session.number > (session.noted ?? -1n)) return;
    if (!sessions.delete(session.key)) return;
    rested.set(session.key, session);
    if (rested.size > mostRested) rested.delete(rested.keys().next().value!);
  }

  function forget(session: Session): void {
    abort(session);
    if (session.pending > 0) return;
    sessions.delete(session.key);
    rested.delete(session.key);
  }

  /** Its note, in a snapshot or in the commit that runs: however it was asked for, the session is as far as that says. */
  function look(session: Session, snapshot: Snapshot | null) {
    const found = notes.of(session.key, snapshot);
    session.noted = found?.number ?? -1n;
    if (session.noted > session.number) session.number = session.noted;
    return found;
  }

  /** Whoever comes back after it was forgotten, or after a restart, is as far as its note says. */
  function recall(session: Session): void {
    if (session.noted !== null || session.number >= 0n) return;
    const snapshot = database.snapshot();
    try {
      look(session, snapshot);
    } finally {
      snapshot.done();
    }
  }

  return {
    /** A command begins: the session that its `lsid` names, made when it is new. */
    enter(lsid: Value | undefined): Session | null {
      const key = keyOf(lsid);
      if (key === null) return null;
      const session = find(key);
      session.usedAt = time();
      session.pending += 1;
      return session;
    },

    /** A statement of a transaction has come: it does not end for want of one. */
    carry(session: Session, connection: Connection): void {
      stopGrace(session);
      session.carrier = connection;
      watch(connection);
    },

    /** A command is done. */
    leave(session: Session): void {
      session.pending -= 1;
      if (session.pending > 0) return;
      if (!session.open) session.carrier = null;
      else if (session.carrier?.gone.aborted) startGrace(session);
      rest(session);
    },

    *all(): Generator<Session> {
      yield* sessions.values();
      yield* rested.values();
    },

    /** The transaction a statement belongs to, begun with its first. */
    transactionFor(command: Doc, session: Session): OpenTransaction {
      const number = read.long(command, 'txnNumber');
      recall(session);
      if (number < session.number) throw tooOld(number, session);
      if (command.get('startTransaction') === true) {
        if (number === session.number)
          throw new StoreError(
            117,
            'ConflictingOperationInProgress',
            `Cannot start a transaction at given transaction number ${number}: it was given before`,
          );
        abort(session);
        session.number = number;
        session.open = beginTransaction(database, claims);
        opened.add(session);
        return session.open;
      }
      if (number > session.number || !session.open) throw noSuchTransaction(String(number));
      return session.open;
    },

    abort,

    abortAll,

    /** The open transaction of a number, for its commit: from now on nobody else ends it. */
    takeOpen: (session: Session, number: bigint): OpenTransaction | null =>
      session.number === number ? takeOpen(session) : null,

    /** A retryable write begins: a transaction that is open is over, and an older number is too late. */
    beginWrite(command: Doc, session: Session): void {
      const number = read.long(command, 'txnNumber');
      recall(session);
      if (number < session.number) throw tooOld(number, session);
      if (number > session.number) {
        abort(session);
        session.number = number;
      }
    },

    /** What was noted under a session's number, in the commit that runs or as it is committed. */
    noteOf(session: Session, number: bigint, snapshot: Snapshot | null): Doc | null {
      if (session.noted !== null && session.noted < number) return null;
      const found = look(session, snapshot);
      return found?.number === number ? found.note : null;
    },

    /** Notes, with the effect itself in one commit, what a retry is to be answered. */
    note(session: Session, number: bigint, what: Plain): void {
      session.noted = number;
      notes.write(session.key, number, what);
    },

    /** The commit that noted something may have failed: nobody knows any more what is noted. */
    doubt(session: Session): void {
      session.noted = null;
    },

    /** Ends the sessions that a command names, known or not, and what they have open. */
    end(command: Doc): void {
      for (const one of read.docs(command, read.nameOf(command))) {
        const key = keyOf(one);
        if (key === null) continue;
        cursors.removeOf(key);
        const session = sessions.get(key) ?? rested.get(key);
        if (session) forget(session);
      }
    },

    /** Ends what nobody came back for. */
    sweep(): void {
      const now = time();
      // However busy it is: what it holds, others wait for, and the file grows around its snapshot.
      for (const session of opened) if (now - session.open!.begunAt > transactionLifeMs) abort(session);
      for (const map of [sessions, rested])
        for (const session of map.values()) if (now - session.usedAt > sessionLifeMs) forget(session);
    },

    close: abortAll,
  };
}

const tooOld = (number: bigint, session: Session) =>
  new StoreError(
    225,
    'TransactionTooOld',
    `Cannot start transaction ${number} on session ${session.key} because a newer transaction ${session.number} has already started on this session.`,
  );
