import type { Collection } from '../disk/catalog.js';
import { type Found, readRecord } from '../disk/records.js';
import { StoreError } from '../errors.js';
import { type Answer, type Context, type Statements, write, writeView } from './context.js';
import type { Database } from './database.js';
import { liveView, matcherOf, type Query, reading, type View } from './view.js';

/**
 * Writes that look at much or change much. A commit runs without a break, so what takes long is done apart from it: the
 * documents are looked for as a reading does, giving way, and in the commit each is asked again whether it still fits.
 */

/** A commit looks at so many documents for a statement before it leaves that to a reading. */
const mostInCommit = 2_000;
/** So many documents are changed in one commit. */
const slice = 256;

/** Never an answer: the statement begins again, apart from the commit. Nothing was written. */
export class LooksFar extends StoreError {
  constructor() {
    super(1, 'InternalError', 'the commit has looked at too much');
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The records that fit now. */
async function recordsOf(database: Database, collection: Collection, query: Query): Promise<number[]> {
  const snapshot = database.snapshot();
  const records: number[] = [];
  try {
    const view = liveView(database, reading(snapshot), () => undefined);
    for (const one of view.find(collection, query)) {
      if (one === null) await turn();
      else records.push(one.record);
    }
  } finally {
    snapshot.done();
  }
  return records;
}

/** A view that finds nothing but certain records, as far as they still fit. */
function pinned(view: View, database: Database, records: readonly number[]): View {
  return {
    ...view,
    *find(collection, query): Generator<Found> {
      const matches = matcherOf(query);
      for (const record of records) {
        const found = collection.isDropped ? null : readRecord(database.catalog, collection, record, null);
        if (found && matches(found.doc)) yield found;
      }
    },
  };
}

const bounded = (view: View): View => ({
  ...view,
  find: (collection, query) =>
    view.find(collection, {
      ...query,
      look(looked) {
        if (looked > mostInCommit) throw new LooksFar();
      },
    }),
});

/** A write of one statement that changes one document at most; `query` is what it looks for. */
export async function writeOne(
  context: Context,
  collection: Collection,
  query: Query,
  work: (view: View, statements: Statements) => Answer,
): Promise<Answer> {
  if (context.transaction) return write(context, 1, work);
  const { database } = context;
  try {
    return await write(context, 1, (view, statements) => work(bounded(view), statements));
  } catch (error) {
    if (!(error instanceof LooksFar)) throw error;
  }
  for (;;) {
    const records = await recordsOf(database, collection, query);
    try {
      return await write(context, 1, (view, statements) => {
        const few = pinned(view, database, records);
        // Somebody was faster: another document may fit now.
        if (records.length > 0 && few.find(collection, query).next().done) throw new LooksFar();
        return work(few, statements);
      });
    } catch (error) {
      if (!(error instanceof LooksFar)) throw error;
    }
  }
}

/**
 * A statement that changes all documents that fit, a slice of them in each commit: others see it half done.
 *
 * @returns what came of each slice
 */
export async function writeMany<T>(
  context: Context,
  collection: Collection,
  query: Query,
  work: (view: View) => T,
): Promise<T[]> {
  const { database } = context;
  const records = await recordsOf(database, collection, query);
  const done: T[] = [];
  for (let at = 0; at < records.length; at += slice) {
    const some = records.slice(at, at + slice);
    done.push(await database.write(() => work(pinned(writeView(context), database, some))));
  }
  return done;
}
