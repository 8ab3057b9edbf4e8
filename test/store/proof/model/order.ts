import { Binary, Decimal128, Double, Int32, Long, ObjectId } from 'bson';

/**
 * MongoDB's order of values, written from its documentation and for nothing but being plainly right: every number is an
 * exact fraction. It shares no code with the store.
 */
export type Value = unknown;
export type Fields = Record<string, Value>;

/** A number as it is: a fraction, or one of the three that are none. */
type Exact = { kind: 'nan' | 'least' | 'most' } | { kind: 'finite'; over: bigint; under: bigint };

export const isNumber = (value: Value): value is Int32 | Long | Double | Decimal128 =>
  value instanceof Int32 || value instanceof Long || value instanceof Double || value instanceof Decimal128;

/** Plain objects, those without a prototype too: the generator makes both. */
export const isFields = (value: Value): value is Fields =>
  typeof value === 'object' &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value));

function exactDouble(value: number): Exact {
  if (Number.isNaN(value)) return { kind: 'nan' };
  if (!Number.isFinite(value)) return { kind: value > 0 ? 'most' : 'least' };
  let under = 1n;
  let scaled = value;
  // A double is a whole number over a power of two.
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    under *= 2n;
  }
  return { kind: 'finite', over: BigInt(scaled), under };
}

function exactDecimal(text: string): Exact {
  if (text === 'NaN') return { kind: 'nan' };
  if (text.endsWith('Infinity')) return { kind: text.startsWith('-') ? 'least' : 'most' };
  const [, sign, whole = '', part = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(text) ?? [];
  const digits = BigInt(`${sign}${whole}${part}`);
  const shift = Number(exponent) - part.length;
  return shift >= 0
    ? { kind: 'finite', over: digits * 10n ** BigInt(shift), under: 1n }
    : { kind: 'finite', over: digits, under: 10n ** BigInt(-shift) };
}

export function exact(value: Value): Exact {
  if (value instanceof Int32) return { kind: 'finite', over: BigInt(value.value), under: 1n };
  if (value instanceof Long) return { kind: 'finite', over: value.toBigInt(), under: 1n };
  if (value instanceof Double) return exactDouble(value.value);
  if (value instanceof Decimal128) return exactDecimal(value.toString());
  throw new Error(`no number: ${String(value)}`);
}

export const isNotANumber = (value: Value): boolean => isNumber(value) && exact(value).kind === 'nan';

const ranks = { nan: 0, least: 1, finite: 2, most: 3 };

function compareNumbers(left: Value, right: Value): number {
  const [a, b] = [exact(left), exact(right)];
  if (a.kind !== 'finite' || b.kind !== 'finite') return ranks[a.kind] - ranks[b.kind];
  const [one, other] = [a.over * b.under, b.over * a.under];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The type's place in the order; what differs here is never compared by value. A missing field stands before null. */
export function rank(value: Value): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (isNumber(value)) return 2;
  if (typeof value === 'string') return 3;
  if (Array.isArray(value)) return 5;
  if (value instanceof Binary) return 6;
  if (value instanceof ObjectId) return 7;
  if (typeof value === 'boolean') return 8;
  if (value instanceof Date) return 9;
  if (isFields(value)) return 4;
  throw new Error(`a value that the model does not know: ${String(value)}`);
}

/** What a text counts as. Under a collation that looks past case and accents, as something simpler. */
export const texts = { countsAs: (text: string): string => text };

const compareBytes = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right);

export function compare(left: Value, right: Value): number {
  const difference = rank(left) - rank(right);
  if (difference !== 0) return difference;
  if (isNumber(left)) return compareNumbers(left, right);
  if (typeof left === 'string') {
    const [one, other] = [texts.countsAs(left), texts.countsAs(right as string)];
    return compareBytes(Buffer.from(one), Buffer.from(other));
  }
  if (typeof left === 'boolean') return Number(left) - Number(right);
  if (left instanceof Date) return left.getTime() - (right as Date).getTime();
  if (left instanceof ObjectId) return compareBytes(left.id, (right as ObjectId).id);
  if (left instanceof Binary) {
    const other = right as Binary;
    return (
      left.position - other.position ||
      left.sub_type - other.sub_type ||
      compareBytes(left.value(), other.value())
    );
  }
  if (Array.isArray(left)) return compareLists(left, right as Value[]);
  if (isFields(left)) return compareFields(left, right as Fields);
  return 0;
}

function compareLists(left: Value[], right: Value[]): number {
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const difference = compare(left[at], right[at]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Field by field, in the order they stand in: type, then name, then value. */
function compareFields(left: Fields, right: Fields): number {
  const [ones, others] = [Object.entries(left), Object.entries(right)];
  for (let at = 0; at < Math.min(ones.length, others.length); at += 1) {
    const [[name, value], [otherName, otherValue]] = [ones[at]!, others[at]!];
    const difference =
      rank(value) - rank(otherValue) ||
      compareBytes(Buffer.from(name), Buffer.from(otherName)) ||
      compare(value, otherValue);
    if (difference !== 0) return difference;
  }
  return ones.length - others.length;
}

export const equal = (left: Value, right: Value): boolean => compare(left, right) === 0;
