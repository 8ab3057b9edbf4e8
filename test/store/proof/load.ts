import type { CommandStartedEvent, CommandSucceededEvent, Document, MongoClient } from 'mongodb';
import { type Book, database, filler, type Operation, type Seen } from './book.js';
import type { Random } from './seed.js';

/**
 * The load of the proofs: single writes, bulk writes and transactions over several collections, each noted in the book
 * before it is sent and again when it was acknowledged.
 */
type Row = { _id: string } & Document;

const counters = 5;
const accounts = 8;
const groups = 7;

const counterId = (round: number, n: number) => `counter-${round}-${n}`;
const accountId = (round: number, n: number) => `account-${round}-${n}`;

/** Collections and indexes of every kind that a write has to keep. */
export async function prepare(client: MongoClient): Promise<void> {
  const db = client.db(database);
  for (const name of ['counters', 'accounts', 'left', 'right', 'gone']) await db.createCollection(name);
  const rows = db.collection('rows');
  await rows.createIndex({ group: 1, at: -1 });
  await rows.createIndex({ key: 1 }, { unique: true });
  await rows.createIndex({ tags: 1 });
  await rows.createIndex({ rare: 1 }, { sparse: true });
  await db.collection('left').createIndex({ op: 1 }, { unique: true });
  await db.collection('accounts').createIndex({ balance: 1 });
}

/** The documents that operations of one round change. */
export async function beginRound(client: MongoClient, round: number): Promise<void> {
  const db = client.db(database);
  await db
    .collection<Row>('counters')
    .insertMany(
      Array.from({ length: counters }, (_, n) => ({ _id: counterId(round, n), round, n: 0, ops: [] })),
    );
  await db
    .collection<Row>('accounts')
    .insertMany(
      Array.from({ length: accounts }, (_, n) => ({ _id: accountId(round, n), round, balance: 0, ops: [] })),
    );
}

export interface Load {
  /** Runs workers until each has done its share or is told to stop. */
  run(options: {
    workers: number;
    operations: number;
    isOver: () => boolean;
    pauseMs: number;
  }): Promise<void>;
}

interface Options {
  /** One a worker, else all use the first: a driver tries again only on the connection whose end it noticed first. */
  clients: MongoClient[];
  book: Book;
  random: Random;
  round: number;
  /** The size of the largest documents. */
  largest: number;
  onFailure?: (operation: Operation, error: unknown) => void;
}

