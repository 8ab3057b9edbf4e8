import {
  addDecimals,
  compareDecimals,
  type Decimal,
  divideDecimals,
  type Finite,
  fromInteger,
  negated,
  wholeOf,
} from '../values/decimal.js';
import * as real from './fixed-point.js';

/**
 * Roots, powers and logarithms of decimals. A result that is exact has no more digits than it needs, except that powers
 * are always written with all 34; any other is rounded to 34.
 */

export const nan: Decimal = { kind: 'nan' };
export const infinite = (negative: boolean): Decimal => ({ kind: 'infinite', negative });
const zero: Finite = fromInteger(0n);
const unity: Finite = fromInteger(1n);

export const isZero = (value: Decimal): boolean => value.kind === 'finite' && value.digits === 0n;
const equals = (left: Decimal, right: Decimal): boolean => compareDecimals(left, right) === 0;

/** What a number is by its order of size: 3 for 123, -2 for 0.001. */
export const orderOf = (value: Finite): number => value.digits.toString().length + value.exponent;

/** The number in the fixed places, cut off there. */
export function toFixed(value: Finite): bigint {
  const shift = value.exponent + real.places;
  const scaled = shift >= 0 ? value.digits * 10n ** BigInt(shift) : value.digits / 10n ** BigInt(-shift);
  return value.negative ? -scaled : scaled;
}

/** A fixed number times a power of ten. */
export function fromFixed(value: bigint, power = 0): Finite {
  return {
    kind: 'finite',
    negative: value < 0n,
    digits: real.magnitude(value),
    exponent: power - real.places,
  };
}

/** With as many zeros at the end as there is place for. */
const widest: Finite = { kind: 'finite', negative: false, digits: 0n, exponent: -6_176 };
export const padded = (value: Decimal): Decimal => addDecimals(value, widest);

export function squareRoot(value: Decimal): Decimal {
  if (value.kind === 'nan' || isZero(value)) return halfExponent(value);
  if (value.kind === 'infinite') return value.negative ? nan : value;
  if (value.negative) return nan;
  const isOdd = value.exponent % 2 !== 0;
  const digits = isOdd ? value.digits * 10n : value.digits;
  const exponent = (isOdd ? value.exponent - 1 : value.exponent) / 2;
  const exact = real.wholeRoot(digits);
  if (exact * exact === digits) return { kind: 'finite', negative: false, digits: exact, exponent };
  return {
    kind: 'finite',
    negative: false,
    digits: real.wholeRoot(digits * real.one * real.one),
    exponent: exponent - real.places,
  };
}

const halfExponent = (value: Decimal): Decimal =>
  value.kind === 'finite' ? { ...value, exponent: Math.floor(value.exponent / 2) } : value;

/** The logarithm in fixed places, of a number above zero. */
function fixedLogarithm(value: Finite): bigint {
  const order = orderOf(value);
  const mantissa = toFixed({ ...value, exponent: value.exponent - order + 1 });
  return real.ln(mantissa) + BigInt(order - 1) * real.ln10;
}

/** Of a number above zero, infinity, or none. */
export function naturalLogarithm(value: Decimal): Decimal {
  if (value.kind !== 'finite') return value;
  return equals(value, unity) ? zero : fromFixed(fixedLogarithm(value));
}

/** To the base of ten; of a number above zero. */
export function commonLogarithm(value: Decimal): Decimal {
  if (value.kind !== 'finite') return value;
  const order = orderOf(value);
  if (/^10*$/.test(value.digits.toString())) return fromInteger(BigInt(order - 1));
  return fromFixed(real.over(fixedLogarithm(value), real.ln10));
}

/** To any base. Both are above zero, and the base is not one. */
export function logarithm(value: Decimal, base: Decimal, rounded: (value: Decimal) => Decimal): Decimal {
  if (equals(base, fromInteger(10n))) return commonLogarithm(value);
  if (equals(base, fromInteger(2n))) {
    const power = powerOfTwo(value);
    if (power !== null) return fromInteger(power);
  }
  return divideDecimals(rounded(naturalLogarithm(value)), rounded(naturalLogarithm(base)));
}

function powerOfTwo(value: Decimal): bigint | null {
  const whole = wholeOf(value);
  if (whole === null || whole < 1n || (whole & (whole - 1n)) !== 0n) return null;
  return BigInt(whole.toString(2).length - 1);
}

/** Beyond these no decimal is left. */
const mostOrder = 6_200n;

/** `e` to the power of what is given in fixed places. */
function fixedExponential(value: bigint): Decimal {
  const power = value / real.ln10;
  if (power > mostOrder) return infinite(false);
  if (power < -mostOrder) return { ...widest };
  return fromFixed(real.exp(value - power * real.ln10), Number(power));
}

export function exponential(value: Decimal): Decimal {
  if (value.kind === 'nan') return nan;
  if (value.kind === 'infinite') return value.negative ? zero : value;
  if (value.digits === 0n) return unity;
  if (orderOf(value) > 6) return value.negative ? { ...widest } : infinite(false);
  return fixedExponential(toFixed(value));
}

/** Above this number of digits a power is not multiplied out. */
const mostDigits = 5_000;

/** IEEE 754's power, with all of its 34 digits. */
export function power(base: Decimal, exponent: Decimal): Decimal {
  if (isZero(exponent) || equals(base, unity)) return padded(unity);
  if (base.kind === 'nan' || exponent.kind === 'nan') return nan;
  const whole = exponent.kind === 'finite' ? wholeOf(exponent) : null;
  const isNegative = base.negative && whole !== null && whole % 2n !== 0n;
  const sized = powerOfSize(base.negative ? negated(base) : base, exponent, whole);
  if (base.kind === 'finite' && base.negative && base.digits !== 0n && isFraction(exponent)) return nan;
  return padded(isNegative ? negated(sized) : sized);
}

/** A number that is not whole. Whole ones of more digits than can be told are even. */
const isFraction = (value: Decimal): boolean =>
  value.kind === 'finite' && value.exponent < 0 && wholeOf(value) === null;

function powerOfSize(base: Decimal, exponent: Decimal, whole: bigint | null): Decimal {
  const isDown = exponent.kind !== 'nan' && exponent.negative;
  if (base.kind !== 'finite') return isDown ? zero : base;
  if (base.digits === 0n) return isDown ? infinite(false) : zero;
  if (exponent.kind !== 'finite') {
    const order = compareDecimals(base, unity);
    if (order === 0) return unity;
    return order > 0 === isDown ? zero : infinite(false);
  }
  const exact = whole === null ? null : exactPower(base, whole);
  if (exact) return exact;
  const product = fixedLogarithm(base) * signedDigits(exponent);
  const shift = BigInt(Math.abs(exponent.exponent));
  if (exponent.exponent > 40) return isDown === compareDecimals(base, unity) > 0 ? zero : infinite(false);
  return fixedExponential(exponent.exponent >= 0 ? product * 10n ** shift : product / 10n ** shift);
}

const signedDigits = (value: Finite): bigint => (value.negative ? -value.digits : value.digits);

function exactPower(base: Finite, whole: bigint): Decimal | null {
  const count = real.magnitude(whole);
  if (count > 10_000n || base.digits.toString().length * Number(count) > mostDigits) return null;
  const raised: Finite = {
    kind: 'finite',
    negative: false,
    digits: base.digits ** count,
    exponent: base.exponent * Number(count),
  };
  return whole >= 0n ? raised : divideDecimals(unity, raised);
}
