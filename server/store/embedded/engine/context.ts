import type { Plain } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import { type Collection, namespaceOf } from '../disk/catalog.js';
import type { Snapshot } from '../disk/environment.js';
import type { Found } from '../disk/records.js';
import { StoreError } from '../errors.js';
import type { Connection } from '../server/connection.js';
import { collationFrom } from '../values/collation.js';
import type { Collate } from '../values/compare.js';
import { type Change, record } from './changes.js';
import * as read from './command.js';
import type { Cursors } from './cursors.js';
import type { Database } from './database.js';
import { expressionFor, type Variables } from './expressions.js';
import type { FailPoints } from './failpoints.js';
import type { Session, Sessions } from './sessions.js';
import type { OpenTransaction } from './transaction.js';
import { type Deadline, liveView, type View } from './view.js';

/** What a command runs in. */
export interface Context {
  readonly database: Database;
  readonly sessions: Sessions;
  readonly cursors: Cursors;
  readonly failPoints: FailPoints | null;
  readonly connection: Connection;
  readonly server: ServerFacts;
  readonly session: Session | null;
  readonly transaction: OpenTransaction | null;
  /** Of a retryable write or a transaction. */
  readonly number: bigint | null;
  readonly isRetryable: boolean;
  readonly deadline: Deadline | undefined;
  /** A snapshot that was asked for by `readConcern`, and its time. */
  readonly at: { snapshot: Snapshot; time: bigint } | null;
}

export interface ServerFacts {
  readonly name: string;
  readonly startedAt: number;
  readonly credentials: boolean;
  connections(): number;
}

export type Answer = Plain;
export type Handler = (command: Doc, context: Context) => Promise<Answer> | Answer;

export const dbOf = (command: Doc): string => read.text(command, '$db');

/** The collection a command names in its first field. */
export function collectionName(command: Doc): string {
  const value = command.get(read.nameOf(command));
  if (typeof value !== 'string')
    throw new StoreError(73, 'InvalidNamespace', `collection name has invalid type`);
  if (value === '' || value.includes('\0'))
    throw new StoreError(73, 'InvalidNamespace', `Invalid namespace specified '${dbOf(command)}.${value}'`);
  return value;
}

/** A collection by its name: of a transaction also those that it made. */
export const collectionNamed = (context: Context, db: string, name: string): Collection | undefined =>
  context.transaction?.collection(db, name) ?? context.database.catalog.collection(db, name);

export const findCollection = (command: Doc, context: Context): Collection | undefined =>
  collectionNamed(context, dbOf(command), collectionName(command));

/** The collation of a command, else of its collection. */
export function collateOf(command: Doc, collection: Collection | undefined): Collate | undefined {
  const given = read.optionalDoc(command, 'collation');
  if (given) return collationFrom(given);
  return collationFrom(collection?.options.get('collation') as Doc | undefined);
}

export function variablesOf(command: Doc, context: Context): Variables {
  const variables: Variables = new Map<string, Value | undefined>([
    ['NOW', context.database.now()],
    ['CLUSTER_TIME', context.database.oplog.lastTimestamp()],
  ]);
  const given = read.optionalDoc(command, 'let');
  // Constant expressions, which know one another as little as they know any document.
  for (const [name, value] of given ?? [])
    variables.set(name, expressionFor(new Map(variables))(value)(new Map()));
  return variables;
}

/** What is read: a transaction's view, a snapshot that was asked for, or what is committed. */
export function readView(context: Context, reader: { snapshot: Snapshot | null }): View {
  if (context.transaction) return context.transaction.view;
  return liveView(context.database, context.at ? { snapshot: context.at.snapshot } : reader, () => undefined);
}

/** A view that writes: into the commit that runs, noting each change. */
export function writeView(context: Context): View {
  // Only changes of a transaction tell which one: a retryable write's number is nobody else's business.
  const origin = { session: null, number: null };
  return liveView(context.database, { snapshot: null }, (change) => record(context.database, change, origin));
}

