import { crc32 } from 'node:zlib';
import type { Document, MongoClient } from 'mongodb';

/**
 * What was asked of the store, what it acknowledged, and whether what is read back agrees. It is kept on this side of
 * the socket only.
 */
export interface Operation {
  id: string;
  kind: string;
  /** All of it or nothing. Otherwise a first part of it, in its order. */
  isAtomic: boolean;
  /** Whether each part is to be seen. */
  parts: ((seen: Seen) => boolean)[];
  state: 'sent' | 'acknowledged' | 'failed';
  /** The request whose answer acknowledged it. */
  requestId: number | null;
}

export const collections = ['rows', 'counters', 'accounts', 'left', 'right', 'gone'] as const;
export type Name = (typeof collections)[number];

/** Everything that was read back, by collection and `_id`. */
export type Seen = Record<Name, Map<string, Document>>;

export const database = 'proof';

export interface Book {
  operations: Map<string, Operation>;
  open(operation: Pick<Operation, 'id' | 'kind' | 'isAtomic' | 'parts'>): Operation;
  counts(): { sent: number; acknowledged: number; failed: number };
}

export function createBook(): Book {
  const operations = new Map<string, Operation>();
  return {
    operations,
    open(given) {
      if (operations.has(given.id)) throw new Error(`operation ${given.id} is there already`);
      const operation: Operation = { ...given, state: 'sent', requestId: null };
      operations.set(given.id, operation);
      return operation;
    },
    counts() {
      const counts = { sent: operations.size, acknowledged: 0, failed: 0 };
      for (const { state } of operations.values()) if (state !== 'sent') counts[state] += 1;
      return counts;
    },
  };
}

/** Text that can be told from any other of its length: of a document that came back broken, its sum does not fit. */
export function filler(id: string, length: number): { filler: string; sum: number } {
  const text = `${id}:`.repeat(Math.ceil(length / (id.length + 1))).slice(0, length);
  return { filler: text, sum: crc32(text) };
}

/** Everything in the store, its fillers checked and left out. @throws when a filler is not what was written */
export async function readAll(client: MongoClient, filter: Document = {}): Promise<Seen> {
  const read = async (name: Name): Promise<[Name, Map<string, Document>]> => {
    const documents = await client.db(database).collection(name).find(filter).toArray();
    const found = new Map<string, Document>();
    for (const { filler: text, sum, ...rest } of documents) {
      if (text !== undefined && crc32(text) !== sum)
        throw new Error(`${name} ${rest._id}: the filler is broken`);
      if (found.has(String(rest._id))) throw new Error(`${name} ${rest._id}: read twice`);
      found.set(String(rest._id), rest);
    }
    return [name, found];
  };
  return Object.fromEntries(await Promise.all(collections.map(read))) as Seen;
}

export interface Verdict {
  /** Acknowledged and not, or not wholly, there. */
  missing: string[];
  /** Half of what is all or nothing, a number that does not fit its history, a document nobody wrote. */
  broken: string[];
}

/** Compares what is read with what was acknowledged. */
export function judge(
  seen: Seen,
  operations: Iterable<Operation>,
  isAcknowledged: (one: Operation) => boolean,
): Verdict {
  const missing: string[] = [];
  const broken: string[] = [];
  const known = new Set<string>();
  for (const operation of operations) {
    known.add(operation.id);
    const { id, kind, isAtomic, parts } = operation;
    const shown = parts.map((part) => part(seen));
    const count = shown.filter(Boolean).length;
    if (isAcknowledged(operation) && count < parts.length)
      missing.push(`${kind} ${id}: ${shown.map(Number).join('')}`);
    else if (isAtomic && count > 0 && count < parts.length)
      broken.push(`${kind} ${id}: ${shown.map(Number).join('')}`);
    else if (!isAtomic && shown.lastIndexOf(true) + 1 !== count)
      broken.push(`${kind} ${id}: a later part without an earlier one`);
  }
  for (const name of ['counters', 'accounts'] as const)
    for (const [id, { n, ops }] of seen[name]) {
      if (!Array.isArray(ops)) {
        // A page that is not on the disk leaves what was there before: a sound document, of another collection.
        broken.push(`${name} ${id}: not what was written there`);
        continue;
      }
      if (new Set(ops).size !== ops.length) broken.push(`${name} ${id}: an operation was applied twice`);
      if (name === 'counters' && n !== ops.length)
        broken.push(`${name} ${id}: ${n}, after ${ops.length} increments`);
      for (const op of ops) if (!known.has(op)) broken.push(`${name} ${id}: operation ${op} was never sent`);
    }
  const sum = [...seen.accounts.values()].reduce((total, { balance }) => total + balance, 0);
  if (sum !== 0) broken.push(`accounts: the balances add up to ${sum}`);
  for (const name of ['rows', 'left', 'right', 'gone'] as const)
    for (const [id, { op }] of seen[name])
      if (!known.has(op)) broken.push(`${name} ${id}: operation ${op} was never sent`);
  return { missing, broken };
}
