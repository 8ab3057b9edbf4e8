import { serialize } from 'bson';
import { Binary, Decimal128, type Document, Double, Int32, Long, ObjectId, Timestamp } from 'mongodb';

export interface Entities {
  get(name: string): unknown;
  lsidOf(session: string): unknown;
}

export class Mismatch extends Error {}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  Object.getPrototypeOf(value)?.constructor?.name === 'Object' &&
  !('_bsontype' in value);

/** Numbers compare by value, whatever their type, as the format says. */
function numeric(value: unknown): number | bigint | null {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long && !(value instanceof Timestamp)) return value.toBigInt();
  if (value instanceof Decimal128) return Number(value.toString());
  return null;
}

const bsonTypes: Record<string, (value: unknown) => boolean> = {
  double: (value) => value instanceof Double || typeof value === 'number',
  int: (value) =>
    value instanceof Int32 ||
    (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31),
  long: (value) =>
    (value instanceof Long && !(value instanceof Timestamp)) ||
    typeof value === 'bigint' ||
    (typeof value === 'number' && Number.isInteger(value)),
  decimal: (value) => value instanceof Decimal128,
  string: (value) => typeof value === 'string',
  object: isPlain,
  array: Array.isArray,
  binData: (value) => value instanceof Binary || value instanceof Uint8Array,
  objectId: (value) => value instanceof ObjectId,
  bool: (value) => typeof value === 'boolean',
  date: (value) => value instanceof Date,
  null: (value) => value === null,
  timestamp: (value) => value instanceof Timestamp,
};

const show = (value: unknown): string => {
  try {
    return (
      JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))?.slice(
        0,
        600,
      ) ?? String(value)
    );
  } catch {
    return String(value);
  }
};

/** The driver sends a `wtimeout` with each end of a transaction that has a write concern. */
const isDriversOwn = (path: string, key: string): boolean =>
  key === 'wtimeout' && /(commit|abort)Transaction\.writeConcern$/.test(path);

/**
 * The format's matching: a root document may hold more keys than expected, an embedded one may not; `$$` operators say
 * the rest.
 * @throws Mismatch naming the path
 */
export function match(
  expected: unknown,
  actual: unknown,
  entities: Entities,
  path = '',
  isRoot = true,
): void {
  const fail = (reason: string): never => {
    throw new Mismatch(`${path || 'root'}: ${reason}; expected ${show(expected)}, got ${show(actual)}`);
  };
  if (isPlain(expected)) {
    const [operator, ...others] = Object.keys(expected);
    if (operator?.startsWith('$$') && others.length === 0)
      return matchOperator(operator, expected[operator], actual, entities, path, isRoot);
    if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return fail('not a document');
    const found = actual as Record<string, unknown>;
    for (const [key, value] of Object.entries(expected)) {
      const inner = isPlain(value) ? value : null;
      const present = found[key] !== undefined;
      if (inner && '$$exists' in inner) {
        if (present !== inner.$$exists) fail(`${key} ${present ? 'is there' : 'is missing'}`);
        continue;
      }
      if (!present && !(inner && '$$unsetOrMatches' in inner)) fail(`${key} is missing`);
      match(value, found[key], entities, `${path}.${key}`, false);
    }
    if (!isRoot) {
      for (const key of Object.keys(found))
        if (found[key] !== undefined && !(key in expected) && !isDriversOwn(path, key))
          fail(`unexpected ${key}`);
    }
    return;
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return fail('not an array');
    if (actual.length !== expected.length) fail(`${actual.length} elements instead of ${expected.length}`);
    for (const [index, value] of expected.entries())
      match(value, actual[index], entities, `${path}[${index}]`, isRoot);
    return;
  }
  // The driver's buckets ask for `{$eq: id}` where the format writes the id.
  if (isPlain(actual) && '$eq' in actual && path.endsWith('find.filter._id'))
    return match(expected, actual.$eq, entities, path, isRoot);
  const number = numeric(expected);
  if (number !== null) {
    const other = numeric(actual);
    // 1n and 1 are the same number, and neither is greater.
    const same = other !== null && !(number < other) && !(number > other);
    if (!same) fail('another number');
    return;
  }
  if (expected instanceof Uint8Array)
    return void (Buffer.from(expected).equals(Buffer.from(actual as Uint8Array)) || fail('other bytes'));
  if (typeof expected === 'object' && expected !== null) {
    const same = Buffer.from(serialize({ v: expected })).equals(Buffer.from(serialize({ v: actual })));
    if (!same) fail('another value');
    return;
  }
  if (expected !== actual && !(expected === null && actual === undefined)) fail('another value');
}

function matchOperator(
  operator: string,
  argument: unknown,
  actual: unknown,
  entities: Entities,
  path: string,
  isRoot: boolean,
): void {
  const fail = (reason: string): never => {
    throw new Mismatch(`${path || 'root'}: ${operator} ${show(argument)}: ${reason}, got ${show(actual)}`);
  };
  switch (operator) {
    case '$$exists':
      return void (argument === (actual !== undefined && actual !== null) || fail('presence differs'));
    case '$$type': {
      const names = [argument].flat() as string[];
      const fits = names.some((name) =>
        name === 'number' ? numeric(actual) !== null : bsonTypes[name]?.(actual),
      );
      return void (fits || fail('another type'));
    }
    case '$$unsetOrMatches':
      if (actual === undefined || actual === null) return;
      return match(argument, actual, entities, path, isRoot);
    case '$$matchesEntity':
      return match(entities.get(argument as string), actual, entities, path, isRoot);
    case '$$matchesHexBytes':
      return void (Buffer.from(actual as Uint8Array).toString('hex') === argument || fail('other bytes'));
    case '$$sessionLsid':
      return match(entities.lsidOf(argument as string), actual, entities, path, false);
    case '$$lte':
      return void (Number(numeric(actual)) <= Number(numeric(argument)) || fail('more'));
    case '$$matchAsRoot':
      return match(argument, actual, entities, path, true);
    case '$$matchAsDocument':
      return match(
        argument,
        typeof actual === 'string' ? (JSON.parse(actual) as Document) : actual,
        entities,
        path,
        isRoot,
      );
    default:
      fail('unknown operator');
  }
}
