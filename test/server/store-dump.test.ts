import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import mongoose from 'mongoose';
import { afterAll, describe, expect, it } from 'vitest';
import { createContact } from '../../server/contacts/create.js';
import { backUp, restore } from '../../server/store/backup.js';
import { startEmbedded } from '../../server/store/connect.js';
import { dump, load } from '../../server/store/dump.js';
import { append } from '../../server/timeline/append.js';
import { EventModel } from '../../server/timeline/model.js';
import { aCompany, withStore } from './store.js';
import { aMessage, begunUnder } from './timeline/drafts.js';

withStore();

const folder = mkdtempSync(join(tmpdir(), 'threadline-dump-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const quiet = () => undefined;

async function someEvents(): Promise<number> {
  const { scope, chat } = await aCompany();
  const contactId = await createContact(scope);
  for (let n = 0; n < 5; n += 1)
    await append(scope, aMessage({ contactId, conversation: begunUnder(`dump ${n}`, chat._id) }));
  return EventModel.countDocuments({});
}

describe('An export', () => {
  it('comes back the same, by checksum, there and back', async () => {
    await someEvents();
    const odd = { _id: 'odd', 2: 'two', 1: 'one', double: 3, long: 2n ** 60n, nested: { 10: 1, 9: 2 } };
    await mongoose.connection.collection('oddities').insertOne(odd as never);
    const there = await dump(join(folder, 'first'), quiet);
    expect(there.find(({ collection }) => collection === 'events')?.documents).toBeGreaterThan(0);

    const { db } = mongoose.connection;
    for (const { collection } of there) await db!.dropCollection(collection);
    const back = await load(join(folder, 'first'), quiet);
    expect(back).toEqual(there);
    expect(await dump(join(folder, 'second'), quiet)).toEqual(there);
    const names = (await mongoose.connection.collection('events').indexes()).map(({ name }) => name);
    expect(names).toContain('workspaceId_1_dedupeKey_1');
  });

  it('names the file that ends within a document, and writes into no collection that holds any', async () => {
    await dump(join(folder, 'third'), quiet);
    await expect(load(join(folder, 'third'), quiet)).rejects.toMatchObject({ code: 'conflict' });
    writeFileSync(join(folder, 'broken.bson'), Buffer.from([9, 0, 0, 0, 1]));
    await expect(load(folder, quiet)).rejects.toMatchObject({
      code: 'bad_request',
      details: { field: expect.stringContaining('broken.bson') },
    });
  });
});

describe('A backup', () => {
  it('is taken while the store works, and opens with all that was acknowledged before', async () => {
    const count = await someEvents();
    const file = join(folder, 'copy.lmdb');
    const { bytes } = await backUp(file);
    expect(bytes).toBe(statSync(file).size);
    await expect(backUp(file)).rejects.toMatchObject({ code: 'store_unavailable' });

    const place = join(folder, 'place');
    expect(await restore(file, place)).toEqual({ kept: null });
    const store = await startEmbedded(place);
    const client = await new MongoClient(store.uri).connect();
    expect(await client.db('threadline').collection('events').countDocuments()).toBe(count);
    await expect(restore(file, place)).rejects.toMatchObject({ code: 'store_locked' });
    await client.close();
    await store.close();
    expect((await restore(file, place)).kept).toContain('before-restore');
  });

  it('does not let a file that is no store take the place of one', async () => {
    const wrong = join(folder, 'wrong.lmdb');
    writeFileSync(wrong, 'not a store'.repeat(2_000));
    await expect(restore(wrong, join(folder, 'place'))).rejects.toMatchObject({ code: 'store_corrupt' });
    const store = await startEmbedded(join(folder, 'place'));
    await store.close();
  });
});
