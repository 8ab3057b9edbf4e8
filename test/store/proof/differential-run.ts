import { inspect } from 'node:util';
import { BSON, Int32 } from 'bson';
import type { ClientSession, Collection, Db, Document, Hint } from 'mongodb';
import { expect } from 'vitest';
import { type Case, type IndexSpec, inTexts, resolved, type Sort, type Step } from './model/cases.js';
import { compareBy, fits, meetsArray, reach } from './model/match.js';
import { equal, type Fields, isFields, texts, type Value } from './model/order.js';
import { projected } from './model/project.js';
import { isClashing } from './model/unique.js';
import { copyOf, isConflicting, Refused, Unclaimed, updated } from './model/update.js';

/** Plays a case on the store and in the model, and fails at the first answer that differs. */

export const newCounts = () => ({
  finds: 0,
  byIndex: 0,
  found: 0,
  updates: 0,
  changed: 0,
  refused: 0,
  unclaimed: 0,
  inTransactions: 0,
});
export type Counts = ReturnType<typeof newCounts>;

interface Run {
  db: Db;
  rows: Collection<Document>;
  /** The same, answering with values that keep their types. */
  typed: Collection<Document>;
  /** What the model holds, in the order of ids. */
  documents: Fields[];
  indexes: IndexSpec[];
  session: ClientSession | null;
  counts: Counts;
}

const duplicate = 11_000;
const bytesOf = (document: Fields): string => Buffer.from(BSON.serialize(document)).toString('hex');
const isSame = (left: Fields, right: Fields): boolean => bytesOf(left) === bytesOf(right);
const idOf = (document: Fields): number => (document._id as Int32).value;
const shown = (value: unknown): string => inspect(value, { depth: 9, breakLength: 160 });
const within = ({ session }: Run) => (session ? { session } : {});

function expectSame(what: string, got: Fields[], wanted: Fields[]): void {
  if (got.length === wanted.length && got.every((document, at) => isSame(document, wanted[at]!))) return;
  expect.fail(`${what}\n  answered ${shown(got)}\n  expected ${shown(wanted)}`);
}

const byId = compareBy([{ path: ['_id'], direction: 1 }]);

async function checkAll(run: Run, what: string): Promise<void> {
  const got = await run.typed.find({}, { sort: { _id: 1 }, ...within(run) }).toArray();
  expectSame(what, got, run.documents.toSorted(byId));
}

/** Answers by each way to read: as the planner likes, by a scan, by each index that holds every document. */
const waysOf = ({ indexes }: Run): (Hint | null)[] => [
  null,
  { $natural: 1 },
  ...indexes
    .filter(({ options }) => !options.sparse && !options.partialFilterExpression)
    .map(({ key }) => key),
];

/** An order that is one for these documents: of two paths through arrays in one of them none is promised. */
function orderFor(documents: Fields[], sort: Sort): Sort {
  const isDefined = documents.every(
    (document) => sort.filter(([path]) => meetsArray(document, path.split('.'))).length <= 1,
  );
  return isDefined ? sort : [['_id', 1]];
}

const inOrder = (documents: Fields[], sort: Sort): Fields[] =>
  documents.toSorted(compareBy(sort.map(([path, direction]) => ({ path: path.split('.'), direction }))));

async function find(run: Run, step: Extract<Step, { kind: 'find' }>): Promise<void> {
  const { query, skip, limit, projection } = step;
  if (step.index) await addIndex(run, step.index);
  const fitting = run.documents.filter((document) => fits(document, query));
  const sort = orderFor(fitting, step.sort);
  const ordered = inOrder(fitting, sort);
  const page = limit > 0 ? ordered.slice(skip, skip + limit) : ordered.slice(skip);
  const wanted = page.map((document) => projected(document, projection));
  for (const hint of waysOf(run)) {
    const options = { sort, skip, limit, projection, ...(hint && { hint }), ...within(run) };
    const got = await run.typed.find(query, options).toArray();
    expectSame(`find ${shown(query)} ${shown({ ...options, session: undefined })}`, got, wanted);
    run.counts.finds += 1;
  }
  run.counts.found += wanted.length;
  const count = await run.rows.countDocuments(query, within(run));
  if (count !== fitting.length) expect.fail(`count ${shown(query)}: ${count} of ${fitting.length}`);
  if (run.session) return;
  const plan = await run.rows.find(query, { sort }).explain('queryPlanner');
  if (JSON.stringify(plan.queryPlanner?.winningPlan).includes('IXSCAN')) run.counts.byIndex += 1;
}

