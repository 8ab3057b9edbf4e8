import type { Value } from '../bson/types.js';
import { badValue } from '../errors.js';
import { compare, typeName } from '../values/compare.js';
import { depthOf } from './depth.js';
import { identical } from './identical.js';
import type { Leaf, MakeLeaf } from './leaf.js';

/** Operators that put a value: `$set`, `$setOnInsert`, `$unset`, `$min`, `$max`, `$currentDate`. */

const creates = { kind: 'leaf', obstacle: 'cannot create' } as const;

export const set: MakeLeaf = (operand) => ({
  ...creates,
  depth: depthOf(operand),
  change: (current) => (identical(current, operand) ? current : operand),
  create: () => operand,
});

export const setOnInsert: MakeLeaf = (operand, path, settings) => ({
  ...set(operand, path, settings),
  isForInsert: true,
});

export const unset: MakeLeaf = () => gone;

export const gone: Leaf = {
  kind: 'leaf',
  obstacle: 'pass',
  depth: 0,
  change: () => undefined,
  create: () => undefined,
};

/** The operand takes the place of what is farther from what is wanted, by MongoDB's order over values of all types. */
const keep =
  (isBetter: (difference: number) => boolean): MakeLeaf =>
  (operand, _path, { collate }) => ({
    ...creates,
    depth: depthOf(operand),
    change: (current) => (isBetter(compare(operand, current, collate)) ? operand : current),
    create: () => operand,
  });

export const min = keep((difference) => difference < 0);
export const max = keep((difference) => difference > 0);

export const currentDate: MakeLeaf = (operand, _path, { now, timestamp }) => {
  const give: () => Value = isForTimestamp(operand) ? timestamp : now;
  return { ...creates, depth: 0, change: give, create: give };
};

function isForTimestamp(operand: Value): boolean {
  if (typeof operand === 'boolean') return false;
  if (!(operand instanceof Map))
    throw badValue(
      `${typeName(operand)} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).`,
    );
  for (const name of operand.keys())
    if (name !== '$type') throw badValue(`Unrecognized $currentDate option: ${name}`);
  const type = operand.get('$type');
  if (type !== 'date' && type !== 'timestamp')
    throw badValue(
      "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
    );
  return type === 'timestamp';
}
