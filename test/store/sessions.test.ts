import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Binary, type Document, Long, MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';
import { openInProcess } from './in-process.js';

type InProcess = ReturnType<typeof openInProcess>;

let time: number;
let store: InProcess;

beforeEach(async () => {
  time = Date.now();
  store = openInProcess(() => new Date(time));
  await store.run({ insert: 'c', documents: [{ _id: 1, n: 0 }], $db: 'test' });
});
afterEach(async () => {
  vi.useRealTimers();
  await store.close();
});

const lsidOf = (who: number) => {
  const id = Buffer.alloc(16);
  id.writeUInt32LE(who);
  return { id: new Binary(id, 4) };
};

/** A statement of a session's transaction. */
const statement = (who: number, number: number, command: Document): Document => ({
  ...command,
  lsid: lsidOf(who),
  txnNumber: Long.fromNumber(number),
  autocommit: false,
  $db: 'test',
});
const change = (who: number, number: number, isFirst = true): Document =>
  statement(who, number, {
    update: 'c',
    updates: [{ q: { _id: 1 }, u: { $set: { n: who } } }],
    ...(isFirst && { startTransaction: true }),
  });
const commit = (who: number, number: number): Document =>
  statement(who, number, { commitTransaction: 1, $db: 'admin' });

/** Who wrote the document last. */
const writer = async (): Promise<unknown> =>
  (await store.run({ find: 'c', $db: 'test' })).cursor.firstBatch[0].n;

describe('A transaction whose connection is closed', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  it('ends after a moment, and what it wrote is free for others', async () => {
    const lost = store.connect();
    expect(await store.run(change(1, 1), lost)).toMatchObject({ ok: 1, n: 1 });
    lost.close();
    expect(await store.run(change(2, 1))).toMatchObject({ ok: 0, code: 112 });
    vi.advanceTimersByTime(1_000);
    expect(await store.run(change(2, 2))).toMatchObject({ ok: 1, n: 1 });
    expect(await store.run(commit(2, 2))).toMatchObject({ ok: 1 });
    expect(await store.run(commit(1, 1))).toMatchObject({
      ok: 0,
      code: 251,
      errorLabels: ['TransientTransactionError'],
    });
    expect(await writer()).toBe(2);
  });

  it('goes on by another connection that comes in time, and lives as long as that one', async () => {
    const [lost, other] = [store.connect(), store.connect()];
    await store.run(change(1, 1), lost);
    lost.close();
    vi.advanceTimersByTime(999);
    expect(await store.run(change(1, 1, false), other)).toMatchObject({ ok: 1, n: 1 });
    vi.advanceTimersByTime(50_000);
    expect(await store.run(change(1, 1, false), other)).toMatchObject({ ok: 1, n: 1 });
    other.close();
    vi.advanceTimersByTime(999);
    expect(await store.run(commit(1, 1))).toMatchObject({ ok: 1 });
    expect(await writer()).toBe(1);
  });

  it('ends a moment after a statement that was still running', async () => {
    const lost = store.connect();
    await store.run(change(1, 1), lost);
    const running = store.run(change(1, 1, false), lost);
    lost.close();
    vi.advanceTimersByTime(5_000);
    expect(await running).toMatchObject({ ok: 1, n: 1 });
    expect(await store.run(change(2, 1))).toMatchObject({ ok: 0, code: 112 });
    vi.advanceTimersByTime(1_000);
    expect(await store.run(change(2, 2))).toMatchObject({ ok: 1, n: 1 });
  });

  it('does not end in the middle of its commit', async () => {
    const lost = store.connect();
    await store.run(change(1, 1), lost);
    const running = store.run(commit(1, 1), lost);
    // As far as it comes without the disk.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    lost.close();
    vi.advanceTimersByTime(5_000);
    time += 120_000;
    await store.sweep();
    expect(await running).toMatchObject({ ok: 1 });
    expect(await store.run(commit(1, 1))).toMatchObject({ ok: 1 });
    expect(await writer()).toBe(1);
  });
});

