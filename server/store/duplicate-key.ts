import mongoose from 'mongoose';

const duplicateKeyCode = 11_000;

/** Whether a write failed because a unique key is another row's. */
export const isDuplicateKey = (error: unknown): boolean =>
  error instanceof mongoose.mongo.MongoServerError && error.code === duplicateKeyCode;
