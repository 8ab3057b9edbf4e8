import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageReader, startImageReaders } from './images.js';
import { aFolder, startStore } from './store-process.js';

/** A data file that is the store's no more ends the start with a word, and not the process without one. */
const folder = aFolder('memory');
let readers: ImageReader;
let path: string;
let whole: Buffer;

beforeAll(async () => {
  readers = await startImageReaders(1);
  const store = await startStore(folder);
  const client = await new MongoClient(store.uri).connect();
  await client
    .db('proof')
    .collection('rows')
    .insertMany(Array.from({ length: 200 }, (_, n) => ({ n, text: 'x'.repeat(200) })));
  await client.close();
  await store.close();
  const name = readdirSync(folder.data).find((found) => found.endsWith('.lmdb')) ?? '';
  path = join(folder.data, name);
  whole = readFileSync(path);
});
afterAll(() => {
  readers?.close();
  folder.remove();
});

const broken = (change: (bytes: Buffer) => Buffer) => change(Buffer.from(whole));

describe('a store whose file is broken at its beginning', () => {
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['is cut off within its first page', (bytes) => bytes.subarray(0, 100)],
    ['is cut off within its second page', (bytes) => bytes.subarray(0, 5_000)],
    ['is cut off behind its meta pages', (bytes) => bytes.subarray(0, 8_192)],
    ['is all zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['is something else', (bytes) => Buffer.alloc(bytes.length, 'no store ')],
    ['has lost its first page', (bytes) => bytes.fill(0, 0, 4_096)],
    ['has lost its second page', (bytes) => bytes.fill(0, 4_096, 8_192)],
  ])('that %s says so at its start', async (_name, change) => {
    const reading = await readers.read(new Map([[path, broken(change)]]), folder.data, false);
    expect('error' in reading ? reading.error : 'opened').toMatch(/store_corrupt: .*\.lmdb: /);
  });

  it('opens as it was', async () => {
    const reading = await readers.read(new Map([[path, whole]]), folder.data, false);
    expect('error' in reading ? reading.error : reading.seen.rows.size).toBe(200);
  });
});
