import { inspect } from 'node:util';
import { BSON, Int32 } from 'bson';
import fc from 'fast-check';
import { type Collection, type Document, type Hint, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aCase, type Case, type IndexSpec, resolved, type Sort, type Step } from './model/cases.js';
import { compareBy, fits, meetsArray, reach } from './model/match.js';
import { compare, equal, type Fields, type Value } from './model/order.js';
import { copyOf, isConflicting, Refused, Unclaimed, updated } from './model/update.js';
import { isLong, seedOfRun } from './seed.js';
import { aFolder, type Folder, type StoreProcess, startStore } from './store-process.js';

/**
 * The store against a model that is written from MongoDB's manual and does everything the slow and obvious way: the same
 * documents, queries and updates, and random indexes, which must never change an answer.
 */
const cases = Number(process.env.DIFFERENTIAL_CASES ?? (isLong ? 10_000 : 250));
/** The short form is the same every time. */
const seed = isLong ? seedOfRun() : Number(process.env.PROOF_SEED ?? 1);

let folder: Folder;
let store: StoreProcess;
let client: MongoClient;
const counts = { finds: 0, byIndex: 0, found: 0, updates: 0, changed: 0, refused: 0, unclaimed: 0 };

beforeAll(async () => {
  folder = aFolder('memory');
  store = await startStore(folder);
  client = await new MongoClient(store.uri).connect();
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  folder?.remove();
});

const bytesOf = (document: Fields): string => Buffer.from(BSON.serialize(document)).toString('hex');
const isSame = (left: Fields, right: Fields): boolean => bytesOf(left) === bytesOf(right);
const idOf = (document: Fields): number => (document._id as Int32).value;
const shown = (value: unknown): string => inspect(value, { depth: 9, breakLength: 160 });

function expectSame(what: string, got: Fields[], wanted: Fields[]): void {
  if (got.length === wanted.length && got.every((document, at) => isSame(document, wanted[at]!))) return;
  expect.fail(`${what}\n  answered ${shown(got)}\n  expected ${shown(wanted)}`);
}

interface Run {
  rows: Collection<Document>;
  /** The same, answering with values that keep their types. */
  typed: Collection<Document>;
  /** What the model holds, in the order of ids. */
  documents: Fields[];
  indexes: IndexSpec[];
}

const byId = compareBy([{ path: ['_id'], direction: 1 }]);

async function checkAll(run: Run, what: string): Promise<void> {
  const got = await run.typed.find({}, { sort: { _id: 1 } }).toArray();
  expectSame(what, got, run.documents.toSorted(byId));
}

/** Answers by each way to read: as the planner likes, by a scan, by each index that holds every document. */
const waysOf = ({ indexes }: Run): (Hint | null)[] => [
  null,
  { $natural: 1 },
  ...indexes.filter(({ options }) => Object.keys(options).length === 0).map(({ key }) => key),
];

async function find(run: Run, { query, sort, skip, limit }: Extract<Step, { kind: 'find' }>): Promise<void> {
  const fitting = run.documents.filter((document) => fits(document, query));
  const fields = sort.map(([path, direction]) => ({ path: path.split('.'), direction }));
  const isDefined = fitting.every(
    (document) => fields.filter(({ path }) => meetsArray(document, path)).length <= 1,
  );
  const used: Sort = isDefined ? sort : [['_id', 1]];
  const inOrder = fitting.toSorted(
    compareBy(used.map(([path, direction]) => ({ path: path.split('.'), direction }))),
  );
  const wanted = limit > 0 ? inOrder.slice(skip, skip + limit) : inOrder.slice(skip);
  for (const hint of waysOf(run)) {
    const options = { sort: used, skip, limit, ...(hint && { hint }) };
    const got = await run.typed.find(query, options).toArray();
    expectSame(`find ${shown(query)} ${shown(options)}`, got, wanted);
    counts.finds += 1;
  }
  counts.found += wanted.length;
  const count = await run.rows.countDocuments(query);
  if (count !== fitting.length) expect.fail(`count ${shown(query)}: ${count} of ${fitting.length}`);
  const plan = await run.rows.find(query, { sort: used }).explain('queryPlanner');
  if (JSON.stringify(plan.queryPlanner?.winningPlan).includes('IXSCAN')) counts.byIndex += 1;
}