async function distinct(run: Run, { query, path }: Extract<Step, { kind: 'distinct' }>): Promise<void> {
  const values = run.documents
    .filter((document) => fits(document, query))
    .flatMap((document) => reach(document, path.split('.')).flat())
    .filter((value) => value !== undefined);
  const wanted = values.filter((value, at) => values.findIndex((other) => equal(value, other)) === at);
  const command = { distinct: run.rows.collectionName, key: path, query };
  const answer = await run.db.command(command, { promoteValues: false, ...within(run) });
  // The driver's values are of classes of its own.
  const { values: got } = BSON.deserialize(BSON.serialize({ values: answer.values }), {
    promoteValues: false,
  });
  const isAlike =
    got.length === wanted.length && wanted.every((value) => got.some((other: Value) => equal(value, other)));
  if (!isAlike)
    expect.fail(`distinct ${path} of ${shown(query)}\n  answered ${shown(got)}\n  expected ${shown(wanted)}`);
}

/** What comes of a change: documents, the number of the refusal, or nothing that the model would claim. */
type Outcome = { documents: Fields[] } | { code: number } | null;

function outcomeOf(documents: Fields[], update: Fields): Outcome {
  try {
    return { documents: documents.map((document) => updated(document, update)) };
  } catch (error) {
    if (error instanceof Refused) return { code: error.code };
    if (error instanceof Unclaimed) return null;
    throw error;
  }
}

/** The same of one document among the others. */
function aloneIn(run: Run, document: Fields | null, change: () => Outcome): Outcome {
  const outcome = change();
  if (!outcome || 'code' in outcome) return outcome;
  const others = run.documents.filter((other) => other !== document);
  return isClashing(run.indexes, others, outcome.documents[0]!) ? { code: duplicate } : outcome;
}

/** Whether something may be tried: in a transaction what is refused ends it, which is another test. */
const mayBeTried = (run: Run, outcome: Outcome): outcome is NonNullable<Outcome> => {
  if (outcome === null) run.counts.unclaimed += 1;
  return outcome !== null && !(run.session && 'code' in outcome);
};

/** Does what changes one document, and puts what should come of it into the model. */
async function changeOne(
  run: Run,
  what: string,
  document: Fields | null,
  outcome: NonNullable<Outcome>,
  act: () => Promise<unknown>,
): Promise<void> {
  let code: unknown = null;
  try {
    await act();
  } catch (error) {
    // Where values keep their types, this one does, too.
    code = (error as { code?: unknown }).code?.valueOf() ?? error;
  }
  const wanted = 'code' in outcome ? outcome.code : null;
  if (code !== wanted) expect.fail(`${what}: ${shown(code ?? 'accepted')}, expected ${wanted ?? 'accepted'}`);
  if ('code' in outcome) {
    run.counts.refused += 1;
    return;
  }
  run.counts.changed += 1;
  run.documents = [...run.documents.filter((other) => other !== document), ...outcome.documents];
}

