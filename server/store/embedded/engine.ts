import { randomUUID } from 'node:crypto';
import { type Binary, Int32, Long, ObjectId, Timestamp } from 'bson';
import { aggregateRows } from './aggregate.js';
import { commandNotFound, cursorNotFound, failedToParse, noSuchTransaction, StoreError } from './errors.js';
import { compileFilter, valuesAt } from './match.js';
import { type Found, scan } from './scan.js';
import type { Collection, Storage } from './storage.js';
import { applyUpdate, project, seedOf } from './update.js';
import { type Doc, equals, isNumber, numeric } from './values.js';
import { liveView, type OpenTransaction, type Query, transactionView, type View } from './view.js';
import { encode } from './wire.js';

/** An answer, or an answer already encoded. */
export type Answer = Doc | Buffer;

interface Session {
  key: string;
  number: bigint;
  open: OpenTransaction | null;
  usedAt: number;
}

interface Cursor {
  namespace: string;
  rows: Iterator<Buffer>;
  usedAt: number;
}

const int = (value: unknown, fallback = 0): number => (isNumber(value) ? Number(numeric(value)) : fallback);
const text = (value: unknown): string => {
  if (typeof value !== 'string') throw failedToParse('a name must be a string');
  return value;
};
const doc = (value: unknown): Doc | undefined =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0 ? (value as Doc) : undefined;
const bigint = (value: unknown): bigint => BigInt(numeric(value));

const writing = new Set([
  'insert',
  'update',
  'delete',
  'findAndModify',
  'findandmodify',
  'create',
  'drop',
  'dropDatabase',
  'createIndexes',
  'dropIndexes',
  'commitTransaction',
]);
const cursorLifeMs = 10 * 60_000;
const transactionLifeMs = 60_000;

/** BSON of a cursor's answer around documents that are bytes already: nothing is decoded only to be encoded again. */
function cursorAnswer(
  field: 'firstBatch' | 'nextBatch',
  rows: Buffer[],
  id: bigint,
  namespace: string,
): Buffer {
  const array: Buffer[] = [];
  let size = 5;
  for (const [at, row] of rows.entries()) {
    const head = Buffer.from(`\x03${at}\0`, 'latin1');
    array.push(head, row);
    size += head.length + row.length;
  }
  const arrayHead = Buffer.alloc(4);
  arrayHead.writeInt32LE(size);
  const tail = encode({ id: Long.fromBigInt(id), ns: namespace }).subarray(4);
  const cursorSize = 4 + 1 + field.length + 1 + size + tail.length;
  const cursorHead = Buffer.alloc(4);
  cursorHead.writeInt32LE(cursorSize);
  const close = encode({ ok: 1 }).subarray(4);
  const total = 4 + 1 + 7 + cursorSize + close.length;
  const head = Buffer.alloc(4);
  head.writeInt32LE(total);
  return Buffer.concat([
    head,
    Buffer.from('\x03cursor\0', 'latin1'),
    cursorHead,
    Buffer.from(`\x04${field}\0`, 'latin1'),
    arrayHead,
    ...array,
    Buffer.from([0]),
    tail,
    close,
  ]);
}