async function distinct(run: Run, { query, path }: Extract<Step, { kind: 'distinct' }>): Promise<void> {
  const values = run.documents
    .filter((document) => fits(document, query))
    .flatMap((document) => reach(document, path.split('.')).flat())
    .filter((value) => value !== undefined);
  const wanted = values.filter((value, at) => values.findIndex((other) => equal(value, other)) === at);
  const command = { distinct: run.rows.collectionName, key: path, query };
  const answer = await client.db('differential').command(command, { promoteValues: false });
  // The driver's values are of classes of its own.
  const { values: got } = BSON.deserialize(BSON.serialize({ values: answer.values }), {
    promoteValues: false,
  });
  const isAlike =
    got.length === wanted.length && wanted.every((value) => got.some((other: Value) => equal(value, other)));
  if (!isAlike)
    expect.fail(`distinct ${path} of ${shown(query)}\n  answered ${shown(got)}\n  expected ${shown(wanted)}`);
}

const codeOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => 'accepted',
    (error: { code?: unknown }) => error.code ?? error,
  );

/** @returns the documents after an update, or the number of the refusal */
function expected(documents: Fields[], update: Fields): Fields[] | number | null {
  try {
    return documents.map((document) => updated(document, update));
  } catch (error) {
    if (error instanceof Refused) return error.code;
    if (error instanceof Unclaimed) return null;
    throw error;
  }
}

async function update(run: Run, { query, update: change }: Extract<Step, { kind: 'update' }>): Promise<void> {
  const fitting = run.documents.filter((document) => fits(document, query));
  if (isConflicting(change)) {
    const code = await codeOf(run.rows.updateMany(query, change));
    if (code !== 40) expect.fail(`update by ${shown(change)}: ${shown(code)}, expected 40`);
    counts.refused += 1;
    return;
  }
  const after = expected(fitting, change);
  if (after === null) {
    counts.unclaimed += 1;
    return;
  }
  if (typeof after === 'number') {
    // One at a time: of many, those before the one that is refused would be changed, in an order nobody promises.
    for (const document of fitting.slice(0, 5)) {
      const alone = expected([document], change);
      if (alone === null) continue;
      const what = `update ${shown(document)} by ${shown(change)}`;
      const code = await codeOf(run.rows.updateOne({ _id: document._id as never }, change));
      const wanted = typeof alone === 'number' ? alone : 'accepted';
      if (code !== wanted) expect.fail(`${what}: ${shown(code)}, expected ${wanted}`);
      if (typeof alone === 'number') counts.refused += 1;
      else run.documents = run.documents.map((one) => (one === document ? alone[0]! : one));
    }
    await checkAll(run, `update by ${shown(change)} one by one`);
    return;
  }
  const result = await run.rows.updateMany(query, change);
  const changed = fitting.filter((document, at) => !isSame(document, after[at]!)).length;
  const what = `update ${shown(query)} by ${shown(change)} of ${shown(fitting)}`;
  if (result.matchedCount !== fitting.length) expect.fail(`${what}: matched ${result.matchedCount}`);
  if (result.modifiedCount !== changed)
    expect.fail(`${what}: modified ${result.modifiedCount} of ${changed}`);
  run.documents = run.documents.map((document) => after[fitting.indexOf(document)] ?? document);
  counts.updates += 1;
  counts.changed += changed;
  await checkAll(run, what);
}

async function upsert(run: Run, { id, update: change }: Extract<Step, { kind: 'upsert' }>): Promise<void> {
  const _id = new Int32(id);
  const present = run.documents.find((document) => idOf(document) === id);
  const after = expected([present ?? { _id }], change);
  if (after === null) return;
  const acting = run.rows.updateOne({ _id: _id as never }, change, { upsert: true });
  const what = `upsert ${id} by ${shown(change)} of ${shown(present)}`;
  if (typeof after === 'number') {
    const code = await codeOf(acting);
    if (code !== after) expect.fail(`${what}: ${shown(code)}, expected ${after}`);
    return;
  }
  await acting;
  run.documents = [...run.documents.filter((document) => document !== present), ...after];
  await checkAll(run, what);
}

