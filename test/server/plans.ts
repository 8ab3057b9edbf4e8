import type { Document } from 'mongodb';
import mongoose from 'mongoose';

/**
 * Every query that a test made the product ask, by its shape, and how the store answers it: none may read a collection
 * from end to end, none may look at many more documents than it gives back.
 */

interface Asked {
  collection: string;
  filter: Document;
  sort?: Document | undefined;
  limit?: number | undefined;
}

const reading = new Set([
  'find',
  'findOne',
  'countDocuments',
  'updateOne',
  'updateMany',
  'deleteOne',
  'deleteMany',
  'findOneAndUpdate',
  'findOneAndDelete',
  'replaceOne',
  'distinct',
]);

/** Collections that hold a row for each workspace, inbox or duty: small, and read whole on purpose. */
const small = new Set(['workspaces', 'leases']);

/**
 * Some kinds of one contact's events: found by walking that contact's timeline, which is all they may look at. An index
 * by kind would cost every event for what is asked when contacts part.
 */
const walksOneTimeline = (collection: string, filter: Document): boolean => {
  const branches = [filter, ...((filter.$or as Document[] | undefined) ?? [])];
  return (
    collection === 'events' && 'kind' in filter && branches.some((one) => typeof one.contactId === 'string')
  );
};

/** The names of a filter's fields and operators: what its plan depends on. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shapeOf(one)]));
}

function askedBy(collection: string, method: string, args: unknown[]): Asked[] {
  if (method === 'bulkWrite')
    return (args[0] as Document[]).flatMap((one) => {
      const filter = (Object.values(one)[0] as Document | undefined)?.filter as Document | undefined;
      return filter ? [{ collection, filter, limit: 1 }] : [];
    });
  if (method === 'aggregate') {
    const stages = args[0] as Document[];
    const filter = stages[0]?.$match as Document | undefined;
    return filter ? [{ collection, filter, sort: stages[1]?.$sort as Document | undefined }] : [];
  }
  if (!reading.has(method)) return [];
  const filter = (method === 'distinct' ? args[1] : args[0]) as Document;
  const options = (method.startsWith('find') && !method.includes('And') ? args[1] : args[2]) as
    | Document
    | undefined;
  const limit = method.includes('One') ? 1 : (options?.limit as number | undefined);
  return [{ collection, filter, sort: options?.sort as Document | undefined, limit }];
}

/** How many documents a query may look at that it does not give back: one for each value that it names, and a few. */
function spareOf(filter: unknown): number {
  if (Array.isArray(filter)) return filter.reduce<number>((sum, one) => sum + spareOf(one), 0);
  if (typeof filter !== 'object' || filter === null) return 0;
  return Object.entries(filter).reduce(
    (sum, [name, one]) => sum + (name === '$in' && Array.isArray(one) ? one.length : spareOf(one)),
    0,
  );
}
const fewDocuments = 10;

interface Explained {
  queryPlanner: { winningPlan: Document };
  executionStats: { nReturned: number; totalDocsExamined: number };
}

/** Listens from now on. The returned function explains each shape and names those that read everything, or too much. */
export function watchPlans(): () => Promise<string[]> {
  const seen = new Map<string, Asked>();
  mongoose.set('debug', (collection: string, method: string, ...args: unknown[]) => {
    for (const asked of askedBy(collection, method, args)) {
      const key = JSON.stringify([collection, shapeOf(asked.filter), asked.sort]);
      if (!seen.has(key)) seen.set(key, asked);
    }
  });
  return async () => {
    mongoose.set('debug', false);
    const database = mongoose.connection.getClient().db(mongoose.connection.name);
    const wrong: string[] = [];
    for (const [key, { collection, filter, sort, limit }] of seen) {
      // All of a collection, or all of a workspace, is what only a test asks for.
      if (small.has(collection) || Object.keys(filter).every((name) => name === 'workspaceId')) continue;
      const { queryPlanner, executionStats } = (await database.command({
        explain: { find: collection, filter, ...(sort && { sort }), ...(limit && { limit }) },
        verbosity: 'executionStats',
      })) as Explained;
      if (JSON.stringify(queryPlanner.winningPlan).includes('"COLLSCAN"')) wrong.push(`reads all: ${key}`);
      const { nReturned, totalDocsExamined } = executionStats;
      if (walksOneTimeline(collection, filter)) continue;
      if (totalDocsExamined > nReturned + spareOf(filter) + fewDocuments)
        wrong.push(`reads ${totalDocsExamined} documents for ${nReturned}: ${key}`);
    }
    return wrong;
  };
}