async function update(run: Run, { query, update: change }: Extract<Step, { kind: 'update' }>): Promise<void> {
  const fitting = run.documents.filter((document) => fits(document, query));
  const outcome: Outcome = isConflicting(change) ? { code: 40 } : outcomeOf(fitting, change);
  const what = `update ${shown(query)} by ${shown(change)} of ${shown(fitting)}`;
  if (isConflicting(change)) {
    if (!run.session)
      await changeOne(run, what, null, { code: 40 }, () => run.rows.updateMany(query, change));
    return;
  }
  const isOneByOne = run.indexes.some(({ options }) => options.unique) || (outcome && 'code' in outcome);
  if (isOneByOne) {
    // Of many, those before the one that is refused would be changed, in an order nobody promises.
    for (const document of fitting.slice(0, 5)) {
      const alone = aloneIn(run, document, () => outcomeOf([document], change));
      if (!mayBeTried(run, alone)) continue;
      await changeOne(run, `update ${shown(document)} by ${shown(change)}`, document, alone, () =>
        run.rows.updateOne({ _id: document._id as never }, change, within(run)),
      );
    }
  } else {
    if (!mayBeTried(run, outcome) || 'code' in outcome) return;
    const result = await run.rows.updateMany(query, change, within(run));
    const after = outcome.documents;
    const changed = fitting.filter((document, at) => !isSame(document, after[at]!)).length;
    if (result.matchedCount !== fitting.length) expect.fail(`${what}: matched ${result.matchedCount}`);
    if (result.modifiedCount !== changed)
      expect.fail(`${what}: modified ${result.modifiedCount} of ${changed}`);
    run.documents = run.documents.map((document) => after[fitting.indexOf(document)] ?? document);
    run.counts.updates += 1;
    run.counts.changed += changed;
  }
  await checkAll(run, what);
}

async function findAndChange(run: Run, step: Extract<Step, { kind: 'find and change' }>): Promise<void> {
  const { query, update: change, isAfter } = step;
  const fitting = run.documents.filter((document) => fits(document, query));
  const sort = orderFor(fitting, step.sort);
  const [first] = inOrder(fitting, sort);
  const what = `find ${shown(query)} ${shown(sort)} and change by ${shown(change)} of ${shown(fitting)}`;
  if (change === null) {
    const got = await run.typed.findOneAndDelete(query, { sort, ...within(run) });
    expectSame(what, got ? [got] : [], first ? [first] : []);
    run.documents = run.documents.filter((document) => document !== first);
  } else if (!first) {
    if (isConflicting(change)) return;
    const got = await run.typed.findOneAndUpdate(query, change, { sort, ...within(run) });
    expectSame(what, got ? [got] : [], []);
  } else {
    const outcome = aloneIn(run, first, () => outcomeOf([first], change));
    if (!mayBeTried(run, outcome)) return;
    await changeOne(run, what, first, outcome, async () => {
      const returnDocument = isAfter ? 'after' : 'before';
      const got = await run.typed.findOneAndUpdate(query, change, { sort, returnDocument, ...within(run) });
      const wanted = isAfter && 'documents' in outcome ? outcome.documents : [first];
      expectSame(what, got ? [got] : [], wanted);
    });
  }
  await checkAll(run, what);
}

async function upsert(run: Run, { id, update: change }: Extract<Step, { kind: 'upsert' }>): Promise<void> {
  const _id = new Int32(id);
  const present = run.documents.find((document) => idOf(document) === id) ?? null;
  const outcome = aloneIn(run, present, () => outcomeOf([present ?? { _id }], change));
  if (!mayBeTried(run, outcome)) return;
  const what = `upsert ${id} by ${shown(change)} of ${shown(present)}`;
  await changeOne(run, what, present, outcome, () =>
    run.rows.updateOne({ _id: _id as never }, change, { upsert: true, ...within(run) }),
  );
  await checkAll(run, what);
}

async function replace(run: Run, { id, document }: Extract<Step, { kind: 'replace' }>): Promise<void> {
  const _id = new Int32(id);
  const present = run.documents.find((one) => idOf(one) === id) ?? null;
  if (!present) return;
  const outcome = aloneIn(run, present, () => ({ documents: [{ _id, ...copyOf(document) }] }));
  if (!mayBeTried(run, outcome)) return;
  const what = `replace ${shown(present)} by ${shown(document)}`;
  await changeOne(run, what, present, outcome, () =>
    run.rows.replaceOne({ _id: _id as never }, document, within(run)),
  );
  await checkAll(run, what);
}

async function remove(run: Run, { query }: Extract<Step, { kind: 'delete' }>): Promise<void> {
  const { deletedCount } = await run.rows.deleteMany(query, within(run));
  const left = run.documents.filter((document) => !fits(document, query));
  if (deletedCount !== run.documents.length - left.length)
    expect.fail(`delete ${shown(query)}: ${deletedCount} of ${run.documents.length - left.length}`);
  run.documents = left;
  await checkAll(run, `delete ${shown(query)}`);
}

