import { Binary, Int32, Timestamp } from 'bson';
import { decodeCommand, decodeSent } from '../bson/decode.js';
import { encode, type Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import * as admin from '../commands/admin.js';
import { aggregate } from '../commands/aggregate.js';
import { saslContinue, saslStart } from '../commands/auth.js';
import { bulkWrite } from '../commands/bulk.js';
import * as collections from '../commands/collections.js';
import { explain } from '../commands/explain.js';
import * as finds from '../commands/find.js';
import * as indexes from '../commands/indexes.js';
import { abortTransaction, commitTransaction } from '../commands/transactions.js';
import { findAndModify, update } from '../commands/update.js';
import * as writes from '../commands/write.js';
import { SnapshotLost } from '../disk/environment.js';
import { commandNotFound, StoreError } from '../errors.js';
import type { Connection, Outcome } from '../server/connection.js';
import type { Credentials } from '../server/scram.js';
import type { Message } from '../wire/message.js';
import { type Time, toTimestamp } from './clock.js';
import * as read from './command.js';
import { type Answer, type Context, type Handler, HangUp, type ServerFacts } from './context.js';
import { createCursors } from './cursors.js';
import type { Database } from './database.js';
import { createFailPoints, type Failure } from './failpoints.js';
import { addLabels, answerOf } from './failure.js';
import { createNotes } from './notes.js';
import { createSessions, type Session } from './sessions.js';
import { createSnapshots } from './snapshots.js';

/** From a message to its answer: who may, in which session, through which handler. */

interface Command {
  handler: Handler;
  /** May be part of a transaction. */
  inTransaction?: boolean;
  /** Writes, and is answered from its note when it is sent again. */
  isWrite?: boolean;
  /** Does not wait for changes of collections or indexes. */
  isImmediate?: boolean;
  /** Before a password was proved. */
  isOpen?: boolean;
  /** Takes a snapshot that is asked for by its read concern. */
  readsSnapshot?: boolean;
}

const immediate = (handler: Handler): Command => ({ handler, isImmediate: true });

function table(credentials: Credentials | null): Record<string, Command> {
  const open = (handler: Handler): Command => ({ handler, isImmediate: true, isOpen: true });
  return {
    hello: open(admin.hello),
    ismaster: open(admin.hello),
    ping: open(admin.ping),
    buildinfo: open(admin.buildInfo),
    saslstart: open((command, context) => saslStart(credentials, command, context)),
    saslcontinue: open(saslContinue),
    logout: open(admin.ping),
    connectionstatus: immediate(admin.connectionStatus),
    serverstatus: immediate(admin.serverStatus),
    getparameter: immediate(admin.getParameter),
    configurefailpoint: immediate(admin.configureFailPoint),
    whatsmyuri: immediate(admin.whatsMyUri),
    endsessions: immediate(admin.endSessions),
    killsessions: immediate(admin.endSessions),
    refreshsessions: immediate(admin.refreshSessions),
    killallsessions: immediate(admin.killAllSessions),
    fsync: immediate(admin.fsync),
    copystore: { handler: admin.copyStore },
    dbstats: { handler: admin.dbStats },
    collstats: { handler: admin.collStats },
    validate: { handler: admin.validate },
    create: { handler: collections.create, inTransaction: true },
    drop: { handler: collections.drop },
    dropdatabase: { handler: collections.dropDatabase },
    renamecollection: { handler: collections.renameCollection },
    collmod: { handler: collections.collMod },
    listcollections: { handler: collections.listCollections },
    listdatabases: { handler: collections.listDatabases },
    createindexes: { handler: indexes.createIndexes, inTransaction: true },
    dropindexes: { handler: indexes.dropIndexes },
    listindexes: { handler: indexes.listIndexes },
    find: { handler: finds.find, inTransaction: true, readsSnapshot: true },
    getmore: { handler: finds.getMore, inTransaction: true, isImmediate: true },
    killcursors: { handler: finds.killCursors, inTransaction: true, isImmediate: true },
    count: { handler: finds.count },
    distinct: { handler: finds.distinct, inTransaction: true, readsSnapshot: true },
    aggregate: { handler: aggregate, inTransaction: true, readsSnapshot: true },
    explain: { handler: explain },
    insert: { handler: writes.insert, inTransaction: true, isWrite: true },
    update: { handler: update, inTransaction: true, isWrite: true },
    delete: { handler: writes.remove, inTransaction: true, isWrite: true },
    findandmodify: { handler: findAndModify, inTransaction: true, isWrite: true },
    createsearchindexes: { handler: indexes.searchIndexes },
    dropsearchindex: { handler: indexes.searchIndexes },
    updatesearchindex: { handler: indexes.searchIndexes },
    bulkwrite: { handler: bulkWrite, inTransaction: true, isWrite: true },
    committransaction: { handler: commitTransaction, inTransaction: true },
    aborttransaction: { handler: abortTransaction, inTransaction: true },
  };
}

/** No driver sends a write again that is so old. */
const noteLifeMs = 60 * 60_000;

export interface DispatchOptions {
  database: Database;
  server: ServerFacts;
  credentials: Credentials | null;
  /** Fail points exist: never in production. */
  isTest: boolean;
  /** Told what was thrown and is no answer. */
  onFailure(error: unknown): void;
}

export function createDispatch({ database, server, credentials, isTest, onFailure }: DispatchOptions) {
  const commands = table(credentials);
  const notes = createNotes(database);
  const cursors = createCursors(database);
  const sessions = createSessions(database, notes, cursors);
  const snapshots = createSnapshots(database);
  const failPoints = isTest ? createFailPoints() : null;

  async function handle(message: Message, connection: Connection): Promise<Outcome> {
    let command: Doc;
    try {
      command = decodeCommand(message.body);
      for (const [name, documents] of message.sequences) command.set(name, documents.map(decodeSent));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { kind: 'answer', document: encode(answerOf(error)) };
    }
    const name = read.nameOf(command);
    const failure = failPoints?.forCommand(name, connection.appName) ?? null;
    if (failure) {
      if (failure.blockMs > 0) await pause(failure.blockMs, command);
      if (failure.closeConnection) return { kind: 'hang up' };
    }
    let answer: Plain;
    try {
      if (failure?.errorCode) throw failedBy(failure);
      answer = await run(name, command, connection);
    } catch (error) {
      if (error instanceof HangUp) return { kind: 'hang up' };
      const told = error instanceof SnapshotLost ? interrupted() : error;
      if (!(told instanceof StoreError)) {
        // A closed connection would be taken for the network's fault, and the same command sent again.
        onFailure(error);
        return { kind: 'answer', document: encode(answerOf(internalError()), times()) };
      }
      answer = answerOf(addLabels(told, command, failure?.errorLabels ?? null, Boolean(failure?.errorCode)));
    }
    if (failure?.writeConcernError) answer = withConcernError(answer, failure, command);
    return { kind: 'answer', document: encode(answer, times()), unsent: closing(answer) };
  }

  /** Closes the cursor that an answer tells of: what nobody hears of nobody reads on. */
  function closing({ cursor }: Answer): (() => void) | undefined {
    const opened = cursor as { id?: unknown; firstBatch?: unknown } | undefined;
    if (!opened?.firstBatch || typeof opened.id !== 'bigint' || opened.id === 0n) return undefined;
    const { id } = opened;
    return () => cursors.remove(id);
  }

  const signature = { hash: new Binary(Buffer.alloc(20), 0), keyId: 0n };
  let latest: { time: Time; bytes: Buffer } | null = null;

  /** How far the store has come: what drivers pass on so that one client sees what another wrote. */
  function times(): Buffer {
    const time = database.oplog.durable();
    if (latest?.time === time) return latest.bytes;
    const now = toTimestamp(time);
    latest = { time, bytes: encode({ $clusterTime: { clusterTime: now, signature }, operationTime: now }) };
    return latest.bytes;
  }

  async function run(name: string, command: Doc, connection: Connection): Promise<Answer> {
    const key = name.toLowerCase();
    const found = Object.hasOwn(commands, key) ? commands[key]! : undefined;
    if (!found) throw commandNotFound(name);
    if (!connection.isAuthenticated && !found.isOpen)
      throw new StoreError(13, 'Unauthorized', `Command ${name} requires authentication`);
    checkApi(command);
    const session = found.isOpen ? null : sessions.enter(command.get('lsid'));
    if (!session) return runIn(null, name, found, command, connection);
    if (command.has('autocommit')) sessions.carry(session, connection);
    try {
      return await runIn(session, name, found, command, connection);
    } finally {
      sessions.leave(session);
    }
  }

  async function runIn(
    session: Session | null,
    name: string,
    found: Command,
    command: Doc,
    connection: Connection,
  ): Promise<Answer> {
    const maxTime = found === commands.getmore ? undefined : read.optionalNumber(command, 'maxTimeMS');
    const plain: Context = {
      database,
      sessions,
      cursors,
      failPoints,
      connection,
      server,
      session,
      transaction: null,
      number: null,
      isRetryable: false,
      deadline: maxTime ? { at: performance.now() + maxTime } : undefined,
      at: null,
    };
    const barrier = found.isImmediate ? null : database.defined();
    if (barrier !== null) await barrier;
    if (!session || !command.has('txnNumber'))
      return finish(found, command, withSnapshot(found, command, plain));
    // Statements of one session come one after another, whichever connection they come by.
    const before = session.busy;
    let open!: () => void;
    session.busy = new Promise((resolve) => {
      open = resolve;
    });
    await before;
    try {
      if (command.has('autocommit')) return await inTransaction(name, found, command, plain, session);
      if (!found.isWrite) {
        if (command.has('txnNumber') && !['commitTransaction', 'abortTransaction'].includes(name))
          throw new StoreError(72, 'InvalidOptions', `txnNumber may not be given to ${name}`);
        return await finish(found, command, plain);
      }
      sessions.beginWrite(command, session);
      return await finish(found, command, {
        ...withSnapshot(found, command, plain),
        isRetryable: true,
        number: read.long(command, 'txnNumber'),
      });
    } finally {
      open();
    }
  }

  async function inTransaction(
    name: string,
    found: Command,
    command: Doc,
    plain: Context,
    session: Session,
  ): Promise<Answer> {
    if (command.get('autocommit') !== false)
      throw new StoreError(72, 'InvalidOptions', 'Specifying autocommit=true is not allowed.');
    if (!found.inTransaction)
      throw new StoreError(
        263,
        'OperationNotSupportedInTransaction',
        `Cannot run '${name}' in a multi-document transaction.`,
      );
    const number = read.long(command, 'txnNumber');
    if (name === 'commitTransaction' || name === 'abortTransaction')
      return finish(found, command, { ...plain, number });
    if (command.has('writeConcern'))
      throw new StoreError(
        72,
        'InvalidOptions',
        'writeConcern is not allowed within a multi-statement transaction',
      );
    if (command.has('readConcern') && command.get('startTransaction') !== true)
      throw new StoreError(
        72,
        'InvalidOptions',
        'Only the first command in a transaction may specify a readConcern',
      );
    const transaction = sessions.transactionFor(command, session);
    const abort = () => {
      if (session.open === transaction) sessions.abort(session);
    };
    try {
      const answer = await found.handler(command, { ...plain, transaction, number });
      if (Array.isArray(answer.writeErrors) || isFailedBulk(answer)) abort();
      return answer;
    } catch (error) {
      // An error inside a transaction ends it.
      abort();
      throw error;
    }
  }

  const isFailedBulk = (answer: Answer): boolean =>
    answer.nErrors instanceof Int32 && answer.nErrors.value > 0;

  /** `readConcern: snapshot` outside of transactions: reads at one time, as often as it is asked for. */
  function withSnapshot(found: Command, command: Doc, context: Context): Context {
    const concern = read.optionalDoc(command, 'readConcern');
    if (!concern) return context;
    const level = read.optionalText(concern, 'level');
    if (
      level !== undefined &&
      !['local', 'majority', 'linearizable', 'available', 'snapshot'].includes(level)
    )
      throw new StoreError(
        9,
        'FailedToParse',
        `Enumeration value '${level}' for field 'readConcern.level' is not valid`,
      );
    if (level !== 'snapshot') return context;
    if (!found.readsSnapshot)
      throw new StoreError(
        72,
        'InvalidOptions',
        `readConcern level 'snapshot' is not supported by this command`,
      );
    if (!context.session) return context;
    const at = concern.get('atClusterTime');
    return { ...context, at: snapshots.at(at instanceof Timestamp ? at : null) };
  }

  async function finish(found: Command, command: Doc, context: Context): Promise<Answer> {
    const answer = await found.handler(command, context);
    const concern = command.get('writeConcern');
    const w = concern instanceof Map ? concern.get('w') : undefined;
    const copies =
      w instanceof Int32 ? w.value : typeof w === 'number' ? w : typeof w === 'bigint' ? Number(w) : 1;
    if (copies <= 1) return answer;
    return {
      ...answer,
      writeConcernError: {
        code: new Int32(100),
        codeName: 'UnsatisfiableWriteConcern',
        errmsg: 'Not enough data-bearing nodes',
      },
    };
  }

  return {
    handle,
    /** Ends what nobody came back for. */
    async sweep(): Promise<void> {
      cursors.sweep();
      sessions.sweep();
      snapshots.sweep();
      await notes.sweep(database.now().getTime() - noteLifeMs);
    },
    close(): void {
      cursors.close();
      sessions.close();
      snapshots.close();
    },
  };
}

/** Of those that may be tried again at once. */
const interrupted = () =>
  new StoreError(262, 'ExceededTimeLimit', 'the disk failed while this was read: try again');

const internalError = () =>
  new StoreError(1, 'InternalError', 'the store failed at this command; its log says at what');

const failedBy = (failure: Failure): StoreError =>
  new StoreError(
    failure.errorCode!,
    codeNames[failure.errorCode!] ?? `Location${failure.errorCode}`,
    "Failing command via 'failCommand' failpoint",
    failure.extra ? { errInfo: failure.extra } : {},
  );

/** The names of those codes that drivers look for. */
const codeNames: Record<number, string> = {
  6: 'HostUnreachable',
  7: 'HostNotFound',
  10: 'CannotSatisfyWriteConcern',
  24: 'LockTimeout',
  43: 'CursorNotFound',
  50: 'MaxTimeMSExpired',
  64: 'WriteConcernFailed',
  89: 'NetworkTimeout',
  91: 'ShutdownInProgress',
  100: 'UnsatisfiableWriteConcern',
  112: 'WriteConflict',
  134: 'ReadConcernMajorityNotAvailableYet',
  189: 'PrimarySteppedDown',
  237: 'CursorKilled',
  251: 'NoSuchTransaction',
  262: 'ExceededTimeLimit',
  391: 'ReauthenticationRequired',
  9001: 'SocketException',
  10107: 'NotWritablePrimary',
  11600: 'InterruptedAtShutdown',
  11601: 'Interrupted',
  11602: 'InterruptedDueToReplStateChange',
  13435: 'NotPrimaryNoSecondaryOk',
  13436: 'NotPrimaryOrSecondary',
};

/** Blocks as long as it was told, or until the command's own time is over. */
async function pause(ms: number, command: Doc): Promise<void> {
  const most = read.optionalNumber(command, 'maxTimeMS');
  const left = most && read.nameOf(command) !== 'getMore' ? Math.min(ms, most) : ms;
  await new Promise((resolve) => setTimeout(resolve, left));
}

function withConcernError(answer: Plain, failure: Failure, command: Doc): Plain {
  const told = failure.writeConcernError!;
  const labels = failure.errorLabels ?? labelsOfConcern(told, command);
  return {
    ...answer,
    writeConcernError: told,
    ...(labels.length > 0 && { errorLabels: labels }),
  };
}

const retryable = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

function labelsOfConcern(told: Doc, command: Doc): string[] {
  const code = read.number(told, 'code', 0);
  const name = read.nameOf(command);
  const isEnd = name === 'commitTransaction' || name === 'abortTransaction';
  const isRetryable = command.has('txnNumber') && (command.get('autocommit') !== false || isEnd);
  return retryable.has(code) && isRetryable ? ['RetryableWriteError'] : [];
}

function checkApi(command: Doc): void {
  const api = command.get('apiVersion');
  if (api !== undefined && api !== '1')
    throw new StoreError(322, 'APIVersionError', `API version must be "1"`);
}
