import type { Doc, Value } from '../bson/types.js';
import { badValue, location } from '../errors.js';
import { type Collate, compare } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { type Path, pathOf } from '../values/path.js';
import { field } from '../values/show.js';
import { plainTuple, type Tuple, tuplesOf } from '../values/tuples.js';

/** Orders of documents. */

export interface SortPart {
  name: string;
  path: Path;
  direction: 1 | -1;
}

const mostParts = 32;

function directionOf(name: string, direction: Value): 1 | -1 {
  if (direction instanceof Map) {
    const [kind] = direction.keys();
    if (kind !== '$meta') throw location(17312, '$meta is the only expression supported by $sort right now');
    throw location(31138, `Illegal $meta sort: ${field(name, direction)} is not supported by this store`);
  }
  if (!isNumber(direction))
    throw location(15974, `Illegal key in $sort specification: ${field(name, direction)}`);
  const number = toDouble(direction);
  if (number !== 1 && number !== -1)
    throw location(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
  return number;
}

/** @throws StoreError as MongoDB's for a name that cannot be a path */
export function checkFieldPath(name: string): void {
  if (name === '') throw location(40352, 'FieldPath cannot be constructed with empty string');
  if (name.endsWith('.')) throw location(40353, "FieldPath must not end with a '.'.");
  for (const step of name.split('.')) {
    if (step === '') throw location(15998, 'FieldPath field names may not be empty strings.');
    if (step.startsWith('$'))
      throw location(
        16410,
        "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
      );
  }
}

/** @throws StoreError for what is no order: a direction other than 1 and -1, an empty name */
export function sortParts(spec: Doc): SortPart[] {
  if (spec.size > mostParts) throw location(13103, 'too many compound keys');
  return [...spec].map(([name, given]): SortPart => {
    const direction = directionOf(name, given);
    checkFieldPath(name);
    return { name, path: pathOf(name), direction };
  });
}

const parallel = () => badValue('cannot sort with keys that are parallel arrays');

/**
 * Compares documents by several fields. A document stands where the first of its tuples does: upwards an array stands
 * for its least element, downwards for its greatest, and an empty one before null.
 *
 * @throws StoreError for a specification that is none; the comparison throws `BadValue` for a document in which two of
 *   the fields go through two arrays
 */
export function compileSort(spec: Doc, collate?: Collate): (left: Doc, right: Doc) => number {
  const parts = sortParts(spec);
  const paths = parts.map(({ path }) => path);
  const known = new WeakMap<Doc, Tuple>();
  const compareTuples = (left: Tuple, right: Tuple): number => {
    for (let n = 0; n < parts.length; n += 1) {
      const difference = compare(left[n] ?? null, right[n] ?? null, collate);
      if (difference !== 0) return parts[n]!.direction > 0 ? difference : -difference;
    }
    return 0;
  };
  const unfolded = (doc: Doc): Tuple => {
    const tuples = tuplesOf(doc, paths, parallel);
    return tuples.reduce((best, one) => (compareTuples(one, best) < 0 ? one : best));
  };
  const tupleOf = (doc: Doc): Tuple => {
    let tuple = known.get(doc);
    if (!tuple) {
      tuple = plainTuple(doc, paths) ?? unfolded(doc);
      known.set(doc, tuple);
    }
    return tuple;
  };
  const [only] = parts;
  if (parts.length !== 1 || only!.path.steps.length !== 1)
    return (left, right) => compareTuples(tupleOf(left), tupleOf(right));
  const { name, direction } = only!;
  return (left, right) => {
    const a = left.get(name);
    const b = right.get(name);
    if (Array.isArray(a) || Array.isArray(b)) return compareTuples(tupleOf(left), tupleOf(right));
    return compare(a ?? null, b ?? null, collate) * direction;
  };
}
