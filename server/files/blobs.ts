import type { Readable } from 'node:stream';
import { AppError } from '../../shared/errors.js';
import { diskBlobs } from './disk.js';
import { gridBlobs } from './grid.js';

/** Bytes by name, wherever they lie. Both kinds keep the same promises. */
export interface BlobStore {
  /**
   * Takes everything, durably, and only then gives it a name: `nameAtEnd` is asked when the last byte has been read,
   * since the name holds the content's hash. When anything fails nothing is left behind.
   * @throws AppError `store_full`; whatever the source threw
   */
  write(source: AsyncIterable<Uint8Array>, nameAtEnd: () => string): Promise<string>;
  /** `end` is the last byte wanted, as in HTTP. @throws AppError `not_found` */
  read(storedAs: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Removing what is not there is no error. */
  remove(storedAs: string): Promise<void>;
}

let current: BlobStore | null = null;

/** Chooses where files lie, once, after the store is open: GridFS with MONGODB_URI, else DATA_DIR/files. */
export async function openBlobs(options: {
  dataDir: string;
  mongodbUri?: string | undefined;
}): Promise<void> {
  current = options.mongodbUri === undefined ? await diskBlobs(options.dataDir) : gridBlobs();
}

export function blobs(): BlobStore {
  if (!current) throw new AppError('store_unavailable');
  return current;
}
