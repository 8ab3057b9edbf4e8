import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { openBlobs } from '../../../server/files/blobs.js';
import { openStore } from '../../../server/store/connect.js';
import { ensureIndexes } from '../../../server/store/indexes.js';
import { appendsSettled } from '../../../server/timeline/append.js';

export interface TestStore {
  dataDir: string;
  close(): Promise<void>;
}

/** A store in a fresh folder, with its indexes, and files beside it. */
export async function openTestStore(): Promise<TestStore> {
  const dataDir = mkdtempSync(join(tmpdir(), 'threadline-test-'));
  const store = await openStore({ dataDir });
  await ensureIndexes(Object.values(mongoose.models));
  await openBlobs({ dataDir });
  return {
    dataDir,
    async close() {
      await appendsSettled();
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
