import type { Collection, Index } from '../disk/catalog.js';
import { type Found, readRecord, removeRecord, scanIndex } from '../disk/records.js';
import { after, bracketKey, directedKey } from '../index/key.js';
import { bracket } from '../values/compare.js';
import { indexValuesAt } from '../values/tuples.js';
import { record } from './changes.js';
import type { Database } from './database.js';

/** TTL indexes: documents whose date is long enough ago are deleted, a handful in each commit. */

const mostAtOnce = 200;

/** The date a document expires by: the earliest where an array holds several. */
function dateOf(index: Index, found: Found): number | null {
  const dates = indexValuesAt(found.doc, index.fields[0]!.path).filter((value) => value instanceof Date);
  return dates.length === 0 ? null : Math.min(...dates.map((date) => date.getTime()));
}

/** Entries whose date lies before `limit`, oldest first. */
function due(database: Database, collection: Collection, index: Index, limit: number): Found[] {
  const { direction } = index.fields[0]!;
  const whole = bracketKey(bracket.date, direction);
  const last = directedKey(new Date(limit), direction);
  const range = direction > 0 ? { start: whole, end: after(last) } : { start: last, end: after(whole) };
  const found: Found[] = [];
  for (const { record: number } of scanIndex(index, range, direction < 0, { snapshot: null })) {
    if (found.length >= mostAtOnce) break;
    const one = readRecord(database.catalog, collection, number, null);
    const date = one && dateOf(index, one);
    if (one && date !== null && date <= limit && !found.some((other) => other.record === one.record))
      found.push(one);
  }
  return found;
}

/** Deletes what has expired by now. @returns how many documents that were */
export async function expire(database: Database): Promise<number> {
  let total = 0;
  for (const collection of database.catalog.all())
    for (const index of collection.indexes) {
      if (index.expireAfterSeconds === null || index.fields.length !== 1) continue;
      const limit = database.now().getTime() - index.expireAfterSeconds * 1_000;
      for (let removed = mostAtOnce; removed === mostAtOnce; total += removed)
        removed = await database.write(() => {
          if (collection.isDropped) return 0;
          const gone = due(database, collection, index, limit);
          for (const one of gone) {
            removeRecord(collection, one.record, one.doc);
            database.mark(collection, one.record);
            record(
              database,
              { kind: 'delete', collection, before: one.doc },
              { session: null, number: null },
            );
          }
          return gone.length;
        });
    }
  return total;
}