/** Notes a change of collections or indexes, inside the commit that makes it. */
export const noteChange = (context: Context, change: Change): void =>
  record(context.database, change, { session: null, number: null });

/** Which of a command's statements to run. */
export interface Statements {
  from: number;
  to: number;
}

/**
 * Runs a write of so many statements: inside its transaction at once; else in a commit, with what a retry is to be
 * answered noted beside it.
 */
export async function write(
  context: Context,
  length: number,
  work: (view: View, statements: Statements) => Answer,
): Promise<Answer> {
  if (context.transaction) return work(context.transaction.view, { from: 0, to: length });
  const { session, sessions, database, number } = context;
  if (!context.isRetryable || !session || number === null)
    return database.write(() => work(writeView(context), { from: 0, to: length }));
  let interruption: Interruption | null = null;
  const commit = database.write(() => {
    const note = sessions.noteOf(session, number, null);
    const noted = note?.get('answer');
    if (noted instanceof Map) return Object.fromEntries(noted);
    const from = note?.has('upTo') ? read.number(note, 'upTo', 0) : 0;
    // A statement that was committed is not run again, and what strikes at it has struck.
    interruption = context.failPoints ? interruptionOf(context.failPoints, from, length) : null;
    const to = interruption?.stopAt ?? length;
    const done = to > from ? work(writeView(context), { from, to }) : { ok: 1 };
    sessions.note(session, number, interruption?.stopAt === undefined ? { answer: done } : { upTo: to });
    return done;
  });
  const answer = await commit.catch((error: unknown) => {
    sessions.doubt(session);
    throw error;
  });
  const struck = interruption as Interruption | null;
  if (struck) throw struck.error;
  return answer;
}

/** The fail point that strikes at one statement of a retryable write: before it, or after all are committed. */
interface Interruption {
  stopAt: number | undefined;
  error: Error;
}

function interruptionOf(failPoints: FailPoints, from: number, length: number): Interruption | null {
  for (let at = from; at < length; at += 1) {
    const data = failPoints.take('onPrimaryTransactionalWrite');
    if (!data) continue;
    const code = read.optionalNumber(data, 'failBeforeCommitExceptionCode');
    const closes = read.flag(data, 'closeConnection', true);
    return {
      stopAt: code === undefined ? undefined : at,
      error: closes
        ? new HangUp()
        : new StoreError(code ?? 8, 'UnknownError', 'Failing by onPrimaryTransactionalWrite'),
    };
  }
  return null;
}

/** The connection is to be closed without an answer. */
export class HangUp extends Error {}

/** The collection of a write, made when it is not there. */
export async function collectionForWrite(context: Context, db: string, name: string): Promise<Collection> {
  const { database, transaction } = context;
  const known = collectionNamed(context, db, name);
  if (known) return writable(known);
  if (transaction) return transaction.create(db, name, new Map());
  return database.define(() => {
    const present = database.catalog.collection(db, name);
    if (present) return present;
    const made = database.catalog.create(db, name, new Map());
    noteChange(context, {
      kind: 'create',
      db,
      name,
      uuid: made.uuid,
      detail: { idIndex: { v: 2, key: { _id: 1 }, name: '_id_' } },
    });
    return made;
  });
}

/** The collection of a write that makes none: null when it is not there and nothing is to be inserted. */
export async function collectionIfNeeded(
  context: Context,
  db: string,
  name: string,
  isNeeded: boolean,
): Promise<Collection | null> {
  if (isNeeded) return collectionForWrite(context, db, name);
  const known = collectionNamed(context, db, name);
  return known ? writable(known) : null;
}

function writable(collection: Collection): Collection {
  if (collection.options.has('viewOn'))
    throw new StoreError(
      166,
      'CommandNotSupportedOnView',
      `Namespace ${namespaceOf(collection)} is a view, not a collection`,
    );
  return collection;
}

/** All of a reading at once, for what cannot give way: writes. */
export function* whole(found: Iterable<Found | null>): Generator<Found> {
  for (const one of found) if (one !== null) yield one;
}