async function replace(run: Run, { id, document }: Extract<Step, { kind: 'replace' }>): Promise<void> {
  const _id = new Int32(id);
  const { matchedCount } = await run.rows.replaceOne({ _id: _id as never }, document);
  const isThere = run.documents.some((one) => idOf(one) === id);
  if (matchedCount !== Number(isThere)) expect.fail(`replace ${id}: matched ${matchedCount}`);
  run.documents = run.documents.map((one) => (idOf(one) === id ? { _id, ...copyOf(document) } : one));
  await checkAll(run, `replace ${id}`);
}

async function remove(run: Run, { query }: Extract<Step, { kind: 'delete' }>): Promise<void> {
  const { deletedCount } = await run.rows.deleteMany(query);
  const left = run.documents.filter((document) => !fits(document, query));
  if (deletedCount !== run.documents.length - left.length)
    expect.fail(`delete ${shown(query)}: ${deletedCount} of ${run.documents.length - left.length}`);
  run.documents = left;
  await checkAll(run, `delete ${shown(query)}`);
}

async function addIndex(run: Run, spec: IndexSpec): Promise<void> {
  const name = (one: IndexSpec) => JSON.stringify(one.key);
  if (run.indexes.some((one) => name(one) === name(spec))) return;
  await run.rows.createIndex(spec.key, spec.options);
  run.indexes.push(spec);
}

async function take(run: Run, given: Step): Promise<void> {
  const step = { ...given };
  if ('query' in step) step.query = resolved(step.query, run.documents);
  if ('update' in step && step.update.$pull)
    step.update = { ...step.update, $pull: resolved(step.update.$pull as Fields, run.documents) };
  switch (step.kind) {
    case 'find':
      return find(run, step);
    case 'distinct':
      return distinct(run, step);
    case 'update':
      return update(run, step);
    case 'upsert':
      return upsert(run, step);
    case 'replace':
      return replace(run, step);
    case 'delete':
      return remove(run, step);
    case 'index':
      return addIndex(run, step.spec);
    case 'drop index': {
      const gone = run.indexes.pop();
      if (gone) await run.rows.dropIndex(gone.key as never);
    }
  }
}

let made = 0;

async function play({ indexes, documents, steps }: Case): Promise<void> {
  made += 1;
  const db = client.db('differential');
  const rows = db.collection<Document>(`rows${made}`);
  const run: Run = {
    rows,
    typed: db.collection<Document>(`rows${made}`, { promoteValues: false }),
    documents: documents.map((document, at) => ({ _id: new Int32(at), ...document })),
    indexes: [],
  };
  try {
    for (const spec of indexes) await addIndex(run, spec);
    await rows.insertMany(run.documents.map(copyOf));
    await checkAll(run, 'insert');
    for (const step of steps) await take(run, step);
  } finally {
    await rows.drop();
  }
}

describe('the model', () => {
  it('orders values as the manual does', () => {
    const sorted: Value[] = [null, new Int32(1), 'a', {}, [], false, true, new Date(0)];
    expect(sorted.toSorted(compare)).toEqual(sorted);
  });
});

describe('the store and the model', () => {
  it(`agree on every answer, with whatever indexes: ${cases} cases`, {
    timeout: 120_000 + cases * 1_000,
  }, async () => {
    await fc.assert(fc.asyncProperty(aCase, play), {
      numRuns: cases,
      seed,
      // Shrinking replays the case a few hundred times; each is a few dozen commands.
      interruptAfterTimeLimit: 100_000 + cases * 900,
    });
    console.log(
      `seed ${seed}: ${cases} cases, ${counts.finds} finds (${counts.byIndex} of the planner's own by an index) with ` +
        `${counts.found} documents, ${counts.updates} updates that changed ${counts.changed}, ${counts.refused} refused as they ` +
        `should be, ${counts.unclaimed} left out; answers that differ 0`,
    );
    expect(counts.byIndex).toBeGreaterThan(cases / 2);
    expect(counts.changed).toBeGreaterThan(cases / 2);
    expect(counts.refused).toBeGreaterThan(cases / 50);
  });
});
