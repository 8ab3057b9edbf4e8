import type { Doc, Value } from '../bson/types.js';
import { badValue } from '../errors.js';
import { type Collate, compare, typeName } from '../values/compare.js';
import { isNumber, toDouble, toInteger } from '../values/numbers.js';
import { depthOf } from './depth.js';
import { identical } from './identical.js';
import { type MakeLeaf, pathOf } from './leaf.js';
import { isIndex } from './paths.js';
import { idOf } from './show.js';

/** `$push` with its modifiers: first the elements are put in, then all are sorted, then what is too much is cut off. */
interface Push {
  readonly items: readonly Value[];
  /** Where they are put: from the front, from the end when negative; null for the end. */
  readonly position: number | null;
  readonly order: ((left: Value, right: Value) => number) | null;
  /** How many are kept: of the first ones, of the last ones when negative; null for all. */
  readonly slice: number | null;
}

export const push: MakeLeaf = (operand, _path, { collate }) => {
  const how = parsePush(operand, collate);
  return {
    kind: 'leaf',
    obstacle: 'cannot create',
    depth: depthOf([...how.items]),
    change: (current, run) => {
      if (!Array.isArray(current))
        throw badValue(
          `The field '${pathOf(run)}' must be an array but is of type ${typeName(current)} in document {${idOf(run.root)}}`,
        );
      const after = pushed(current, how);
      return identical(after, current) ? current : after;
    },
    create: () => pushed([], how),
    appends: (before, after) =>
      how.order === null &&
      before.length > 0 &&
      (how.position === null || how.position > before.length) &&
      after.length === before.length + how.items.length,
  };
};

function pushed(list: readonly Value[], { items, position, order, slice }: Push): Value[] {
  const result = [...list];
  // A position before the beginning is the beginning, one behind the end the end.
  result.splice(position ?? result.length, 0, ...items);
  if (order) result.sort(order);
  if (slice === null || Math.abs(slice) >= result.length) return result;
  return slice >= 0 ? result.slice(0, slice) : result.slice(slice);
}

const modifiers = new Set(['$each', '$slice', '$sort', '$position']);

function parsePush(operand: Value, collate: Collate | undefined): Push {
  if (!(operand instanceof Map) || !operand.has('$each'))
    return { items: [operand], position: null, order: null, slice: null };
  for (const name of operand.keys())
    if (!modifiers.has(name)) throw badValue(`Unrecognized clause in $push: ${name}`);
  const items = operand.get('$each')!;
  if (!Array.isArray(items))
    throw badValue(`The argument to $each in $push must be an array but it was of type: ${typeName(items)}`);
  const sort = operand.get('$sort');
  return {
    items,
    position: wholeNumber(
      operand.get('$position'),
      'The value for $position must be an integer value, not of type:',
    ),
    order: sort === undefined ? null : orderOf(sort, collate),
    slice: wholeNumber(
      operand.get('$slice'),
      'The value for $slice must be an integer value but was given type:',
    ),
  };
}

function wholeNumber(value: Value | undefined, complaint: string): number | null {
  if (value === undefined) return null;
  const whole = toInteger(value);
  if (whole === null) throw badValue(`${complaint} ${typeName(value)}`);
  return Number(whole);
}

function orderOf(sort: Value, collate: Collate | undefined): (left: Value, right: Value) => number {
  if (isNumber(sort)) {
    const direction = directionOf(sort);
    return (left, right) => direction * compare(left, right, collate);
  }
  if (!(sort instanceof Map))
    throw badValue(
      'The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields',
    );
  const keys = sortKeys(sort);
  return (left, right) => {
    for (const { path, direction } of keys) {
      const difference = direction * compare(keyAt(left, path), keyAt(right, path), collate);
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

function directionOf(value: Value): number {
  const direction = isNumber(value) ? toDouble(value) : 0;
  if (direction !== 1 && direction !== -1) throw badValue('The $sort element value must be either 1 or -1');
  return direction;
}

interface SortKey {
  readonly path: readonly string[];
  readonly direction: number;
}

function sortKeys(sort: Doc): SortKey[] {
  if (sort.size === 0) throw badValue('The $sort pattern is empty when it should be a set of fields.');
  return [...sort].map(([name, value]) => {
    const direction = directionOf(value);
    if (name === '') throw badValue('The $sort field cannot be empty');
    const path = name.split('.');
    if (path.includes('')) throw badValue(`The $sort field is a dotted field but has an empty part: ${name}`);
    return { path, direction };
  });
}

/** By which an element sorts: unlike a query's sort, this looks into no array but where a number says so. */
function keyAt(item: Value, path: readonly string[]): Value {
  let at: Value | undefined = item instanceof Map ? item : undefined;
  for (const part of path) {
    if (at instanceof Map) at = at.get(part);
    else if (Array.isArray(at) && isIndex(part)) at = at[Number(part)];
    else at = undefined;
  }
  return at ?? null;
}