describe('A client that is killed in the middle of a transaction', () => {
  const directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  let served: Awaited<ReturnType<typeof startEmbedded>>;
  let client: MongoClient;
  let victim: ChildProcess | null = null;
  beforeEach(async () => {
    served = await startEmbedded(directory);
    client = await new MongoClient(served.uri).connect();
  });
  afterEach(async () => {
    victim?.kill('SIGKILL');
    await client?.close();
    await served?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('leaves its documents to others long before its transaction would be too old', {
    timeout: 45_000,
  }, async () => {
    const rows = client.db('test').collection<{ _id: string; by: string }>('rows');
    await rows.insertOne({ _id: 'row', by: 'nobody' });
    const program = `
      import { MongoClient } from 'mongodb';
      const client = await new MongoClient(process.argv[1]).connect();
      const session = client.startSession();
      session.startTransaction();
      await client.db('test').collection('rows').updateOne({ _id: 'row' }, { $set: { by: 'the killed' } }, { session });
      process.send('written');
    `;
    victim = spawn(process.execPath, ['--input-type=module', '-e', program, served.uri], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(victim, 'message');
    victim.kill('SIGKILL');
    await client.withSession((session) =>
      session.withTransaction(() => rows.updateOne({ _id: 'row' }, { $set: { by: 'another' } }, { session })),
    );
    expect(await rows.findOne({ _id: 'row' })).toEqual({ _id: 'row', by: 'another' });
  });
});

describe('What is remembered of sessions', () => {
  const insert = (who: number, number: number, id: number): Document => ({
    insert: 'c',
    documents: [{ _id: id }],
    lsid: lsidOf(who),
    txnNumber: Long.fromNumber(number),
    $db: 'test',
  });
  const known = async (): Promise<number> => {
    const { cursor } = await store.run({
      aggregate: 1,
      pipeline: [{ $listLocalSessions: {} }, { $count: 'n' }],
      cursor: {},
      $db: 'test',
    });
    return cursor.firstBatch[0].n;
  };

  it('is what the disk does not have, and the latest of the others', async () => {
    await store.run(change(1, 7));
    await store.run(statement(1, 7, { abortTransaction: 1 }));
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => store.run(insert(100 + n, 5, 100 + n))));
    expect(await known()).toBe(1_001);
    // The number of what was aborted stands nowhere else.
    expect(await store.run(insert(1, 6, 1_000_000))).toMatchObject({ ok: 0, code: 225 });
  });

  it('is found again on disk: a retry is answered from its note, and what is older comes too late', async () => {
    expect(await store.run(insert(5, 3, 50))).toMatchObject({ ok: 1, n: 1 });
    expect(await store.run({ endSessions: [lsidOf(5)], $db: 'admin' })).toMatchObject({ ok: 1 });
    expect(await store.run(insert(5, 3, 50))).toEqual(expect.objectContaining({ ok: 1, n: 1 }));
    await store.run({ endSessions: [lsidOf(5)], $db: 'admin' });
    expect(await store.run(insert(5, 2, 51))).toMatchObject({ ok: 0, code: 225 });
    await store.run({ endSessions: [lsidOf(5)], $db: 'admin' });
    expect(await store.run(change(5, 3))).toMatchObject({ ok: 0, code: 117 });
    expect(await store.run(change(5, 4))).toMatchObject({ ok: 1 });
  });

  it('is found again by the retry of a commit that comes first, and what is older comes too late', async () => {
    await store.run(change(5, 3));
    await store.run(commit(5, 3));
    const forget = () => store.run({ endSessions: [lsidOf(5)], $db: 'admin' });
    await forget();
    expect(await store.run(commit(5, 3))).toMatchObject({ ok: 1 });
    expect(await store.run(insert(5, 2, 51))).toMatchObject({ ok: 0, code: 225 });
    expect(await store.run(change(5, 3))).toMatchObject({ ok: 0, code: 117 });
    await forget();
    expect(await store.run(commit(5, 3))).toMatchObject({ ok: 1 });
    expect(await store.run(change(5, 4))).toMatchObject({ ok: 1 });
  });

  it('goes away on disk when no retry can come any more, however many notes there are', async () => {
    const notes = () => [...store.database.environment.table('notes').db.getKeys()].length;
    await Promise.all(Array.from({ length: 2_500 }, (_, n) => store.run(insert(100 + n, 1, 100 + n))));
    time += 30 * 60_000;
    await store.run(insert(1, 1, 1));
    time += 31 * 60_000;
    for (let sweeps = 0; sweeps < 3; sweeps += 1) await store.sweep();
    expect(notes()).toBe(1);
  });
});
