import { Decimal128 } from 'bson';

/**
 * Decimal128 (IEEE 754-2008) as exact numbers: a sign, digits, and a power of ten. Results are rounded to 34 digits,
 * half to even.
 */
export type Decimal =
  | { kind: 'finite'; negative: boolean; digits: bigint; exponent: number }
  | { kind: 'infinite'; negative: boolean }
  | { kind: 'nan' };

export type Finite = Extract<Decimal, { kind: 'finite' }>;

const most = 34;
const limit = 10n ** 34n;
const leastExponent = -6_176;
const mostExponent = 6_111;

const nan: Decimal = { kind: 'nan' };
const finite = (value: bigint, exponent: number): Finite => ({
  kind: 'finite',
  negative: value < 0n,
  digits: value < 0n ? -value : value,
  exponent,
});
const signed = (value: Finite): bigint => (value.negative ? -value.digits : value.digits);

/** Reads the number's sixteen bytes. */
export function parse(value: Decimal128): Decimal {
  const bytes = Buffer.from(value.bytes.buffer, value.bytes.byteOffset, 16);
  const low = bytes.readBigUInt64LE(0);
  const high = bytes.readBigUInt64LE(8);
  const negative = high >> 63n === 1n;
  const combination = Number((high >> 58n) & 0x1fn);
  if (combination === 0x1f) return nan;
  if (combination === 0x1e) return { kind: 'infinite', negative };
  if (combination >> 3 === 3) {
    // Digits beyond what 34 places hold: the standard reads them as zero.
    const exponent = Number((high >> 47n) & 0x3fffn) + leastExponent;
    return { kind: 'finite', negative, digits: 0n, exponent };
  }
  const exponent = Number((high >> 49n) & 0x3fffn) + leastExponent;
  const digits = ((high & 0x1ffffffffffffn) << 64n) | low;
  return { kind: 'finite', negative, digits: digits >= limit ? 0n : digits, exponent };
}

/** The number as BSON has it, rounded to what fits. */
export function format(value: Decimal): Decimal128 {
  if (value.kind === 'nan') return Decimal128.fromString('NaN');
  if (value.kind === 'infinite') return Decimal128.fromString(value.negative ? '-Infinity' : 'Infinity');
  const rounded = rounded34(value);
  if (rounded.kind !== 'finite') return format(rounded);
  const bytes = Buffer.alloc(16);
  const biased = BigInt(rounded.exponent - leastExponent);
  const high = (rounded.negative ? 1n << 63n : 0n) | (biased << 49n) | (rounded.digits >> 64n);
  bytes.writeBigUInt64LE(rounded.digits & 0xffffffffffffffffn, 0);
  bytes.writeBigUInt64LE(high, 8);
  return new Decimal128(bytes);
}

const lengthOf = (digits: bigint): number => (digits === 0n ? 1 : digits.toString().length);

/** `digits` without its last `count` places, half to even. */
function dropped(digits: bigint, count: number): bigint {
  const unit = 10n ** BigInt(count);
  const kept = digits / unit;
  const rest = (digits % unit) * 2n;
  return rest > unit || (rest === unit && kept % 2n === 1n) ? kept + 1n : kept;
}

function rounded34(value: Finite): Decimal {
  let { digits, exponent } = value;
  for (let extra = lengthOf(digits) - most; extra > 0; extra = lengthOf(digits) - most) {
    digits = dropped(digits, extra);
    exponent += extra;
  }
  if (exponent < leastExponent) {
    digits = dropped(digits, Math.min(leastExponent - exponent, 40));
    exponent = leastExponent;
  }
  if (digits === 0n) exponent = Math.min(exponent, mostExponent);
  while (exponent > mostExponent) {
    if (lengthOf(digits) >= most) return { kind: 'infinite', negative: value.negative };
    digits *= 10n;
    exponent -= 1;
  }
  return { kind: 'finite', negative: value.negative, digits, exponent };
}

export const fromInteger = (value: bigint): Finite => finite(value, 0);