export function createEngine(storage: Storage, socketName: string, now: () => Date = () => new Date()) {
  const live = liveView(storage);
  const sessions = new Map<string, Session>();
  const cursors = new Map<bigint, Cursor>();
  let nextCursor = 1n;
  const startedAt = now();

  function sessionOf(command: Doc): Session | null {
    const lsid = command.lsid as { id?: Binary } | undefined;
    if (!lsid?.id) return null;
    const key = Buffer.from(lsid.id.buffer).toString('hex');
    let session = sessions.get(key);
    if (!session) {
      session = { key, number: -1n, open: null, usedAt: 0 };
      sessions.set(key, session);
    }
    session.usedAt = now().getTime();
    return session;
  }

  const endTransaction = (session: Session) => {
    session.open?.end();
    session.open = null;
  };

  /** The view a command works on: the store, or its session's transaction. */
  function viewOf(command: Doc, session: Session | null): View {
    if (command.autocommit === undefined || !session) return live;
    const number = bigint(command.txnNumber);
    if (command.startTransaction === true) {
      endTransaction(session);
      session.number = number;
      session.open = transactionView(storage);
    }
    if (session.number !== number || !session.open) throw noSuchTransaction(String(number));
    return session.open.view;
  }

  const namespaceOf = (command: Doc, name: string): [string, string] => [
    text(command.$db),
    text(command[name]),
  ];

  function collectionFor(command: Doc, name: string): Collection {
    const [db, collection] = namespaceOf(command, name);
    return storage.collection(db, collection) ?? storage.create(db, collection, {}, randomUUID());
  }

  /** Opens a cursor over rows and answers with its first batch. */
  function answerRows(
    rows: Iterator<Buffer>,
    namespace: string,
    batchSize: number,
    isSingle: boolean,
  ): Buffer {
    const cursor: Cursor = { namespace, rows, usedAt: now().getTime() };
    const { batch, isEnd } = take(cursor, batchSize);
    if (isEnd || isSingle) return cursorAnswer('firstBatch', batch, 0n, namespace);
    const id = nextCursor;
    nextCursor += 1n;
    cursors.set(id, cursor);
    return cursorAnswer('firstBatch', batch, id, namespace);
  }

  function take(cursor: Cursor, batchSize: number): { batch: Buffer[]; isEnd: boolean } {
    const batch: Buffer[] = [];
    let bytes = 0;
    while (batch.length < batchSize && bytes < 12_000_000) {
      const next = cursor.rows.next();
      if (next.done) return { batch, isEnd: true };
      batch.push(next.value);
      bytes += next.value.length;
    }
    return { batch, isEnd: false };
  }

  function* rowsOf(found: Iterable<Found>, projection: Doc | undefined): Generator<Buffer> {
    for (const one of found) yield projection ? encode(project(one.doc, projection)) : one.raw;
  }

  const queryOf = (command: Doc): Query => ({
    filter: (command.filter ?? command.query ?? {}) as Doc,
    sort: doc(command.sort),
    skip: int(command.skip),
    limit: Math.abs(int(command.limit)),
    hint: command.hint,
  });

  function writeErrors(
    list: Doc[],
    ordered: boolean,
    run: (item: Doc, at: number) => void,
    inTransaction: boolean,
  ): Doc[] {
    const errors: Doc[] = [];
    for (const [at, item] of list.entries()) {
      try {
        run(item, at);
      } catch (error) {
        if (!(error instanceof StoreError) || inTransaction) throw error;
        errors.push({
          index: new Int32(at),
          code: new Int32(error.code),
          errmsg: error.message,
          ...error.extra,
        });
        if (ordered) break;
      }
    }
    return errors;
  }

  const finished = (counts: Doc, errors: Doc[]): Doc => ({
    ...counts,
    ...(errors.length > 0 && { writeErrors: errors }),
    ok: 1,
  });

  function updateOne(
    view: View,
    collection: Collection,
    item: Doc,
  ): { matched: number; modified: number; upserted?: unknown } {
    const filter = (item.q ?? {}) as Doc;
    const update = item.u as Doc;
    if (item.arrayFilters !== undefined) throw failedToParse('arrayFilters are not supported');
    const found = [
      ...view.find(collection, {
        filter,
        sort: doc(item.sort),
        limit: item.multi === true ? 0 : 1,
        hint: item.hint,
      }),
    ];
    let modified = 0;
    for (const one of found) {
      const after = applyUpdate(one.doc, update, false, now());
      if (encode(after).equals(one.raw)) continue;
      view.replace(collection, one, after);
      modified += 1;
    }
    if (found.length > 0 || item.upsert !== true) return { matched: found.length, modified };
    const made = insertable(applyUpdate(seedOf(filter), update, true, now()));
    view.insert(collection, made);
    return { matched: 1, modified: 0, upserted: made._id };
  }

  const insertable = (made: Doc): Doc => ({ _id: made._id ?? new ObjectId(), ...made });

  const handlers: Record<string, (command: Doc, view: View, session: Session | null) => Answer> = {
    hello: () => greeting(),
    ismaster: () => ({ ...greeting(), ismaster: true }),
    ping: () => ({ ok: 1 }),
    buildinfo: () => ({
      version: '8.0.0',
      versionArray: [8, 0, 0, 0].map((one) => new Int32(one)),
      maxBsonObjectSize: new Int32(16_777_216),
      ok: 1,
    }),
    connectionstatus: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 }),
    serverstatus: () => ({
      host: socketName,
      version: '8.0.0',
      process: 'threadline-store',
      pid: new Int32(process.pid),
      uptime: (now().getTime() - startedAt.getTime()) / 1_000,
      connections: { current: new Int32(0) },
      ok: 1,
    }),
    dbstats: (command) => ({
      db: text(command.$db),
      collections: new Int32(storage.collectionsOf(text(command.$db)).length),
      ok: 1,
    }),
    endsessions: (command) => {
      for (const { id } of (command.endSessions ?? []) as { id: Binary }[]) {
        const session = sessions.get(Buffer.from(id.buffer).toString('hex'));
        if (session) endTransaction(session);
      }
      return { ok: 1 };
    },
    listdatabases: () => ({
      databases: storage.databases().map((name) => ({ name, sizeOnDisk: 0, empty: false })),
      totalSize: 0,
      ok: 1,
    }),

    create(command) {
      const [db, name] = namespaceOf(command, 'create');
      if (storage.collection(db, name))
        throw new StoreError(48, 'NamespaceExists', `Collection ${db}.${name} already exists.`);
      storage.create(db, name, {}, randomUUID());
      return { ok: 1 };
    },
    drop(command) {
      const [db, name] = namespaceOf(command, 'drop');
      const collection = storage.collection(db, name);
      if (collection) storage.drop(collection);
      return { ok: 1 };
    },
    dropdatabase(command) {
      for (const collection of storage.collectionsOf(text(command.$db))) storage.drop(collection);
      return { dropped: text(command.$db), ok: 1 };
    },
    listcollections(command) {
      const db = text(command.$db);
      const filter = (command.filter ?? {}) as Doc;
      const rows = storage
        .collectionsOf(db)
        .filter(({ name }) => filter.name === undefined || filter.name === name)
        .map(({ name }) =>
          encode({
            name,
            type: 'collection',
            options: {},
            info: { readOnly: false },
            idIndex: { v: new Int32(2), key: { _id: new Int32(1) }, name: '_id_' },
          }),
        );
      return answerRows(rows[Symbol.iterator](), `${db}.$cmd.listCollections`, 1_000, true);
    },
    createindexes(command) {
      const collection = collectionFor(command, 'createIndexes');
      const before = collection.indexes.length;
      for (const spec of command.indexes as Doc[]) {
        const present = collection.indexes.find(({ name }) => name === spec.name);
        if (present && !equals(present.key, spec.key))
          throw new StoreError(
            86,
            'IndexKeySpecsConflict',
            `An existing index has the same name as the requested index: ${present.name}`,
          );
        if (!present) storage.addIndex(collection, spec);
      }
      return {
        numIndexesBefore: new Int32(before),
        numIndexesAfter: new Int32(collection.indexes.length),
        ok: 1,
      };
    },
    dropindexes(command) {
      const collection = collectionFor(command, 'dropIndexes');
      const wanted = command.index;
      for (const { name } of [...collection.indexes])
        if (name !== '_id_' && (wanted === '*' || wanted === name)) storage.removeIndex(collection, name);
      return { ok: 1 };
    },
    listindexes(command) {
      const [db, name] = namespaceOf(command, 'listIndexes');
      const collection = storage.collection(db, name);
      if (!collection) throw new StoreError(26, 'NamespaceNotFound', `ns does not exist: ${db}.${name}`);
      const rows = collection.indexes.map((one) =>
        encode({
          v: new Int32(2),
          key: one.key,
          name: one.name,
          ...(one.unique && one.name !== '_id_' && { unique: true }),
          ...(one.sparse && { sparse: true }),
          ...(one.partial && { partialFilterExpression: one.partial }),
        }),
      );
      return answerRows(rows[Symbol.iterator](), `${db}.${name}`, 1_000, true);
    },

    insert(command, view) {
      const collection = collectionFor(command, 'insert');
      const list = command.documents as Doc[];
      let n = 0;
      const errors = writeErrors(
        list,
        command.ordered !== false,
        (item) => {
          view.insert(collection, item);
          n += 1;
        },
        view !== live,
      );
      return finished({ n: new Int32(n) }, errors);
    },
    update(command, view) {
      const collection = collectionFor(command, 'update');
      const upserted: Doc[] = [];
      let [n, nModified] = [0, 0];
      const errors = writeErrors(
        command.updates as Doc[],
        command.ordered !== false,
        (item, at) => {
          const result = updateOne(view, collection, item);
          n += result.matched;
          nModified += result.modified;
          if ('upserted' in result) upserted.push({ index: new Int32(at), _id: result.upserted });
        },
        view !== live,
      );
      return finished(
        { n: new Int32(n), nModified: new Int32(nModified), ...(upserted.length > 0 && { upserted }) },
        errors,
      );
    },
    delete(command, view) {
      const collection = collectionFor(command, 'delete');
      let n = 0;
      const errors = writeErrors(
        command.deletes as Doc[],
        command.ordered !== false,
        (item) => {
          const found = [
            ...view.find(collection, {
              filter: (item.q ?? {}) as Doc,
              limit: int(item.limit),
              hint: item.hint,
            }),
          ];
          for (const one of found) view.remove(collection, one);
          n += found.length;
        },
        view !== live,
      );
      return finished({ n: new Int32(n) }, errors);
    },
    findandmodify(command, view) {
      const collection = collectionFor(command, 'findAndModify');
      const [found] = view.find(collection, { ...queryOf(command), limit: 1 });
      const fields = doc(command.fields);
      if (command.remove === true) {
        if (found) view.remove(collection, found);
        return {
          lastErrorObject: { n: new Int32(found ? 1 : 0) },
          value: found ? project(found.doc, fields) : null,
          ok: 1,
        };
      }
      const update = command.update as Doc;
      if (!found && command.upsert !== true)
        return { lastErrorObject: { n: new Int32(0), updatedExisting: false }, value: null, ok: 1 };
      const after = found
        ? applyUpdate(found.doc, update, false, now())
        : insertable(applyUpdate(seedOf((command.query ?? {}) as Doc), update, true, now()));
      if (found) view.replace(collection, found, after);
      else view.insert(collection, after);
      const shown = command.new === true ? after : found?.doc;
      return {
        lastErrorObject: {
          n: new Int32(1),
          updatedExisting: found !== undefined,
          ...(!found && { upserted: after._id }),
        },
        value: shown ? project(shown, fields) : null,
        ok: 1,
      };
    },

    find(command, view) {
      const [db, name] = namespaceOf(command, 'find');
      const collection = storage.collection(db, name);
      const found = collection ? view.find(collection, queryOf(command)) : [];
      const isSingle = command.singleBatch === true || int(command.limit) < 0;
      // In a transaction the rows are taken now: it may be over when the next batch is asked for.
      const rows = rowsOf(found, doc(command.projection));
      return answerRows(
        view === live ? rows : [...rows][Symbol.iterator](),
        `${db}.${name}`,
        int(command.batchSize, 101),
        isSingle,
      );
    },
    getmore(command) {
      const id = bigint(command.getMore);
      const cursor = cursors.get(id);
      if (!cursor) throw cursorNotFound(String(id));
      cursor.usedAt = now().getTime();
      const { batch, isEnd } = take(cursor, int(command.batchSize, 1_000_000));
      if (isEnd) cursors.delete(id);
      return cursorAnswer('nextBatch', batch, isEnd ? 0n : id, cursor.namespace);
    },
    killcursors(command) {
      const ids = (command.cursors as unknown[]).map(bigint);
      const killed = ids.filter((id) => {
        cursors.get(id)?.rows.return?.();
        return cursors.delete(id);
      });
      return {
        cursorsKilled: killed.map((id) => Long.fromBigInt(id)),
        cursorsNotFound: ids.filter((id) => !killed.includes(id)).map((id) => Long.fromBigInt(id)),
        cursorsAlive: [],
        cursorsUnknown: [],
        ok: 1,
      };
    },
    count(command, view) {
      const [db, name] = namespaceOf(command, 'count');
      const collection = storage.collection(db, name);
      let n = 0;
      if (collection) for (const _ of view.find(collection, queryOf(command))) n += 1;
      return { n: new Int32(n), ok: 1 };
    },
    distinct(command, view) {
      const [db, name] = namespaceOf(command, 'distinct');
      const collection = storage.collection(db, name);
      const values: unknown[] = [];
      const seen = new Set<string>();
      for (const one of collection ? view.find(collection, queryOf(command)) : []) {
        for (const value of valuesAt(one.doc, text(command.key).split('.')).flat()) {
          const key = encode({ value }).toString('latin1');
          if (value === undefined || seen.has(key)) continue;
          seen.add(key);
          values.push(value);
        }
      }
      return { values, ok: 1 };
    },
    aggregate(command, view) {
      const [db, name] = namespaceOf(command, 'aggregate');
      const collection = storage.collection(db, name);
      const pipeline = command.pipeline as Doc[];
      const first = pipeline[0]?.$match as Doc | undefined;
      const docs = (function* () {
        for (const one of collection
          ? view.find(collection, { filter: first ?? {}, hint: command.hint })
          : [])
          yield one.doc;
      })();
      const rows = [...aggregateRows(docs, first ? pipeline.slice(1) : pipeline)].map((row) => encode(row));
      return answerRows(
        rows[Symbol.iterator](),
        `${db}.${name}`,
        int((command.cursor as Doc | undefined)?.batchSize, 101),
        false,
      );
    },
    explain(command) {
      const inner = command.explain as Doc;
      const collection = storage.collection(text(command.$db), text(inner.find));
      if (!collection)
        return {
          queryPlanner: { winningPlan: { stage: 'EOF' } },
          executionStats: {
            nReturned: new Int32(0),
            totalKeysExamined: new Int32(0),
            totalDocsExamined: new Int32(0),
          },
          ok: 1,
        };
      const query = queryOf(inner);
      const counted = scan(storage, collection, query.filter, query.sort, query.hint, undefined);
      // The same reading as `find` does, counted.
      const wanted = (query.limit ?? 0) + (query.skip ?? 0);
      const stops = wanted > 0 && (!query.sort || counted.plan?.sorted === true);
      let n = 0;
      const matches = compileFilter(query.filter);
      for (const one of counted.found) {
        if (!matches(one.doc)) continue;
        n += 1;
        if (stops && n >= wanted) break;
      }
      const stage = counted.plan
        ? {
            stage: 'FETCH',
            inputStage: {
              stage: counted.plan.sorted && counted.plan.ranges.length > 1 ? 'SORT_MERGE' : 'IXSCAN',
              indexName: counted.plan.index.name,
            },
          }
        : { stage: 'COLLSCAN' };
      const winningPlan = query.sort && !counted.plan?.sorted ? { stage: 'SORT', inputStage: stage } : stage;
      return {
        queryPlanner: { winningPlan },
        executionStats: {
          nReturned: new Int32(n),
          totalKeysExamined: new Int32(counted.keysExamined),
          totalDocsExamined: new Int32(counted.docsExamined),
        },
        ok: 1,
      };
    },

    committransaction(command, _view, session) {
      const number = bigint(command.txnNumber);
      if (!session) throw noSuchTransaction(String(number));
      const done = storage.note.get(`transaction:${session.key}`);
      if (done && bigint(done.number) === number && !session.open) return { ok: 1 };
      if (session.number !== number || !session.open) throw noSuchTransaction(String(number));
      try {
        session.open.apply(live);
        if (session.open.hasWrites())
          storage.note.put(`transaction:${session.key}`, { number: Long.fromBigInt(number), at: now() });
      } finally {
        endTransaction(session);
      }
      return { ok: 1 };
    },
    aborttransaction(command, _view, session) {
      if (!session?.open || session.number !== bigint(command.txnNumber))
        throw noSuchTransaction(String(bigint(command.txnNumber)));
      endTransaction(session);
      return { ok: 1 };
    },
  };

  function greeting(): Doc {
    return {
      helloOk: true,
      isWritablePrimary: true,
      secondary: false,
      setName: 'threadline',
      setVersion: new Int32(1),
      hosts: [socketName],
      primary: socketName,
      me: socketName,
      topologyVersion: undefined,
      maxBsonObjectSize: new Int32(16_777_216),
      maxMessageSizeBytes: new Int32(48_000_000),
      maxWriteBatchSize: new Int32(100_000),
      localTime: now(),
      logicalSessionTimeoutMinutes: new Int32(30),
      connectionId: new Int32(1),
      minWireVersion: new Int32(0),
      maxWireVersion: new Int32(25),
      readOnly: false,
      operationTime: new Timestamp({ t: Math.floor(now().getTime() / 1_000), i: 1 }),
      ok: 1,
    };
  }

  const nameOf = (command: Doc) => Object.keys(command)[0] ?? '';

  function run(command: Doc): Answer {
    const name = nameOf(command);
    const handler = Object.hasOwn(handlers, name.toLowerCase()) ? handlers[name.toLowerCase()] : undefined;
    if (!handler) throw commandNotFound(name);
    const session = sessionOf(command);
    const isRetryable =
      command.txnNumber !== undefined &&
      command.autocommit === undefined &&
      session !== null &&
      writing.has(name);
    if (!isRetryable) {
      const isEnding = name === 'commitTransaction' || name === 'abortTransaction';
      const view = isEnding ? live : viewOf(command, session);
      try {
        return handler(command, view, session);
      } catch (error) {
        // An error inside a transaction ends it, as MongoDB's does.
        if (session?.open && view !== live) endTransaction(session);
        throw error;
      }
    }
    // A retried write is answered from what was noted with it, in the same commit.
    const key = `write:${session.key}`;
    const noted = storage.note.get(key);
    if (noted && bigint(noted.number) === bigint(command.txnNumber)) return noted.answer as Doc;
    const answer = handler(command, live, session);
    storage.note.put(key, { number: command.txnNumber, answer, at: now() });
    return answer;
  }

  function failure(error: unknown): Doc {
    if (!(error instanceof StoreError)) throw error;
    return {
      ok: 0,
      errmsg: error.message,
      code: new Int32(error.code),
      codeName: error.codeName,
      ...error.extra,
      ...(error.labels.length > 0 && { errorLabels: error.labels }),
    };
  }

  return {
    /** Whether a command has to run inside a commit. Inside a transaction only its end does. */
    isWrite: (command: Doc): boolean =>
      writing.has(nameOf(command)) &&
      (command.autocommit === undefined || nameOf(command) === 'commitTransaction'),
    isCommit: (command: Doc): boolean => nameOf(command) === 'commitTransaction',
    /** Creating a collection must not fail inside a transaction: it is made at once, outside of it. */
    needsCollection: (command: Doc): boolean =>
      writing.has(nameOf(command)) &&
      command.autocommit !== undefined &&
      typeof command[nameOf(command)] === 'string' &&
      !storage.collection(String(command.$db), String(command[nameOf(command)])),
    makeCollection: (command: Doc): void =>
      void storage.create(String(command.$db), String(command[nameOf(command)]), {}, randomUUID()),
    /** @throws what is no answer: the store itself failed */
    execute(command: Doc): Answer {
      try {
        return run(command);
      } catch (error) {
        return failure(error);
      }
    },
    /** As `execute`, but an error is thrown, so that a commit around it is undone. */
    executeOrThrow: run,
    failure,
    /** Ends what nobody came back for. */
    sweep(): void {
      const time = now().getTime();
      for (const [id, cursor] of cursors) if (time - cursor.usedAt > cursorLifeMs) cursors.delete(id);
      for (const [key, session] of sessions) {
        if (session.open && time - session.usedAt > transactionLifeMs) endTransaction(session);
        if (!session.open && time - session.usedAt > 30 * 60_000) sessions.delete(key);
      }
    },
  };
}
