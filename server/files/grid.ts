import { pipeline } from 'node:stream/promises';
import mongoose from 'mongoose';
import { AppError } from '../../shared/errors.js';
import type { BlobStore } from './blob-store.js';

/** Files in the database itself (GridFS), so that any process of a cluster can serve any file. */
export function gridBlobs(): BlobStore {
  const bucket = () => {
    const { db } = mongoose.connection;
    if (!db) throw new AppError('store_unavailable');
    return new mongoose.mongo.GridFSBucket(db, {
      bucketName: 'blobs_content',
      writeConcern: { w: 'majority' },
    });
  };

  const idOf = async (storedAs: string) => {
    const [found] = await bucket().find({ filename: storedAs }).limit(1).toArray();
    return found?._id ?? null;
  };

  return {
    async write(source, nameAtEnd) {
      const upload = bucket().openUploadStream('arriving');
      // pipeline aborts the upload when the source fails; the driver then removes its chunks.
      await pipeline(source, upload);
      const storedAs = nameAtEnd();
      await bucket().rename(upload.id, storedAs);
      return storedAs;
    },

    async read(storedAs, range) {
      const id = await idOf(storedAs);
      if (id === null) throw new AppError('not_found');
      return bucket().openDownloadStream(id, range ? { start: range.start, end: range.end + 1 } : {});
    },

    async remove(storedAs) {
      const id = await idOf(storedAs);
      if (id !== null) await bucket().delete(id);
    },
  };
}
