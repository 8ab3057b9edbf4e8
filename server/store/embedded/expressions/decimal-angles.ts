import {
  addDecimals,
  type Decimal,
  divideDecimals,
  type Finite,
  fromInteger,
  multiplyDecimals,
  negated,
} from '../values/decimal.js';
import {
  exponential,
  fromFixed,
  infinite,
  isZero,
  nan,
  naturalLogarithm,
  orderOf,
  toFixed,
} from './decimal-functions.js';
import * as real from './fixed-point.js';

/** Angles and hyperbolas of decimals, rounded to 34 digits. Who calls has refused what lies out of bounds. */

const fixedPi = real.pi(real.places);
const piOf = (share: bigint, negative = false): Finite => ({ ...fromFixed(fixedPi / share), negative });

/** So near to zero, a number's sine, tangent, angle and so on are the number itself, to 34 digits. */
const isTiny = (value: Finite): boolean => value.digits === 0n || orderOf(value) < -18;

/** So far from zero, one more or less is nothing. */
const isHuge = (value: Finite): boolean => orderOf(value) > 40;

/** The angle less whole turns. */
function reduced(value: Finite): bigint {
  if (!isHuge(value)) return toFixed(value) % (2n * fixedPi);
  // Turns are taken off a number of thousands of digits with as many digits of pi.
  const turn = 2n * real.pi(real.places + orderOf(value));
  const extra = 10n ** BigInt(orderOf(value));
  return ((toFixed(value) * extra) % turn) / extra;
}

function ofAngle(value: Decimal, evaluate: (sine: bigint, cosine: bigint) => Decimal): Decimal {
  if (value.kind !== 'finite') return nan;
  return evaluate(...real.sineAndCosine(reduced(value)));
}

const itself = (value: Decimal): boolean => value.kind === 'finite' && isTiny(value);

export const sine = (value: Decimal): Decimal =>
  itself(value) ? value : ofAngle(value, (sin) => fromFixed(sin));

export const cosine = (value: Decimal): Decimal =>
  isZero(value) ? fromInteger(1n) : ofAngle(value, (_, cos) => fromFixed(cos));

export const tangent = (value: Decimal): Decimal =>
  itself(value) ? value : ofAngle(value, (sin, cos) => divideDecimals(fromFixed(sin), fromFixed(cos)));

export function arctangent(value: Decimal): Decimal {
  if (value.kind === 'nan' || itself(value)) return value;
  if (value.kind === 'infinite' || isHuge(value)) return piOf(2n, value.negative);
  return fromFixed(real.arctangent(toFixed(value)));
}

/** The angle of the point `x`, `y` as seen from zero. */
export function arctangent2(y: Decimal, x: Decimal): Decimal {
  if (y.kind === 'nan' || x.kind === 'nan') return nan;
  const towards = (share: Finite): Decimal => (y.negative ? negated(share) : share);
  if (isZero(y)) return x.negative ? towards(piOf(1n)) : y;
  if (isZero(x)) return towards(piOf(2n));
  if (y.kind === 'infinite') {
    if (x.kind !== 'infinite') return towards(piOf(2n));
    return towards(fromFixed(x.negative ? (fixedPi * 3n) / 4n : fixedPi / 4n));
  }
  if (x.kind === 'infinite') return towards(x.negative ? piOf(1n) : fromInteger(0n));
  const angle = arctangent(divideDecimals(y, x));
  return x.negative ? addDecimals(angle, towards(piOf(1n))) : angle;
}

/** Of -1 to 1. */
export function arcsine(value: Decimal): Decimal {
  if (value.kind !== 'finite' || isTiny(value)) return value;
  const fixed = toFixed(value);
  const other = real.root(real.one - real.times(fixed, fixed));
  if (other === 0n) return piOf(2n, value.negative);
  return fromFixed(real.arctangent(real.over(fixed, other)));
}

/** Of -1 to 1. */
export function arccosine(value: Decimal): Decimal {
  if (value.kind !== 'finite') return value;
  const fixed = toFixed(value);
  if (fixed === real.one) return fromInteger(0n);
  // The sine of half the angle, which loses nothing near 1.
  const half = real.root((real.one - fixed) / 2n);
  const other = real.root((real.one + fixed) / 2n);
  return other === 0n ? piOf(1n) : fromFixed(2n * real.arctangent(real.over(half, other)));
}

/** Half of the sum of, or of the difference between, `e` to the power and to the power below zero. */
function hyperbolic(value: Decimal, sign: 1n | -1n): Decimal {
  if (value.kind === 'nan') return nan;
  const isOdd = sign < 0n && value.negative;
  if (value.kind === 'infinite') return infinite(isOdd);
  const size: Finite = { ...value, negative: false };
  const half: Finite = { kind: 'finite', negative: isOdd, digits: 5n, exponent: -1 };
  if (orderOf(size) > 2) return multiplyDecimals(exponential(size), half);
  const up = real.exp(toFixed(size));
  const both = up + sign * real.over(real.one, up);
  return fromFixed((isOdd ? -both : both) / 2n);
}

export const hyperbolicSine = (value: Decimal): Decimal => (itself(value) ? value : hyperbolic(value, -1n));
export const hyperbolicCosine = (value: Decimal): Decimal =>
  isZero(value) ? fromInteger(1n) : hyperbolic(value, 1n);

export function hyperbolicTangent(value: Decimal): Decimal {
  if (value.kind === 'nan' || itself(value)) return value;
  const bound: Finite = { ...fromInteger(1n), negative: value.negative };
  if (value.kind === 'infinite' || orderOf(value) > 2) return bound;
  const up = real.exp(2n * toFixed(value));
  return fromFixed(real.over(up - real.one, up + real.one));
}

const two = fromInteger(2n);

export function hyperbolicArcsine(value: Decimal): Decimal {
  if (value.kind !== 'finite' || isTiny(value)) return value;
  const size: Finite = { ...value, negative: false };
  const result = isHuge(size) ? naturalLogarithm(multiplyDecimals(size, two)) : fromFixed(arcsineSize(size));
  return value.negative ? negated(result) : result;
}

function arcsineSize(size: Finite): bigint {
  const fixed = toFixed(size);
  return real.ln(fixed + real.root(real.times(fixed, fixed) + real.one));
}

/** Of 1 and more. */
export function hyperbolicArccosine(value: Decimal): Decimal {
  if (value.kind !== 'finite') return value;
  if (isHuge(value)) return naturalLogarithm(multiplyDecimals(value, two));
  const fixed = toFixed(value);
  if (fixed === real.one) return fromInteger(0n);
  return fromFixed(real.ln(fixed + real.root(real.times(fixed, fixed) - real.one)));
}

/** Of -1 to 1. */
export function hyperbolicArctangent(value: Decimal): Decimal {
  if (value.kind !== 'finite' || isTiny(value)) return value;
  const fixed = toFixed(value);
  if (real.magnitude(fixed) === real.one) return infinite(value.negative);
  return fromFixed(real.ln(real.over(real.one + fixed, real.one - fixed)) / 2n);
}

const halfTurn: Finite = fromInteger(180n);
/** Pi as a decimal has it: MongoDB's factors are made of that. */
const roundedPi: Finite = {
  kind: 'finite',
  negative: false,
  digits: 3_141_592_653_589_793_238_462_643_383_279_503n,
  exponent: -33,
};
const toRadians = divideDecimals(roundedPi, halfTurn);
const toDegrees = divideDecimals(halfTurn, roundedPi);

export const radians = (value: Decimal): Decimal => multiplyDecimals(value, toRadians);
export const degrees = (value: Decimal): Decimal => multiplyDecimals(value, toDegrees);
