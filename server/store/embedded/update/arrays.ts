import type { Doc, Value } from '../bson/types.js';
import { badValue, failedToParse, typeMismatch } from '../errors.js';
import { compileFilter, hasOperators } from '../query/match.js';
import { isRegExp } from '../query/regexp.js';
import { equals, typeName } from '../values/compare.js';
import { isNumber, toInteger } from '../values/numbers.js';
import { depthOf } from './depth.js';
import { type Leaf, type MakeLeaf, pathOf, type Run, type Settings } from './leaf.js';
import { field, show } from './show.js';

/** Operators over the elements of an array: `$addToSet`, `$pop`, `$pull`, `$pullAll`. */

export const addToSet: MakeLeaf = (operand, _path, { collate }) => {
  const missingFrom = (list: readonly Value[], items: readonly Value[]): Value[] => {
    const added: Value[] = [];
    for (const item of items) {
      const isItem = (other: Value) => equals(other, item, collate);
      if (!list.some(isItem) && !added.some(isItem)) added.push(item);
    }
    return added;
  };
  const items = missingFrom([], setItems(operand));
  return {
    kind: 'leaf',
    obstacle: 'cannot create',
    depth: depthOf(items),
    change: (current, run) => {
      if (!Array.isArray(current))
        throw badValue(
          `Cannot apply $addToSet to non-array field. Field named '${run.path.at(-1)}' has non-array type ${typeName(current)}`,
        );
      const added = missingFrom(current, items);
      return added.length === 0 ? current : [...current, ...added];
    },
    create: () => items,
  };
};

function setItems(operand: Value): Value[] {
  if (!(operand instanceof Map) || operand.keys().next().value !== '$each') return [operand];
  const each = operand.get('$each')!;
  if (!Array.isArray(each))
    throw typeMismatch(
      `The argument to $each in $addToSet must be an array but it was of type ${typeName(each)}`,
    );
  if (operand.size > 1) throw badValue(`Found unexpected fields after $each in $addToSet: ${show(operand)}`);
  return each;
}

export const pop: MakeLeaf = (operand, path) => {
  if (!isNumber(operand)) throw failedToParse(`Expected a number in: ${field(path, operand)}`);
  const end = toInteger(operand);
  if (end === null) throw failedToParse(`Expected an integer: ${field(path, operand)}`);
  if (end !== 1n && end !== -1n) throw failedToParse(`$pop expects 1 or -1, found: ${end}`);
  return removing(
    (list) => (end === 1n ? list.slice(0, -1) : list.slice(1)),
    (current, run) =>
      typeMismatch(`Path '${pathOf(run)}' contains an element of non-array type '${typeName(current)}'`),
  );
};

export const pull: MakeLeaf = (operand, _path, settings) => {
  const isPulled = pulledBy(operand, settings);
  return removing((list) => list.filter((item) => !isPulled(item)), notPullable);
};

export const pullAll: MakeLeaf = (operand, _path, { collate }) => {
  if (!Array.isArray(operand))
    throw badValue(`$pullAll requires an array argument but was given a ${typeName(operand)}`);
  return removing(
    (list) => list.filter((item) => !operand.some((gone) => equals(gone, item, collate))),
    notPullable,
  );
};

const notPullable = () => badValue('Cannot apply $pull to a non-array value');

const removing = (remove: (list: Value[]) => Value[], refuse: (current: Value, run: Run) => Error): Leaf => ({
  kind: 'leaf',
  obstacle: 'cannot traverse',
  depth: 0,
  change: (current, run) => {
    if (!Array.isArray(current)) throw refuse(current, run);
    const rest = remove(current);
    return rest.length === current.length ? current : rest;
  },
  create: () => undefined,
});

/** Operators that ask a whole document, and so are no condition on an element itself. */
const ofDocuments = new Set([
  '$and',
  '$or',
  '$nor',
  '$expr',
  '$where',
  '$text',
  '$comment',
  '$jsonSchema',
  '$alwaysTrue',
  '$alwaysFalse',
  '$sampleRate',
]);

/** A document is a filter for documents, an operator or an expression a condition on any element; all else must be equal. */
function pulledBy(operand: Value, { collate }: Settings): (item: Value) => boolean {
  if (isRegExp(operand) || (hasOperators(operand) && !ofDocuments.has(firstOf(operand)))) {
    const matches = compileFilter(new Map([['', operand]]), { collate });
    return (item) => matches(new Map([['', item]]));
  }
  if (operand instanceof Map) {
    const matches = compileFilter(operand, { collate });
    return (item) => item instanceof Map && matches(item);
  }
  return (item) => equals(item, operand, collate);
}

const firstOf = (doc: Doc): string => doc.keys().next().value!;