/** A double as MongoDB converts it: 15 significant digits, the zeros at their end too (1 is 1.00000000000000). */
export function fromDouble(value: number): Decimal {
  if (Number.isNaN(value)) return nan;
  if (!Number.isFinite(value)) return { kind: 'infinite', negative: value < 0 };
  if (value === 0) return { kind: 'finite', negative: Object.is(value, -0), digits: 0n, exponent: 0 };
  return parse(Decimal128.fromString(value.toExponential(14)));
}

/** A double's exact value: what comparing goes by. */
export function fromDoubleExactly(value: number): Finite {
  // Who asks about infinities asks `fromDouble`.
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no digits`);
  if (Number.isInteger(value)) return finite(BigInt(value), 0);
  // Every fraction of a double is a number of halves of halves: 2^-n is 5^n / 10^n.
  let scaled = value;
  let halvings = 0;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    halvings += 1;
  }
  return finite(BigInt(scaled) * 5n ** BigInt(halvings), -halvings);
}

export function toNumber(value: Decimal): number {
  if (value.kind === 'nan') return Number.NaN;
  if (value.kind === 'infinite') return value.negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(`${value.negative ? '-' : ''}${value.digits}e${value.exponent}`);
}

/** Below zero, zero, above zero. NaN stands before every number. */
export function compareDecimals(left: Decimal, right: Decimal): number {
  if (left.kind === 'nan' || right.kind === 'nan')
    return Number(right.kind === 'nan') - Number(left.kind === 'nan');
  if (left.kind === 'infinite' || right.kind === 'infinite') return rankOf(left) - rankOf(right);
  const [a, b] = [signed(left), signed(right)];
  if (a === 0n || b === 0n || a < 0n !== b < 0n) return signOf(a) - signOf(b);
  // By their magnitude first: aligning 10^6000 with 1 would be long numbers for nothing.
  const magnitude = (digits: bigint, exponent: number) => lengthOf(digits) + exponent;
  const difference = magnitude(left.digits, left.exponent) - magnitude(right.digits, right.exponent);
  if (difference !== 0) return a < 0n ? -difference : difference;
  const [x, y] = aligned(left, right);
  return signOf(x - y);
}

const rankOf = (value: Decimal): number => (value.kind === 'infinite' ? (value.negative ? -1 : 1) : 0);
const signOf = (value: bigint): number => (value === 0n ? 0 : value < 0n ? -1 : 1);

function aligned(left: Finite, right: Finite): [bigint, bigint, number] {
  const exponent = Math.min(left.exponent, right.exponent);
  return [
    signed(left) * 10n ** BigInt(left.exponent - exponent),
    signed(right) * 10n ** BigInt(right.exponent - exponent),
    exponent,
  ];
}

export function addDecimals(left: Decimal, right: Decimal): Decimal {
  if (left.kind === 'nan' || right.kind === 'nan') return nan;
  if (left.kind === 'infinite')
    return right.kind === 'infinite' && right.negative !== left.negative ? nan : left;
  if (right.kind === 'infinite') return right;
  // A number so much smaller that it cannot change the other's last place only asks for all of the other's places.
  if (Math.abs(left.exponent - right.exponent) > 200) {
    const [large, small] = left.exponent > right.exponent ? [left, right] : [right, left];
    return large.digits === 0n ? small : rounded34(withAllPlaces(large));
  }
  const [a, b, exponent] = aligned(left, right);
  // Nothing is below zero only when both were.
  if (a + b === 0n) return { ...finite(0n, exponent), negative: left.negative && right.negative };
  return rounded34(finite(a + b, exponent));
}

function withAllPlaces(value: Finite): Finite {
  const more = Math.max(0, Math.min(most - lengthOf(value.digits), value.exponent - leastExponent));
  return { ...value, digits: value.digits * 10n ** BigInt(more), exponent: value.exponent - more };
}

/** The exact difference of two numbers, however many digits it has. */
export function subtractExactly(left: Finite, right: Finite): Finite {
  const [a, b, exponent] = aligned(left, right);
  return finite(a - b, exponent);
}

export const negated = (value: Decimal): Decimal =>
  value.kind === 'nan' ? value : { ...value, negative: !value.negative };

export function multiplyDecimals(left: Decimal, right: Decimal): Decimal {
  if (left.kind === 'nan' || right.kind === 'nan') return nan;
  const negative = left.negative !== right.negative;
  if (left.kind === 'infinite' || right.kind === 'infinite') {
    const isZero = (one: Decimal) => one.kind === 'finite' && one.digits === 0n;
    return isZero(left) || isZero(right) ? nan : { kind: 'infinite', negative };
  }
  return rounded34({
    kind: 'finite',
    negative,
    digits: left.digits * right.digits,
    exponent: left.exponent + right.exponent,
  });
}

export function divideDecimals(left: Decimal, right: Decimal): Decimal {
  if (left.kind === 'nan' || right.kind === 'nan') return nan;
  const negative = left.negative !== right.negative;
  if (left.kind === 'infinite') return right.kind === 'infinite' ? nan : { kind: 'infinite', negative };
  if (right.kind === 'infinite') return { kind: 'finite', negative, digits: 0n, exponent: 0 };
  if (right.digits === 0n) return left.digits === 0n ? nan : { kind: 'infinite', negative };
  const shift = Math.max(0, most + 3 + lengthOf(right.digits) - lengthOf(left.digits));
  const scaled = left.digits * 10n ** BigInt(shift);
  let digits = scaled / right.digits;
  let exponent = left.exponent - right.exponent - shift;
  const ideal = left.exponent - right.exponent;
  if (scaled % right.digits === 0n) {
    // An exact quotient keeps no zeros that nobody wrote.
    while (exponent < ideal && digits % 10n === 0n && digits !== 0n) {
      digits /= 10n;
      exponent += 1;
    }
    if (digits === 0n) exponent = ideal;
  } else if (digits % 5n === 0n) digits += 1n; // What was cut off is more than nothing: a half is no half any more.
  return rounded34({ kind: 'finite', negative, digits, exponent });
}

/** The rest of a division that cuts towards zero; its sign is the dividend's. */
export function modDecimals(left: Decimal, right: Decimal): Decimal {
  if (left.kind !== 'finite' || right.kind === 'nan') return nan;
  if (right.kind === 'infinite') return left;
  if (right.digits === 0n) return nan;
  const [a, b, exponent] = aligned(left, right);
  const rest = a % b;
  return rounded34({ kind: 'finite', negative: left.negative, digits: rest < 0n ? -rest : rest, exponent });
}

/** The whole number, when it is one; null otherwise. */
export function wholeOf(value: Decimal): bigint | null {
  if (value.kind !== 'finite') return null;
  if (value.exponent >= 0)
    return value.exponent > 40 && value.digits !== 0n
      ? null
      : signed(value) * 10n ** BigInt(Math.min(value.exponent, 40));
  if (-value.exponent > 40) return value.digits === 0n ? 0n : null;
  const unit = 10n ** BigInt(-value.exponent);
  return value.digits % unit === 0n ? signed(value) / unit : null;
}

/** Rounded to `places` after the point (before it, below zero): half to even, or cut off. */
export function roundDecimal(
  value: Decimal,
  places: number,
  mode: 'even' | 'cut' | 'floor' | 'ceil',
): Decimal {
  if (value.kind !== 'finite') return value;
  const extra = -places - value.exponent;
  if (extra <= 0) return value;
  if (extra > 80) {
    const away =
      value.digits !== 0n && (mode === 'floor' ? value.negative : mode === 'ceil' && !value.negative);
    return { ...value, digits: away ? 1n : 0n, exponent: -places };
  }
  const unit = 10n ** BigInt(extra);
  let digits = value.digits / unit;
  const hasRest = value.digits % unit !== 0n;
  if (mode === 'even') digits = dropped(value.digits, extra);
  else if (hasRest && ((mode === 'floor' && value.negative) || (mode === 'ceil' && !value.negative)))
    digits += 1n;
  return { ...value, digits, exponent: -places };
}