async function addIndex(run: Run, spec: IndexSpec): Promise<void> {
  const nameOf = (one: IndexSpec) => JSON.stringify(one.key);
  if (run.session || run.indexes.some((one) => nameOf(one) === nameOf(spec))) return;
  const clash = run.documents.some((document, at) =>
    isClashing([spec], run.documents.slice(0, at), document),
  );
  const code = await run.rows.createIndex(spec.key, spec.options).then(
    () => null,
    (error: { code?: unknown }) => error.code ?? error,
  );
  if (code !== (clash ? duplicate : null))
    expect.fail(`index ${shown(spec)} on ${shown(run.documents)}: ${shown(code)}`);
  if (!clash) run.indexes.push(spec);
}

async function take(run: Run, given: Step): Promise<void> {
  const step = { ...given };
  if ('query' in step) step.query = resolved(step.query, run.documents);
  if ('update' in step && step.update && isFields(step.update.$pull))
    step.update = { ...step.update, $pull: resolved(step.update.$pull, run.documents) };
  if (run.session) run.counts.inTransactions += 1;
  switch (step.kind) {
    case 'find':
      return find(run, step);
    case 'distinct':
      return distinct(run, step);
    case 'update':
      return update(run, step);
    case 'find and change':
      return findAndChange(run, step);
    case 'upsert':
      return upsert(run, step);
    case 'replace':
      return replace(run, step);
    case 'delete':
      return remove(run, step);
    case 'index':
      return addIndex(run, step.spec);
    case 'drop index': {
      const gone = run.session ? undefined : run.indexes.pop();
      if (gone) await run.rows.dropIndex(gone.key as never);
    }
  }
}

/** The same steps inside a transaction, seen from inside, and afterwards from outside. */
async function playWithin(run: Run, steps: Step[], isCommitted: boolean): Promise<void> {
  const before = run.documents;
  await run.db.client.withSession(async (session) => {
    run.session = session;
    session.startTransaction();
    // A transaction that wrote nothing yet has nothing of its own.
    await run.rows.insertOne({ _id: new Int32(100) as never, n: new Int32(100) }, { session });
    run.documents = [...run.documents, { _id: new Int32(100), n: new Int32(100) }];
    for (const step of steps) await take(run, step);
    await (isCommitted ? session.commitTransaction() : session.abortTransaction());
    run.session = null;
  });
  if (!isCommitted) run.documents = before;
  await checkAll(run, isCommitted ? 'after the commit' : 'after the abort');
}

let made = 0;

export async function play(db: Db, counts: Counts, offered: Case): Promise<void> {
  made += 1;
  const given = { ...inTexts({ ...offered, texts: null }, offered.texts), texts: offered.texts };
  texts.countsAs = given.texts.countsAs;
  const rows = db.collection<Document>(`rows${made}`);
  const typed = db.collection<Document>(`rows${made}`, { promoteValues: false });
  const run: Run = { db, rows, typed, documents: [], indexes: [], session: null, counts };
  try {
    await db.createCollection(
      rows.collectionName,
      given.texts.collation ? { collation: given.texts.collation } : {},
    );
    for (const spec of given.indexes) await addIndex(run, spec);
    const documents = given.documents.map((document, at) => ({ _id: new Int32(at), ...document }));
    for (const document of documents)
      if (!isClashing(run.indexes, run.documents, document)) run.documents.push(document);
    const code = await rows
      .insertMany(
        documents.map((one): Document => copyOf(one)),
        { ordered: false },
      )
      .then(
        () => null,
        (error: { code?: unknown }) => error.code ?? error,
      );
    const wanted = run.documents.length < documents.length ? duplicate : null;
    if (code !== wanted) expect.fail(`insert ${shown(documents)}: ${shown(code)}, expected ${wanted}`);
    await checkAll(run, 'insert');
    for (const step of given.steps) await take(run, step);
    const isFree = !isClashing(run.indexes, run.documents, { _id: new Int32(100), n: new Int32(100) });
    if (given.within.length > 0 && isFree) {
      await playWithin(run, given.within, given.isCommitted);
      // What is written afterwards stands on what the transaction left.
      for (const step of given.steps.slice(0, 3)) await take(run, step);
    }
  } finally {
    await rows.drop();
  }
}
