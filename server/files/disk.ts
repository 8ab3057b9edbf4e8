import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError } from '../../shared/errors.js';
import type { BlobStore } from './blob-store.js';

const abandonedMs = 24 * 3_600_000;
const storedName = /^[0-9a-f]{64}-[0-9a-f]{12}$/;

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** Files below `dataDir/files`: 256 folders by the first byte of the hash, and one for what is still arriving. */
export async function diskBlobs(dataDir: string): Promise<BlobStore> {
  const root = join(dataDir, 'files');
  const arriving = join(root, 'arriving');
  await mkdir(arriving, { recursive: true, mode: 0o700 });
  await removeAbandoned(arriving);

  const folderOf = (storedAs: string) => join(root, storedAs.slice(0, 2));
  const pathOf = (storedAs: string) => {
    // Names come from our own rows; a damaged or planted row must still not lead out of the folder.
    if (!storedName.test(storedAs)) throw new AppError('not_found');
    return join(folderOf(storedAs), storedAs);
  };

  return {
    async write(source, nameAtEnd) {
      const temporary = join(arriving, randomBytes(12).toString('hex'));
      try {
        await writeDurably(temporary, source);
        const storedAs = nameAtEnd();
        const path = pathOf(storedAs);
        await makeFolder(root, folderOf(storedAs));
        await rename(temporary, path);
        // Without this the name may be gone after a power cut although the bytes are there.
        await syncFolder(folderOf(storedAs));
        return storedAs;
      } catch (error) {
        await rm(temporary, { force: true });
        if (['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '')) {
          throw new AppError('store_full', undefined, { cause: error });
        }
        throw error;
      }
    },

    async read(storedAs, range): Promise<Readable> {
      let file: FileHandle;
      try {
        file = await open(pathOf(storedAs), 'r');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') throw new AppError('not_found', undefined, { cause: error });
        throw error;
      }
      return file.createReadStream(range ? { start: range.start, end: range.end } : {});
    },

    async remove(storedAs) {
      await rm(pathOf(storedAs), { force: true });
    },
  };
}

async function writeDurably(path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of source) await writeAll(file, chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    written += (await file.write(chunk, written, chunk.length - written)).bytesWritten;
  }
}

async function makeFolder(root: string, folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncFolder(root);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a killed process left half-written. Young files may be another process's, still arriving. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      if (Date.now() - (await stat(path)).mtimeMs > abandonedMs) await rm(path, { force: true });
    } catch (error) {
      // Another process has just finished or removed it.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}
