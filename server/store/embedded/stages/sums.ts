import { type Decimal128, Int32 } from 'bson';
import {
  addDecimals,
  type Decimal,
  divideDecimals,
  format,
  fromDouble,
  fromDoubleExactly,
  fromInteger,
  negated,
  toNumber,
} from '../values/decimal.js';
import { isLong, type Numeric, toDecimal } from '../values/numbers.js';

/**
 * Sums that lose nothing on the way: whole numbers exactly, however far they run beyond 64 bits in between, doubles with
 * what their rounding dropped, decimals with 34 digits. What was added can be taken out again.
 */
export interface Sum {
  add(value: Numeric): void;
  remove(value: Numeric): void;
  /** Of the widest type that was added and is still in; a whole number that does not fit becomes the next wider. */
  total(): Numeric;
  /** The total over a count, as a double or a decimal. */
  mean(count: number): Numeric;
}

interface Counts {
  ints: number;
  longs: number;
  doubles: number;
  decimals: number;
}

const mostInt = 2n ** 31n - 1n;

export function summing(): Sum {
  let whole = 0n;
  // The part of the whole numbers that plain arithmetic can carry.
  let small = 0;
  let [high, low] = [0, 0];
  let decimal: Decimal = fromInteger(0n);
  const counts: Counts = { ints: 0, longs: 0, doubles: 0, decimals: 0 };
  const special = { nan: 0, up: 0, down: 0 };

  function addDouble(value: number): void {
    const sum = high + value;
    const part = sum - high;
    low += high - (sum - part) + (value - part);
    high = sum;
  }

  function noteSpecial(value: number, by: 1 | -1): void {
    if (Number.isNaN(value)) special.nan += by;
    else if (value > 0) special.up += by;
    else special.down += by;
  }

  function change(value: Numeric, by: 1 | -1): void {
    if (value instanceof Int32) {
      counts.ints += by;
      small += by * value.value;
      if (Math.abs(small) > Number.MAX_SAFE_INTEGER / 2) settle();
    } else if (typeof value === 'bigint') {
      counts.longs += by;
      whole += by > 0 ? value : -value;
    } else if (typeof value === 'number') {
      counts.doubles += by;
      if (Number.isFinite(value)) addDouble(by * value);
      else noteSpecial(value, by);
    } else changeDecimal(value, by);
  }

  function changeDecimal(value: Decimal128, by: 1 | -1): void {
    counts.decimals += by;
    const given = toDecimal(value);
    if (given.kind !== 'finite') noteSpecial(toNumber(given), by);
    else decimal = addDecimals(decimal, by > 0 ? given : negated(given));
  }

  function settle(): void {
    whole += BigInt(small);
    small = 0;
  }

  const beyondNumbers = (): number | null => {
    if (special.nan > 0 || (special.up > 0 && special.down > 0)) return Number.NaN;
    if (special.up > 0) return Number.POSITIVE_INFINITY;
    return special.down > 0 ? Number.NEGATIVE_INFINITY : null;
  };

  function asDouble(): number {
    const beyond = beyondNumbers();
    if (beyond !== null) return beyond;
    settle();
    const rounded = Number(whole);
    const rest = Number.isFinite(rounded) ? Number(whole - BigInt(rounded)) : 0;
    const [keptHigh, keptLow] = [high, low];
    addDouble(rounded);
    addDouble(rest);
    const result = high + low;
    [high, low] = [keptHigh, keptLow];
    // A sum that ran over is infinite; what it dropped on the way there is not a number.
    return Number.isNaN(result) ? high + rounded : result;
  }

  function asDecimal(): Decimal {
    const beyond = beyondNumbers();
    if (beyond !== null) return fromDouble(beyond);
    settle();
    const doubles = [high, low].reduce<Decimal>(
      (so, part) =>
        part === 0 ? so : addDecimals(so, Number.isFinite(part) ? fromDoubleExactly(part) : fromDouble(part)),
      fromInteger(whole),
    );
    return addDecimals(decimal, doubles);
  }

  function total(): Numeric {
    if (counts.decimals > 0) return format(asDecimal());
    if (counts.doubles > 0) return asDouble();
    settle();
    if (counts.longs === 0 && whole <= mostInt && whole >= -mostInt - 1n) return new Int32(Number(whole));
    return isLong(whole) ? whole : Number(whole);
  }

  return {
    add: (value) => change(value, 1),
    remove: (value) => change(value, -1),
    total,
    mean: (count) => (counts.decimals > 0 ? quotient(asDecimal(), count) : asDouble() / count),
  };
}

const quotient = (total: Decimal, count: number): Decimal128 =>
  format(divideDecimals(total, fromInteger(BigInt(count))));
