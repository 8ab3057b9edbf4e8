import type { Model } from 'mongoose';

type Indexed = Pick<Model<unknown>, 'createIndexes' | 'createCollection' | 'schema'>;

/**
 * Makes the indexes that the models name, where they are missing, and with them their collections: none is made inside
 * the first transaction that writes to it, where two at once would meet. Nothing is ever dropped.
 */
export async function ensureIndexes(models: readonly Indexed[]): Promise<void> {
  for (const model of models) {
    if (model.schema.indexes().length > 0) await model.createIndexes();
    else await model.createCollection();
  }
}
