import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Int32 } from 'bson';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decode } from '../../../server/store/embedded/bson/decode.js';
import { encode } from '../../../server/store/embedded/bson/encode.js';
import { formatVersion } from '../../../server/store/embedded/disk/catalog.js';
import { openEnvironment, read, write } from '../../../server/store/embedded/disk/environment.js';
import { compareTimes, type OplogEntry, type Time } from '../../../server/store/embedded/disk/oplog.js';
import { packPlain } from '../../../server/store/embedded/disk/record.js';
import { timeKey, timeZero } from '../../../server/store/embedded/engine/clock.js';
import { type Database, openDatabase } from '../../../server/store/embedded/engine/database.js';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'threadline-oplog-'));
  path = join(directory, 'threadline.lmdb');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** All entries after a time, read as a change stream reads them. */
function entriesAfter({ oplog, snapshot }: Database, from: Time): OplogEntry[] {
  const held = snapshot();
  const all: OplogEntry[] = [];
  for (let next = oplog.after(from, held); next.length > 0; next = oplog.after(all.at(-1)!.time, held))
    all.push(...next);
  held.done();
  return all;
}

const collection = {};
/** Writes so many inserts in one commit, among them one that is none. */
const insertMany = (database: Database, from: number, count: number, size = 40) =>
  database.write(() => {
    for (let n = from; n < from + count; n += 1) {
      const document = encode({ _id: new Int32(n), text: 'x'.repeat(size) });
      const entry = () => ({ op: 'insert', k: new Int32(n), o: decode(document) });
      database.oplog.addInsert({ of: collection, wall: n - (n % 7), document }, entry);
      if (n % 10 === 9) database.oplog.add({ op: 'delete', k: new Int32(n) });
    }
  });

describe('The oplog', () => {
  it('tells those who wait for news as soon as whoever wrote was answered, and not before', async () => {
    const database = openDatabase({ path });
    const order: string[] = [];
    database.onCommit(() => order.push('told'));
    await insertMany(database, 1, 1).then(() => order.push('answered'));
    expect(order).toEqual(['answered']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['answered', 'told']);
    await database.close();
  });

  it('gives back what commits added, in order, from any place in them', async () => {
    const database = openDatabase({ path });
    await insertMany(database, 0, 25);
    await insertMany(database, 25, 1_500);
    await insertMany(database, 1_525, 1);
    const all = entriesAfter(database, timeZero);
    const inserts = all.filter(({ entry }) => entry.get('op') === 'insert');
    expect(inserts.map(({ entry }) => (entry.get('k') as Int32).value)).toEqual(
      Array.from({ length: 1_526 }, (_, n) => n),
    );
    for (const { entry } of inserts)
      expect((entry.get('o') as Map<string, unknown>).get('_id')).toEqual(entry.get('k'));
    expect(all.length - inserts.length).toBe(152);
    for (const [at, { time }] of all.entries())
      if (at > 0) expect(compareTimes(all[at - 1]!.time, time)).toBeLessThan(0);
    for (const at of [0, 11, 30, 777, all.length - 2])
      expect(entriesAfter(database, all[at]!.time)).toEqual(all.slice(at + 1));
    await database.close();
  });

  it('is cut at its old end, and remembers where', async () => {
    const database = openDatabase({ path, oplogBytes: 200_000 });
    for (let n = 0; n < 400; n += 10) await insertMany(database, n, 10, 2_000);
    const [oldest] = entriesAfter(database, timeZero);
    const held = database.snapshot();
    const cut = database.oplog.cutAt(held);
    held.done();
    expect((oldest!.entry.get('k') as Int32).value).toBeGreaterThan(100);
    expect(compareTimes(cut!, oldest!.time)).toBeLessThan(0);
    await database.close();
  });

  it('says nothing of a commit before it is durable', async () => {
    const database = openDatabase({ path });
    await insertMany(database, 0, 1);
    const before = database.oplog.durable();
    let meanwhile: Time | null = null;
    const writing = database.write(() => {
      database.oplog.add({ op: 'delete', k: new Int32(1) });
      meanwhile = database.oplog.durable();
    });
    await writing;
    expect(meanwhile).toEqual(before);
    expect(compareTimes(database.oplog.durable(), before)).toBeGreaterThan(0);
    await database.close();
  });

  it('of format 1 is read as it is, and the file is of the newer one with the first commit', async () => {
    const old = openEnvironment(path);
    const [catalog, oplog] = [old.table('catalog'), old.table('oplog')];
    await old.commit(() => {
      write(catalog, Buffer.from('a'), encode({ format: new Int32(1), next: new Int32(7), free: [] }));
      for (const counter of [1, 2])
        write(
          oplog,
          timeKey({ seconds: 1, counter }),
          packPlain(encode({ op: 'delete', k: new Int32(counter) })),
        );
    });
    await old.close();

    const database = openDatabase({ path });
    const [first] = entriesAfter(database, timeZero);
    await insertMany(database, 0, 3);
    expect(entriesAfter(database, first!.time).map(({ entry }) => entry.get('op'))).toEqual([
      'delete',
      'insert',
      'insert',
      'insert',
    ]);
    await database.close();

    const after = openEnvironment(path);
    const table = after.table('catalog');
    const snapshot = after.snapshot();
    const saved = decode(read(table, Buffer.from('a'), snapshot)!);
    snapshot.done();
    await after.close();
    expect(saved.get('format')).toEqual(new Int32(formatVersion));
    expect(saved.get('next')).toEqual(new Int32(7));
  });

  it('of a newer format is refused by name, and left as it was', async () => {
    const newer = openEnvironment(path);
    const catalog = newer.table('catalog');
    const meta = { format: new Int32(formatVersion + 1), next: new Int32(1), free: [] };
    await newer.commit(() => write(catalog, Buffer.from('a'), encode(meta)));
    await newer.close();
    expect(() => openDatabase({ path })).toThrow(
      expect.objectContaining({
        codeName: 'StoreTooNew',
        message: expect.stringContaining(`format ${formatVersion + 1}`),
      }),
    );
  });
});
