import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';

/** Takes all the room that is left on a disk. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1; ) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        size = Math.floor(size / 16);
      }
    }
    fsyncSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

describe('a full disk', () => {
  it('refuses writes with a clear error, loses nothing that was acknowledged, and goes on when there is room', async (context) => {
    const disk = mkdtempSync(join(tmpdir(), 'threadline-small-'));
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
    if (status !== 0) {
      rmSync(disk, { recursive: true, force: true });
      context.skip('no right to mount a small disk');
    }
    try {
      const store = await startEmbedded(disk);
      const client = await new MongoClient(store.uri).connect();
      const rows = client.db('test').collection<{ _id: string; filler: string }>('rows');
      const acknowledged: string[] = [];
      const insert = (id: string) =>
        rows.insertOne({ _id: id, filler: `${id}${'x'.repeat(4_000)}` }).then(
          () => acknowledged.push(id),
          (error: unknown) => Promise.reject(error),
        );
      await insert('first');
      fill(join(disk, 'ballast'));
      let refusal: unknown;
      for (let n = 0; n < 2_000 && refusal === undefined; n += 1) {
        await insert(`row-${n}`).catch((error: unknown) => {
          refusal = error;
        });
      }
      expect(refusal).toMatchObject({ code: 14_031, codeName: 'OutOfDiskSpace' });
      // Reading goes on, and holds exactly what was acknowledged.
      const found = async () =>
        (await rows.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id).toSorted();
      expect(await found()).toEqual(acknowledged.toSorted());
      rmSync(join(disk, 'ballast'));
      await insert('after');
      expect(await found()).toEqual(acknowledged.toSorted());
      await client.close();
      await store.close();
      const again = await startEmbedded(disk);
      const reader = await new MongoClient(again.uri).connect();
      const kept = await reader
        .db('test')
        .collection<{ _id: string }>('rows')
        .find({}, { projection: { _id: 1 } })
        .toArray();
      expect(kept.map(({ _id }) => _id).toSorted()).toEqual(acknowledged.toSorted());
      await reader.close();
      await again.close();
    } finally {
      spawnSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });
});
