import { BSONRegExp } from 'bson';
import { badValue } from './errors.js';
import { bracketOf, compare, type Doc, equals, isDocument, isNumber, numeric } from './values.js';

export type Matcher = (doc: Doc) => boolean;
type Test = (value: unknown) => boolean;

/** Everything a dotted path reaches, through arrays at every step. The last array is itself and its elements. */
export function valuesAt(doc: unknown, path: string[], at = 0): unknown[] {
  if (at === path.length) return [doc];
  const name = path[at]!;
  if (Array.isArray(doc)) {
    const byIndex =
      /^\d+$/.test(name) && Number(name) < doc.length ? valuesAt(doc[Number(name)], path, at + 1) : [];
    return [...byIndex, ...doc.filter(isDocument).flatMap((item) => valuesAt(item, path, at))];
  }
  if (!isDocument(doc)) return [undefined];
  return valuesAt(Object.hasOwn(doc, name) ? doc[name] : undefined, path, at + 1);
}

/** A test holds when a reached value fits, or an element of a reached array does. */
const any = (doc: Doc, path: string[], test: Test): boolean =>
  valuesAt(doc, path).some(
    (value) => test(value) || (Array.isArray(value) && value.some((item) => test(item))),
  );

const isNullish = (value: unknown) => value === null || value === undefined;
const sameBracket = (left: unknown, right: unknown) => bracketOf(left) === bracketOf(right);

function toRegExp(value: unknown, options?: unknown): RegExp {
  const source =
    value instanceof BSONRegExp ? value.pattern : value instanceof RegExp ? value.source : String(value);
  const flags =
    typeof options === 'string'
      ? options
      : value instanceof BSONRegExp
        ? value.options
        : value instanceof RegExp
          ? value.flags
          : '';
  return new RegExp(source, [...new Set(`${flags.replace(/[^ims]/g, '')}u`)].join(''));
}
const isRegExp = (value: unknown) => value instanceof BSONRegExp || value instanceof RegExp;

function equalityTest(operand: unknown): Test {
  if (isRegExp(operand)) {
    const pattern = toRegExp(operand);
    return (value) =>
      (typeof value === 'string' && pattern.test(value)) || (isRegExp(value) && equals(value, operand));
  }
  if (operand === null) return isNullish;
  return (value) => equals(value, operand);
}

const typeNames: Record<string, number[]> = {
  double: [3],
  int: [3],
  long: [3],
  decimal: [3],
  number: [3],
  string: [4],
  object: [5],
  array: [6],
  binData: [7],
  objectId: [8],
  bool: [9],
  date: [10],
  null: [2],
  timestamp: [11],
  regex: [12],
};

