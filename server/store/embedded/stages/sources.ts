import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location, StoreError } from '../errors.js';
import { typeName } from '../values/compare.js';
import { show } from '../values/show.js';
import { counted } from './accumulator.js';
import { checkFields } from './spec.js';
import { expressionOf, type Maker, type PipelineContext, sourcing } from './stage.js';

/** Stages that a pipeline begins with, which bring rows of their own. */

export const documents: Maker = (operand, scope) => {
  const compute = expressionOf(operand, scope);
  return sourcing((variables) => {
    const list = compute(new Map(), variables);
    if (!Array.isArray(list))
      throw location(
        5_858_203,
        `error during evaluation of $documents: an array is expected, not ${typeName(list)}`,
      );
    return list.map((one) => {
      if (one instanceof Map) return one;
      throw location(
        40228,
        `'newRoot expression' must evaluate to an object, but resulting value was: ${show(one)}. Type of resulting value: '${typeName(one)}'.`,
      );
    });
  });
};

/** What is known by MongoDB and asked for here of a part that does not offer it. */
const notOffered = (what: string) =>
  new StoreError(115, 'CommandNotSupported', `${what} is not supported here`);

function docFrom(operand: Value, name: string): Doc {
  if (operand instanceof Map) return operand;
  throw failedToParse(`${name} must take a nested object but found: ${show(operand)}`);
}

export const localSessions: Maker = (operand, { context }, name) => {
  checkFields(docFrom(operand, name), name, ['allUsers', 'users']);
  const { localSessions: list } = context;
  if (!list) throw notOffered(name);
  return sourcing(() => list());
};

export const currentOp: Maker = (operand, { context }, name) => {
  const known = ['allUsers', 'idleConnections', 'idleCursors', 'idleSessions', 'localOps', 'backtrace'];
  checkFields(docFrom(operand, name), name, [...known, 'targetAllNodes', 'truncateOps']);
  const { operations } = context;
  if (!operations) throw notOffered(name);
  return sourcing(() => operations());
};

function collectionOf({ collection }: PipelineContext, name: string): string {
  if (collection === null)
    throw new StoreError(
      73,
      'InvalidNamespace',
      `{aggregate: 1} is not valid for '${name}'; a collection is required.`,
    );
  if (collection === undefined) throw notOffered(name);
  return collection;
}

export const indexStats: Maker = (operand, { context }, name) => {
  if (docFrom(operand, name).size > 0)
    throw location(28803, 'The $indexStats stage specification must be an empty object');
  const { indexStats: list, db } = context;
  if (!list) throw notOffered(name);
  const collection = collectionOf(context, name);
  return sourcing(() => list(db, collection));
};

export const collStats: Maker = (operand, { context }, name) => {
  const spec = docFrom(operand, name);
  checkFields(spec, name, ['count', 'latencyStats', 'storageStats', 'queryExecStats']);
  for (const part of spec.keys()) if (part !== 'count') throw notOffered(`${name} with ${part}`);
  const { count, db, now = new Date() } = context;
  if (!count) throw notOffered(name);
  const collection = collectionOf(context, name);
  return sourcing(() => {
    const held = count(db, collection);
    if (held === null)
      throw new StoreError(
        26,
        'NamespaceNotFound',
        `Unable to retrieve storageStats in $collStats stage :: caused by :: Collection [${db}.${collection}] not found.`,
      );
    const shown: Doc = new Map<string, Value>([
      ['ns', `${db}.${collection}`],
      ['localTime', now],
    ]);
    if (spec.has('count')) shown.set('count', counted(held));
    return [shown];
  });
};
