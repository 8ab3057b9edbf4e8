import type { Model } from 'mongoose';

/** Makes the indexes that the models name, where they are missing. Nothing is ever dropped. */
export async function ensureIndexes(models: readonly Pick<Model<unknown>, 'createIndexes'>[]): Promise<void> {
  for (const model of models) await model.createIndexes();
}