export function createLoad({ clients, book, random, round, largest, onFailure }: Options): Load {
  let made = 0;

  const nextId = (kind: string) => {
    made += 1;
    return `${kind}-${round}-${made}`;
  };

  const aRow = (op: string, at: number): Row => {
    const _id = `${op}.${at}`;
    return {
      _id,
      op,
      round,
      key: `key of ${_id}`,
      group: random.below(groups),
      at: new Date(1_700_000_000_000 + random.below(1_000_000)),
      tags: Array.from({ length: random.below(4) }, () => `tag ${random.below(9)}`),
      ...(random.chance(0.2) && { rare: random.below(50) }),
      ...filler(_id, random.chance(0.1) ? random.below(largest) : random.below(300)),
    };
  };
  const hasRow = (id: string) => (seen: Seen) => seen.rows.has(id);
  const hasCounted = (counter: string, op: string) => (seen: Seen) =>
    seen.counters.get(counter)?.ops.includes(op) === true;

  const kinds: Record<string, (client: MongoClient) => [Operation, () => Promise<unknown>]> = {
    insert(client) {
      const db = client.db(database);
      const id = nextId('insert');
      const row = aRow(id, 0);
      return [
        book.open({ id, kind: 'insert', isAtomic: true, parts: [hasRow(row._id)] }),
        () => db.collection<Row>('rows').insertOne(row, { comment: id }),
      ];
    },
    insertMany(client) {
      const db = client.db(database);
      const id = nextId('insertMany');
      const rows = Array.from({ length: 2 + random.below(10) }, (_, at) => aRow(id, at));
      return [
        book.open({ id, kind: 'insertMany', isAtomic: false, parts: rows.map(({ _id }) => hasRow(_id)) }),
        () => db.collection<Row>('rows').insertMany(rows, { comment: id }),
      ];
    },
    upsert(client) {
      const db = client.db(database);
      const id = nextId('upsert');
      const { _id, ...row } = aRow(id, 0);
      return [
        book.open({ id, kind: 'upsert', isAtomic: true, parts: [hasRow(_id)] }),
        () => db.collection<Row>('rows').updateOne({ _id }, { $set: row }, { upsert: true, comment: id }),
      ];
    },
    increment(client) {
      const db = client.db(database);
      const id = nextId('increment');
      const counter = counterId(round, random.below(counters));
      return [
        book.open({ id, kind: 'increment', isAtomic: true, parts: [hasCounted(counter, id)] }),
        () =>
          db
            .collection<Row>('counters')
            .updateOne({ _id: counter }, { $inc: { n: 1 }, $push: { ops: id } as Document }, { comment: id }),
      ];
    },
    findAndIncrement(client) {
      const db = client.db(database);
      const id = nextId('findAndIncrement');
      const counter = counterId(round, random.below(counters));
      return [
        book.open({ id, kind: 'findAndIncrement', isAtomic: true, parts: [hasCounted(counter, id)] }),
        () =>
          db
            .collection<Row>('counters')
            .findOneAndUpdate(
              { _id: counter },
              { $inc: { n: 1 }, $push: { ops: id } as Document },
              { comment: id },
            ),
      ];
    },
    delete(client) {
      const db = client.db(database);
      const id = nextId('delete');
      return [
        book.open({ id, kind: 'delete', isAtomic: true, parts: [(seen) => !seen.gone.has(id)] }),
        async () => {
          await db.collection<Row>('gone').insertOne({ _id: id, op: id, round });
          await db.collection<Row>('gone').deleteOne({ _id: id }, { comment: id });
        },
      ];
    },
    bulk(client) {
      const db = client.db(database);
      const id = nextId('bulk');
      const rows = [aRow(id, 0), aRow(id, 1)];
      const [first, second] = [counterId(round, random.below(counters)), aRow(id, 2)];
      return [
        book.open({
          id,
          kind: 'bulk',
          isAtomic: false,
          parts: [...rows.map(({ _id }) => hasRow(_id)), hasCounted(first, id), hasRow(second._id)],
        }),
        () =>
          db
            .collection<Row>('rows')
            .bulkWrite(
              rows.map((document) => ({ insertOne: { document } })),
              { comment: id },
            )
            .then(() =>
              db.collection<Row>('counters').bulkWrite(
                [
                  {
                    updateOne: {
                      filter: { _id: first },
                      update: { $inc: { n: 1 }, $push: { ops: id } as Document },
                    },
                  },
                ],
                { comment: id },
              ),
            )
            .then(() => db.collection<Row>('rows').insertOne(second, { comment: id })),
      ];
    },
    transaction(client) {
      const db = client.db(database);
      const id = nextId('transaction');
      const from = random.below(accounts);
      const [payer, payee] = [
        accountId(round, from),
        accountId(round, (from + 1 + random.below(accounts - 1)) % accounts),
      ];
      const moved = (account: string) => (seen: Seen) =>
        seen.accounts.get(account)?.ops.includes(id) === true;
      return [
        book.open({
          id,
          kind: 'transaction',
          isAtomic: true,
          parts: [(seen) => seen.left.has(id), (seen) => seen.right.has(id), moved(payer), moved(payee)],
        }),
        () =>
          client.withSession((session) =>
            session.withTransaction(async () => {
              const options = { session, comment: id };
              const row = { _id: id, op: id, round, ...filler(id, random.below(largest / 4)) };
              await db.collection<Row>('left').insertOne(row, options);
              await db
                .collection<Row>('accounts')
                .updateOne(
                  { _id: payer },
                  { $inc: { balance: -1 }, $push: { ops: id } as Document },
                  options,
                );
              await db
                .collection<Row>('accounts')
                .updateOne({ _id: payee }, { $inc: { balance: 1 }, $push: { ops: id } as Document }, options);
              await db.collection<Row>('right').insertOne(row, options);
            }),
          ),
      ];
    },
  };
  const weighted = [
    ...['insert', 'insert', 'insert', 'insertMany', 'upsert', 'increment', 'increment', 'findAndIncrement'],
    ...['delete', 'bulk', 'transaction', 'transaction', 'transaction'],
  ];

  async function runOne(client: MongoClient, pauseMs: number): Promise<void> {
    const [operation, send] = kinds[random.pick(weighted)]!(client);
    try {
      await send();
      operation.state = 'acknowledged';
    } catch (error) {
      operation.state = 'failed';
      onFailure?.(operation, error);
      // A store that is down fails at once, over and over.
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  return {
    async run({ workers, operations, isOver, pauseMs }) {
      let begun = 0;
      const work = async (client: MongoClient) => {
        while (begun < operations && !isOver()) {
          begun += 1;
          await runOne(client, pauseMs);
        }
      };
      await Promise.all(Array.from({ length: workers }, (_, n) => work(clients[n % clients.length]!)));
    },
  };
}

/** Notes with each operation the request whose answer acknowledges it: a transaction's is its commit. */
export function noteRequests(client: MongoClient, book: Book): void {
  const byRequest = new Map<number, string>();
  const byTransaction = new Map<string, string>();
  client.on('commandStarted', ({ command, requestId }: CommandStartedEvent) => {
    const transaction =
      command.autocommit === false ? `${command.lsid?.id?.toString('hex')}:${command.txnNumber}` : null;
    const operation = command.comment ?? (transaction && byTransaction.get(transaction));
    if (typeof operation !== 'string') return;
    if (transaction) byTransaction.set(transaction, operation);
    if (!transaction || command.commitTransaction) byRequest.set(requestId, operation);
  });
  client.on('commandSucceeded', ({ requestId }: CommandSucceededEvent) => {
    const operation = book.operations.get(byRequest.get(requestId) ?? '');
    if (operation) operation.requestId = requestId;
  });
}
