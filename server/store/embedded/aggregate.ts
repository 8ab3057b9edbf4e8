import { Int32 } from 'bson';
import { StoreError } from './errors.js';
import { compileFilter, valuesAt } from './match.js';
import { compileSort, project } from './update.js';
import { compare, type Doc, isDocument, isNumber, numeric } from './values.js';
import { encode } from './wire.js';

/** The few stages that the product uses: what counting and grouping need. Anything else is refused by MongoDB's code. */

type Expression = (doc: Doc) => unknown;

function expression(spec: unknown): Expression {
  if (typeof spec === 'string' && spec.startsWith('$')) {
    const path = spec.slice(1).split('.');
    return (doc) => valuesAt(doc, path)[0] ?? null;
  }
  if (isDocument(spec)) {
    const name = Object.keys(spec)[0];
    if (name?.startsWith('$'))
      throw new StoreError(168, 'InvalidPipelineOperator', `Unrecognized expression '${name}'`);
    const fields = Object.entries(spec).map(([field, inner]): [string, Expression] => [
      field,
      expression(inner),
    ]);
    return (doc) => Object.fromEntries(fields.map(([field, inner]) => [field, inner(doc)]));
  }
  return () => spec;
}

const accumulators: Record<string, (values: unknown[]) => unknown> = {
  $sum: (values) => {
    const sum = values.filter(isNumber).reduce<number>((total, value) => total + Number(numeric(value)), 0);
    return Number.isInteger(sum) && Math.abs(sum) < 2 ** 31 ? new Int32(sum) : sum;
  },
  $min: (values) =>
    values.reduce(
      (best, value) => (best === undefined || compare(value, best) < 0 ? value : best),
      undefined,
    ),
  $max: (values) =>
    values.reduce(
      (best, value) => (best === undefined || compare(value, best) > 0 ? value : best),
      undefined,
    ),
  $first: (values) => values[0] ?? null,
  $last: (values) => values.at(-1) ?? null,
  $push: (values) => values,
};

function* group(docs: Iterable<Doc>, spec: Doc): Generator<Doc> {
  const { _id: idSpec, ...fields } = spec;
  const id = expression(idSpec);
  const parts = Object.entries(fields).map(([field, inner]) => {
    const [name, operand] = Object.entries(inner as Doc)[0]!;
    const accumulate = Object.hasOwn(accumulators, name) ? accumulators[name]! : null;
    if (!accumulate) throw new StoreError(15952, 'Location15952', `unknown group operator '${name}'`);
    return { field, accumulate, value: expression(operand) };
  });
  const groups = new Map<string, { id: unknown; values: unknown[][] }>();
  for (const doc of docs) {
    const value = id(doc);
    const key = encode({ value }).toString('latin1');
    let one = groups.get(key);
    if (!one) {
      one = { id: value, values: parts.map(() => []) };
      groups.set(key, one);
    }
    for (const [at, part] of parts.entries()) one.values[at]!.push(part.value(doc));
  }
  for (const { id: value, values } of groups.values()) {
    yield {
      _id: value,
      ...Object.fromEntries(parts.map(({ field, accumulate }, at) => [field, accumulate(values[at]!)])),
    };
  }
}

function* slice(docs: Iterable<Doc>, skip: number, limit: number): Generator<Doc> {
  let n = 0;
  for (const doc of docs) {
    n += 1;
    if (n > skip) yield doc;
    if (n - skip >= limit) return;
  }
}

/** @throws StoreError 40324 for a stage this store does not know */
export function aggregateRows(docs: Iterable<Doc>, pipeline: Doc[]): Iterable<Doc> {
  let rows = docs;
  for (const stage of pipeline) {
    const [name, spec] = Object.entries(stage)[0]!;
    const input = rows;
    if (name === '$match') {
      const matches = compileFilter(spec as Doc);
      rows = [...input].filter(matches);
    } else if (name === '$sort') rows = [...input].sort(compileSort(spec as Doc));
    else if (name === '$limit') rows = slice(input, 0, Number(numeric(spec)));
    else if (name === '$skip') rows = slice(input, Number(numeric(spec)), Number.POSITIVE_INFINITY);
    else if (name === '$project') rows = [...input].map((doc) => project(doc, spec as Doc));
    else if (name === '$group') rows = group(input, spec as Doc);
    else if (name === '$count') {
      const n = [...input].length;
      rows = n > 0 ? [{ [String(spec)]: new Int32(n) }] : [];
    } else throw new StoreError(40324, 'Location40324', `Unrecognized pipeline stage name: '${name}'`);
  }
  return rows;
}
