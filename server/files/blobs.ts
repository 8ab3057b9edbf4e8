import { AppError } from '../../shared/errors.js';
import type { BlobStore } from './blob-store.js';
import { diskBlobs } from './disk.js';
import { gridBlobs } from './grid.js';

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
