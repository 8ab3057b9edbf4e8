import type { Document, MongoClient } from 'mongodb';
import { collections, database, type Name } from './book.js';

/**
 * Whether each index holds exactly what its collection does: everything read by a scan, and everything read through the
 * index by a condition that its key answers.
 */
interface Case {
  collection: Name;
  hint: Document;
  filter: Document;
  /** What the condition means, said without an index. */
  fits: (document: Document) => boolean;
  sort?: { field: string; direction: 1 | -1 };
}

const cases: Case[] = [
  {
    collection: 'rows',
    hint: { group: 1, at: -1 },
    filter: { group: { $gte: 0 } },
    fits: ({ group }) => group >= 0,
  },
  ...Array.from(
    { length: 7 },
    (_, group): Case => ({
      collection: 'rows',
      hint: { group: 1, at: -1 },
      filter: { group },
      fits: (document) => document.group === group,
      sort: { field: 'at', direction: -1 },
    }),
  ),
  { collection: 'rows', hint: { key: 1 }, filter: { key: { $gte: '' } }, fits: () => true },
  {
    collection: 'rows',
    hint: { tags: 1 },
    filter: { tags: { $gte: '' } },
    fits: ({ tags }) => tags.length > 0,
  },
  {
    collection: 'rows',
    hint: { rare: 1 },
    filter: { rare: { $gte: 0 } },
    fits: ({ rare }) => rare !== undefined,
  },
  { collection: 'left', hint: { op: 1 }, filter: { op: { $gte: '' } }, fits: () => true },
  {
    collection: 'accounts',
    hint: { balance: 1 },
    filter: { balance: { $gte: -1_000_000 } },
    fits: () => true,
    sort: { field: 'balance', direction: 1 },
  },
  ...(['rows', 'left', 'right', 'counters', 'gone'] as const).map(
    (collection): Case => ({ collection, hint: { _id: 1 }, filter: { _id: { $gte: '' } }, fits: () => true }),
  ),
];

/** The indexes that a plan reads. */
function indexesIn(plan: unknown): string[] {
  if (typeof plan !== 'object' || plan === null) return [];
  const own = 'indexName' in plan && typeof plan.indexName === 'string' ? [plan.indexName] : [];
  return [...own, ...Object.values(plan).flatMap(indexesIn)];
}

/** That the comparison compares: each hinted read is by its index, and not a scan under another name. */
export async function indexesUsed(client: MongoClient): Promise<string[]> {
  const wrong: string[] = [];
  for (const { collection, hint, filter } of cases) {
    const plan = await client
      .db(database)
      .collection(collection)
      .find(filter)
      .hint(hint)
      .explain('queryPlanner');
    if (indexesIn(plan.queryPlanner?.winningPlan).length === 0)
      wrong.push(`${collection} ${JSON.stringify(hint)}: ${JSON.stringify(plan.queryPlanner?.winningPlan)}`);
  }
  return wrong;
}

const idsOf = (documents: Document[]) => documents.map(({ _id }) => String(_id));

/** What the store's own `validate` finds wrong. */
export async function invalid(client: MongoClient): Promise<string[]> {
  const wrong: string[] = [];
  for (const name of collections) {
    const answer: Document = await client
      .db(database)
      .command({ validate: name, full: true })
      .catch((error: { code?: number }) => {
        // 26: not made yet.
        if (error.code === 26) return { valid: true };
        throw error;
      });
    if (answer.valid !== true) wrong.push(`validate ${name}: ${JSON.stringify(answer)}`);
  }
  return wrong;
}

/** What differs between a collection and its indexes, and what `validate` finds. */
export async function disagreements(client: MongoClient): Promise<string[]> {
  const db = client.db(database);
  const wrong: string[] = [];
  const all = new Map<Name, Document[]>();
  const projection = { filler: 0 };
  for (const { collection, hint, filter, fits, sort } of cases) {
    const documents =
      all.get(collection) ?? (await db.collection(collection).find({}, { projection }).toArray());
    all.set(collection, documents);
    let cursor = db.collection(collection).find(filter, { projection }).hint(hint);
    if (sort) cursor = cursor.sort({ [sort.field]: sort.direction });
    const found = await cursor.toArray();
    const wanted = idsOf(documents.filter(fits)).toSorted();
    const got = idsOf(found).toSorted();
    if (JSON.stringify(wanted) !== JSON.stringify(got))
      wrong.push(`${collection} ${JSON.stringify(hint)}: ${wanted.length} by scan, ${got.length} by index`);
    if (!sort) continue;
    const values = found.map((document) => Number(document[sort.field]) * sort.direction);
    if (values.some((value, at) => at > 0 && value < values[at - 1]!))
      wrong.push(`${collection} ${JSON.stringify(hint)}: out of order`);
  }
  wrong.push(...(await invalid(client)));
  return wrong;
}