function operatorMatcher(path: string[], operator: string, operand: unknown, siblings: Doc): Matcher {
  const order = (test: (difference: number) => boolean): Matcher => {
    if (operand === null) return (doc) => test(0) && any(doc, path, isNullish);
    return (doc) => any(doc, path, (value) => sameBracket(value, operand) && test(compare(value, operand)));
  };
  switch (operator) {
    case '$eq': {
      const test = operand === null ? isNullish : (value: unknown) => equals(value, operand);
      return (doc) => any(doc, path, test);
    }
    case '$ne': {
      const inner = operatorMatcher(path, '$eq', operand, siblings);
      return (doc) => !inner(doc);
    }
    case '$gt':
      return order((difference) => difference > 0);
    case '$gte':
      return order((difference) => difference >= 0);
    case '$lt':
      return order((difference) => difference < 0);
    case '$lte':
      return order((difference) => difference <= 0);
    case '$in': {
      if (!Array.isArray(operand)) throw badValue('$in needs an array');
      const strings = new Set(operand.filter((item) => typeof item === 'string'));
      const others = operand.filter((item) => typeof item !== 'string').map(equalityTest);
      return (doc) =>
        any(
          doc,
          path,
          (value) => (typeof value === 'string' && strings.has(value)) || others.some((test) => test(value)),
        );
    }
    case '$nin': {
      const inner = operatorMatcher(path, '$in', operand, siblings);
      return (doc) => !inner(doc);
    }
    case '$exists': {
      const wanted = isNumber(operand) ? Number(numeric(operand)) !== 0 : Boolean(operand);
      return (doc) => valuesAt(doc, path).some((value) => value !== undefined) === wanted;
    }
    case '$not': {
      const inner = isRegExp(operand) ? fieldMatcher(path, operand) : fieldMatcher(path, operand as Doc);
      return (doc) => !inner(doc);
    }
    case '$regex': {
      const pattern = toRegExp(operand, siblings.$options);
      return (doc) => any(doc, path, (value) => typeof value === 'string' && pattern.test(value));
    }
    case '$options':
      return () => true;
    case '$size':
      return (doc) =>
        valuesAt(doc, path).some(
          (value) => Array.isArray(value) && value.length === Number(numeric(operand)),
        );
    case '$all': {
      const parts = (operand as unknown[]).map((item) => fieldMatcher(path, item));
      return (doc) => parts.length > 0 && parts.every((part) => part(doc));
    }
    case '$elemMatch': {
      const conditions = operand as Doc;
      const onValue = Object.keys(conditions).every(
        (key) => key.startsWith('$') && !['$and', '$or', '$nor'].includes(key),
      );
      const inner = onValue ? fieldMatcher(['value'], conditions) : compileFilter(conditions);
      return (doc) =>
        valuesAt(doc, path).some(
          (value) =>
            Array.isArray(value) &&
            value.some((item) => (onValue ? inner({ value: item }) : isDocument(item) && inner(item))),
        );
    }
    case '$type': {
      const names = [operand].flat().map(String);
      return (doc) =>
        any(
          doc,
          path,
          (value) => value !== undefined && names.some((name) => typeNames[name]?.includes(bracketOf(value))),
        );
    }
    case '$mod': {
      const [divisor, remainder] = (operand as unknown[]).map((item) => Number(numeric(item)));
      return (doc) =>
        any(
          doc,
          path,
          (value) => isNumber(value) && Math.trunc(Number(numeric(value))) % divisor! === remainder,
        );
    }
    default:
      throw badValue(`unknown operator: ${operator}`);
  }
}

const hasOperators = (value: unknown): value is Doc =>
  isDocument(value) && !isRegExp(value) && Object.keys(value)[0]?.startsWith('$') === true;

function fieldMatcher(path: string[], condition: unknown): Matcher {
  if (hasOperators(condition)) {
    const parts = Object.entries(condition).map(([operator, operand]) =>
      operatorMatcher(path, operator, operand, condition),
    );
    return parts.length === 1 ? parts[0]! : (doc) => parts.every((part) => part(doc));
  }
  const test = equalityTest(condition);
  return (doc) => any(doc, path, test);
}

const all = (parts: Matcher[]): Matcher =>
  parts.length === 1 ? parts[0]! : (doc) => parts.every((part) => part(doc));

/** @throws StoreError `BadValue` for what this store does not know */
export function compileFilter(filter: Doc): Matcher {
  const parts = Object.entries(filter).map(([key, condition]): Matcher => {
    if (!key.startsWith('$')) return fieldMatcher(key.split('.'), condition);
    if (key === '$comment') return () => true;
    if (!['$and', '$or', '$nor'].includes(key)) throw badValue(`unknown top level operator: ${key}`);
    if (!Array.isArray(condition) || condition.length === 0)
      throw badValue(`${key} must be a nonempty array`);
    const inner = condition.map((item) => compileFilter(item as Doc));
    if (key === '$and') return all(inner);
    if (key === '$or') return (doc) => inner.some((part) => part(doc));
    return (doc) => !inner.some((part) => part(doc));
  });
  return all(parts);
}
