import type { ChangeStream, ChangeStreamDocument, Document, MongoClient } from 'mongodb';
import { collections, database, type Name, type Seen } from './book.js';

/**
 * A copy of the store that knows only what its change stream tells. Whoever follows the stream, through every restart,
 * has to end with what is there.
 */
export interface Shadow {
  events(): number;
  /** What the events so far add up to, once everything that was acknowledged before this call has been told. */
  caughtUp(): Promise<Seen>;
  stop(): Promise<void>;
}

const guardMs = 60_000;

function put(holder: Document, path: string[], value: unknown): void {
  const [step = '', ...rest] = path;
  if (rest.length === 0) holder[step] = value;
  else put(holder[step], rest, value);
}

function takeAway(holder: Document, path: string[]): void {
  const [step = '', ...rest] = path;
  if (rest.length === 0) delete holder[step];
  else takeAway(holder[step], rest);
}

function cut(holder: Document, path: string[], size: number): void {
  const list: unknown[] = path.reduce((at, step) => at[step], holder) as never;
  list.length = size;
}

function apply(seen: Record<string, Map<string, Document>>, event: ChangeStreamDocument<Document>): void {
  if (!('documentKey' in event)) return;
  const rows = seen[event.ns.coll];
  if (!rows) return;
  const id = String(event.documentKey._id);
  switch (event.operationType) {
    case 'insert':
      if (rows.has(id)) throw new Error(`${event.ns.coll} ${id}: told of twice`);
      rows.set(id, event.fullDocument);
      break;
    case 'replace':
      rows.set(id, event.fullDocument);
      break;
    case 'delete':
      if (!rows.delete(id))
        throw new Error(`${event.ns.coll} ${id}: its end was told, and never its beginning`);
      break;
    case 'update': {
      const document = rows.get(id);
      if (!document) throw new Error(`${event.ns.coll} ${id}: a change was told, and never its beginning`);
      const { updatedFields = {}, removedFields = [], truncatedArrays = [] } = event.updateDescription;
      for (const { field, newSize } of truncatedArrays) cut(document, field.split('.'), newSize);
      for (const field of removedFields) takeAway(document, field.split('.'));
      for (const [field, value] of Object.entries(updatedFields)) put(document, field.split('.'), value);
    }
  }
}

/** Follows from now on. */
export async function follow(client: MongoClient): Promise<Shadow> {
  const db = client.db(database);
  const seen = Object.fromEntries(collections.map((name) => [name, new Map()])) as Record<
    Name | 'marks',
    Map<string, Document>
  >;
  seen.marks = new Map();
  const stream: ChangeStream = db.watch([], { maxAwaitTimeMS: 200 });
  let events = 0;
  let failure: unknown = null;
  let isOver = false;
  // Opened by its first reading.
  await stream.tryNext();
  const reading = (async () => {
    while (!isOver) {
      const event = await stream.tryNext();
      if (!event) continue;
      apply(seen, event);
      events += 1;
    }
  })().catch((error: unknown) => {
    failure = error;
  });
  let marks = 0;
  return {
    events: () => events,
    async caughtUp() {
      marks += 1;
      const mark = `mark-${marks}`;
      await db.collection<{ _id: string }>('marks').insertOne({ _id: mark });
      for (const until = performance.now() + guardMs; !seen.marks.has(mark); ) {
        if (failure) throw failure;
        if (performance.now() > until) throw new Error(`the stream did not tell of ${mark} in ${guardMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const { marks: _, ...rest } = seen;
      return rest;
    },
    async stop() {
      isOver = true;
      await reading;
      await stream.close();
    },
  };
}

/** What the copy and the store differ in. */
export function differences(copy: Seen, store: Seen): string[] {
  const wrong: string[] = [];
  for (const name of collections) {
    const ids = new Set([...copy[name].keys(), ...store[name].keys()]);
    for (const id of ids) {
      const { filler: _, sum: __, ...told } = copy[name].get(id) ?? {};
      const there = store[name].get(id) ?? {};
      if (JSON.stringify(told) !== JSON.stringify(there))
        wrong.push(
          `${name} ${id}: told ${JSON.stringify(told).slice(0, 300)}, there ${JSON.stringify(there).slice(0, 300)}`,
        );
    }
  }
  return wrong;
}
