/**
 * Real numbers with 120 digits after the point, as whole numbers of 10^-120: what functions of decimals are computed
 * with before they are rounded to the 34 digits that a decimal holds.
 */
export const places = 120;
export const one = 10n ** BigInt(places);

export const times = (left: bigint, right: bigint): bigint => (left * right) / one;
export const over = (left: bigint, right: bigint): bigint => (left * one) / right;
export const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** The greatest whole number whose square is not above. */
export function wholeRoot(value: bigint): bigint {
  if (value < 2n) return value;
  // From above, so that the steps only go down.
  let root = 1n << (BigInt(value.toString(2).length + 1) / 2n);
  for (;;) {
    const next = (root + value / root) / 2n;
    if (next >= root) return root;
    root = next;
  }
}

export const root = (value: bigint): bigint => wholeRoot(value * one);

/** The sum of `first`, and of what `next` makes of each part, until the parts are nothing. */
function series(first: bigint, next: (part: bigint, index: bigint) => [part: bigint, share: bigint]): bigint {
  let sum = first;
  let part = first;
  for (let index = 1n; part !== 0n; index += 1n) {
    const [following, share] = next(part, index);
    part = following;
    sum += share;
  }
  return sum;
}

const lnRoots = 4n;

/** Of a number above zero. */
export function ln(value: bigint): bigint {
  let near = value;
  // Sixteenth roots lie so near to one that few parts are enough.
  for (let count = 0n; count < lnRoots; count += 1n) near = root(near);
  const ratio = over(near - one, near + one);
  const square = times(ratio, ratio);
  const sum = series(ratio, (part, index) => {
    const following = times(part, square);
    return [following, following / (2n * index + 1n)];
  });
  return (sum * 2n) << lnRoots;
}

export const ln10 = ln(10n * one);

const halvings = 12n;

/** Of a number not far from zero. */
export function exp(value: bigint): bigint {
  const small = value >> halvings;
  let result = series(one, (part, index) => {
    const following = times(part, small) / index;
    return [following, following];
  });
  for (let count = 0n; count < halvings; count += 1n) result = times(result, result);
  return result;
}

/** The angle whose tangent it is. */
export function arctangent(value: bigint): bigint {
  let near = value;
  // Half the angle, four times.
  for (let count = 0; count < 4; count += 1) near = over(near, one + root(one + times(near, near)));
  const square = times(near, near);
  let part = near;
  let sum = near;
  for (let odd = 3n; part !== 0n; odd += 2n) {
    part = -times(part, square);
    sum += part / odd;
  }
  return sum * 16n;
}

/** Sine and cosine of an angle not far from zero. */
export function sineAndCosine(angle: bigint): [sine: bigint, cosine: bigint] {
  const square = times(angle, angle);
  const alternating = (first: bigint, from: bigint): bigint => {
    let part = first;
    let sum = first;
    for (let n = from; part !== 0n; n += 2n) {
      part = -times(part, square) / (n * (n + 1n));
      sum += part;
    }
    return sum;
  };
  return [alternating(angle, 2n), alternating(one, 1n)];
}

let known = { digits: 0, value: 0n };

/** Pi in whole numbers of 10^-digits. */
export function pi(digits: number): bigint {
  if (known.digits < digits) {
    const unit = 10n ** BigInt(digits + 10);
    // Machin: a quarter of pi is four times the angle of 1/5 less that of 1/239.
    known = { digits, value: (4n * (4n * inverseAngle(5n, unit) - inverseAngle(239n, unit))) / 10n ** 10n };
  }
  return known.value / 10n ** BigInt(known.digits - digits);
}

function inverseAngle(inverse: bigint, unit: bigint): bigint {
  const square = inverse * inverse;
  let part = unit / inverse;
  let sum = part;
  let sign = -1n;
  for (let odd = 3n; part !== 0n; odd += 2n) {
    part /= square;
    sum += (sign * part) / odd;
    sign = -sign;
  }
  return sum;
}
