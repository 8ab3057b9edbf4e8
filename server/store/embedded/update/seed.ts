import type { Doc, Value } from '../bson/types.js';
import { notSingleValue, StoreError } from '../errors.js';
import { hasOperators } from '../query/match.js';
import { isRegExp } from '../query/regexp.js';
import { overlap } from './paths.js';

/**
 * What an upsert begins with: the fields that its filter holds to one value each, `_id` first. A replacement brings its
 * own fields and takes but the `_id`.
 *
 * @throws StoreError `NotSingleValueField` (54) for a field held twice, or held together with one inside of it;
 *   `NotExactValueField` (111) for a replacement whose `_id` is held in part; `QueryFeatureNotAllowed` (224) for `$expr`
 */
export function seed(filter: Doc, isReplacement = false): Doc {
  let equalities = [...equalitiesIn(filter)];
  if (isReplacement) equalities = equalities.filter(isOfId);
  checkConflicts(equalities);
  let result: Doc = new Map();
  for (const equality of equalities.filter(isOfId)) {
    if (isReplacement && equality.path.length > 1)
      throw new StoreError(
        111,
        'NotExactValueField',
        `field at '_id' must be exactly specified, field at sub-path '${equality.path.join('.')}'found`,
      );
    result = withValue(result, equality.path, equality.value, 0);
  }
  for (const equality of equalities)
    if (!isOfId(equality)) result = withValue(result, equality.path, equality.value, 0);
  return result;
}

interface Equality {
  readonly path: readonly string[];
  readonly value: Value;
}

const isOfId = ({ path }: Equality): boolean => path[0] === '_id';

function* equalitiesIn(filter: Doc): Generator<Equality> {
  for (const [key, condition] of filter) {
    if (key === '$expr')
      throw new StoreError(
        224,
        'QueryFeatureNotAllowed',
        '$expr is not allowed in the query predicate for an upsert',
      );
    // One alternative is none: `$or` of one filter is that filter.
    if (key === '$and' || (key === '$or' && Array.isArray(condition) && condition.length === 1)) {
      for (const part of condition as Doc[]) yield* equalitiesIn(part);
      continue;
    }
    if (key.startsWith('$')) continue;
    for (const value of valuesOf(condition)) yield { path: key.split('.'), value };
  }
}

/** The values that a condition holds a field to. */
function* valuesOf(condition: Value): Generator<Value> {
  if (isRegExp(condition)) return;
  if (!hasOperators(condition)) {
    yield condition;
    return;
  }
  for (const [operator, operand] of condition) {
    if (operator === '$eq') yield operand;
    else if (operator === '$in' && Array.isArray(operand) && operand.length === 1) yield* plain(operand);
    else if (operator === '$all' && Array.isArray(operand)) yield* plain(operand);
  }
}

const plain = (values: readonly Value[]): Value[] =>
  values.filter((value) => !isRegExp(value) && !hasOperators(value));

function checkConflicts(equalities: readonly Equality[]): void {
  for (const [at, { path }] of equalities.entries())
    for (const other of equalities.slice(0, at)) {
      if (!overlap(path, other.path)) continue;
      const [inner, outer] = path.length > other.path.length ? [path, other.path] : [other.path, path];
      throw notSingleValue(
        inner.length === outer.length
          ? `cannot infer query fields to set, path '${path.join('.')}' is matched twice`
          : `cannot infer query fields to set, both paths '${inner.join('.')}' and '${outer.join('.')}' are matched`,
      );
    }
}

/** The document with a value at a path that leads through nothing but documents made here. */
function withValue(doc: Doc, path: readonly string[], value: Value, at: number): Doc {
  const name = path[at]!;
  if (at === path.length - 1) return new Map(doc).set(name, value);
  const inner = doc.get(name);
  return new Map(doc).set(name, withValue(inner instanceof Map ? inner : new Map(), path, value, at + 1));
}
