import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import type { Snapshot } from '../disk/environment.js';
import {
  type Found,
  insertRecord,
  type Reader,
  removeRecord,
  replaceRecord,
  takeRecord,
} from '../disk/records.js';
import { StoreError } from '../errors.js';
import { compileFilter, type Matcher } from '../query/match.js';
import { compileSort } from '../query/sort.js';
import { balanceFor } from '../stages/memory.js';
import { inOrder } from '../stages/order.js';
import { paced } from '../stages/pace.js';
import { topOf } from '../stages/top.js';
import type { Collate } from '../values/compare.js';
import type { Change } from './changes.js';
import type { Database } from './database.js';
import { expressionFor, type Variables } from './expressions.js';
import { scan } from './scan.js';

/** What commands read and write through: the store as it is, or a transaction laid over it. */
export interface View {
  /** Documents that fit; `null` now and then, where a long reading may be interrupted. */
  find(collection: Collection, query: Query): Generator<Found | null>;
  insert(collection: Collection, doc: Doc, raw?: Buffer): void;
  /** `touched`: the paths that operators changed; null for a replacement. */
  replace(collection: Collection, found: Found, doc: Doc, touched: string[][] | null): void;
  remove(collection: Collection, found: Found): void;
  readonly isTransaction: boolean;
}

export interface Query {
  filter: Doc;
  sort?: Doc | undefined;
  skip?: number;
  limit?: number;
  hint?: Value | undefined;
  collate?: Collate | undefined;
  variables?: Variables | undefined;
  deadline?: Deadline | undefined;
  /** Told how many documents were looked at: it may throw. */
  look?: (looked: number) => void;
}

const sliceMs = 5;
const lookEvery = 64;

/** `performance.now()` at which a command has had its time: put off while nobody reads on from its cursor. */
export interface Deadline {
  at: number;
}

export const outOfTime = () => new StoreError(50, 'MaxTimeMSExpired', 'operation exceeded time limit');

/** Lets others have their turn when a reading lasts, and ends it when its time is over. */
function* interruptible(found: Iterable<Found>, query: Query, matches: Matcher): Generator<Found | null> {
  let began = performance.now();
  let looked = 0;
  for (const one of found) {
    looked += 1;
    query.look?.(looked);
    if (looked % lookEvery === 0) {
      const time = performance.now();
      if (query.deadline !== undefined && time > query.deadline.at) throw outOfTime();
      if (time - began > sliceMs) {
        yield null;
        began = performance.now();
      }
    }
    if (matches(one.doc)) yield one;
  }
}

function* window(found: Iterable<Found | null>, skip = 0, limit = 0): Generator<Found | null> {
  let passed = 0;
  for (const one of found) {
    if (one === null) {
      yield null;
      continue;
    }
    passed += 1;
    if (passed <= skip) continue;
    yield one;
    if (limit > 0 && passed - skip >= limit) return;
  }
}

/** In order, giving way meanwhile; of a sort with a limit only what can still be among the first is held. */
function* sorted(
  found: Iterable<Found | null>,
  compare: (left: Doc, right: Doc) => number,
  wanted: number,
): Generator<Found | null> {
  const order = (left: Found, right: Found) => compare(left.doc, right.doc);
  if (wanted === 0) {
    yield* paced(yield* inOrder(weighed(found), order));
    return;
  }
  const top = topOf(wanted, order);
  for (const one of found) {
    if (one === null) yield null;
    else top.add(one);
  }
  yield* paced(yield* inOrder(weighed(top.items()), order));
}

/** @throws StoreError `QueryExceededMemoryLimitNoDiskUseAllowed` (292) */
function* weighed(found: Iterable<Found | null>): Generator<Found | null> {
  const held = balanceFor('Sort');
  for (const one of found) {
    if (one) held.addBytes(one.raw.length);
    yield one;
  }
}

const hasSort = (sort: Doc | undefined): sort is Doc =>
  sort !== undefined && sort.size > 0 && !sort.has('$natural');

const scanQuery = (query: Query) => ({
  filter: query.filter,
  sort: query.sort,
  hint: query.hint,
  collate: query.collate,
});

export const matcherOf = (query: Query): Matcher =>
  query.filter.size === 0
    ? () => true
    : compileFilter(query.filter, {
        collate: query.collate,
        expression: expressionFor(query.variables, query.collate),
      });

export function orderFound(
  found: Iterable<Found | null>,
  query: Query,
  isSorted: boolean,
): Generator<Found | null> {
  const wanted = query.limit ? (query.skip ?? 0) + query.limit : 0;
  const ordered =
    hasSort(query.sort) && !isSorted ? sorted(found, compileSort(query.sort, query.collate), wanted) : found;
  return window(ordered, query.skip, query.limit);
}

/** What the commit that runs reads and writes, or, with a snapshot, what is committed. */
export function liveView(database: Database, reader: Reader, record: (change: Change) => void): View {
  const { catalog } = database;
  return {
    isTransaction: false,
    *find(collection, query) {
      // A filter that is none is refused before anybody plans with it.
      const matches = matcherOf(query);
      const { found, plan } = scan(catalog, collection, scanQuery(query), reader);
      yield* orderFound(interruptible(found, query, matches), query, plan?.sorted === true);
    },
    insert(collection, doc, raw) {
      const number = takeRecord(collection);
      const bytes = raw ?? encode(doc);
      insertRecord(catalog, collection, number, doc, bytes);
      record({ kind: 'insert', collection, after: doc, raw: bytes });
    },
    replace(collection, found, doc, touched) {
      const raw = encode(doc);
      replaceRecord(catalog, collection, found.record, doc, found.doc, raw);
      database.mark(collection, found.record);
      record({
        kind: touched ? 'update' : 'replace',
        collection,
        before: found.doc,
        after: doc,
        raw,
        touched: touched ?? [],
      });
    },
    remove(collection, found) {
      removeRecord(collection, found.record, found.doc);
      database.mark(collection, found.record);
      record({ kind: 'delete', collection, before: found.doc });
    },
  };
}

export const reading = (snapshot: Snapshot): Reader => ({ snapshot });
