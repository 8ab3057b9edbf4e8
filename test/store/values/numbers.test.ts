import { Decimal128, Int32 } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../server/store/embedded/bson/types.js';
import * as decimal from '../../../server/store/embedded/values/decimal.js';
import {
  add,
  compareNumbers,
  divide,
  mod,
  multiply,
  subtract,
  toInteger,
} from '../../../server/store/embedded/values/numbers.js';

const d = (text: string) => Decimal128.fromString(text);
const shown = (value: Value) =>
  value instanceof Int32 ? `int ${value.value}` : typeof value === 'bigint' ? `long ${value}` : `${value}`;

describe('Numbers', () => {
  it('keep the narrowest type that both sides and the result fit', () => {
    expect(shown(add(new Int32(1), new Int32(2)))).toBe('int 3');
    expect(shown(add(new Int32(2 ** 31 - 1), new Int32(1)))).toBe('long 2147483648');
    expect(shown(multiply(new Int32(2 ** 30), new Int32(4)))).toBe('long 4294967296');
    expect(shown(subtract(new Int32(1), 2n))).toBe('long -1');
    expect(add(2n ** 63n - 1n, 1n)).toBe(2 ** 63);
    expect(add(new Int32(1), 0.5)).toBe(1.5);
    expect(`${add(new Int32(1), d('0.10'))}`).toBe('1.10');
  });

  it('take 15 digits of a double that meets a decimal', () => {
    expect(`${add(0.1, d('0'))}`).toBe('0.100000000000000');
    expect(`${add(1, d('0'))}`).toBe('1.00000000000000');
    expect(`${add(0, d('1'))}`).toBe('1');
    expect(`${decimal.format(decimal.fromDouble(2 ** 1000))}`).toBe('1.07150860718627E+301');
    expect(`${decimal.format(decimal.fromDouble(-0.09645061728395))}`).toBe('-0.0964506172839500');
  });

  it('divide into doubles, and leave rests with the sign of what was divided', () => {
    expect(divide(new Int32(1), new Int32(2))).toBe(0.5);
    expect(`${divide(d('1'), d('3'))}`).toBe('0.3333333333333333333333333333333333');
    expect(`${divide(d('1'), new Int32(8))}`).toBe('0.125');
    expect(shown(mod(new Int32(-7), new Int32(3)))).toBe('int -1');
    expect(`${mod(d('7.5'), new Int32(2))}`).toBe('1.5');
    expect(`${mod(d('1E+6000'), d('1E-6000'))}`).toMatch(/^0/);
  });

  it('say which number is whole', () => {
    expect(toInteger(d('3.00'))).toBe(3n);
    expect(toInteger(d('3.5'))).toBeNull();
    expect(toInteger(1e21)).toBe(10n ** 21n);
    expect(toInteger(Number.NaN)).toBeNull();
    expect(toInteger('3')).toBeNull();
  });

  it('are compared by what they are', () => {
    expect(compareNumbers(2n ** 53n + 1n, 2 ** 53)).toBeGreaterThan(0);
    expect(compareNumbers(d('0.1'), 0.1)).toBeLessThan(0);
    expect(compareNumbers(d('NaN'), Number.NaN)).toBe(0);
    expect(compareNumbers(d('NaN'), Number.NEGATIVE_INFINITY)).toBeLessThan(0);
    expect(compareNumbers(d('Infinity'), Number.POSITIVE_INFINITY)).toBe(0);
    expect(compareNumbers(d('-0'), 0)).toBe(0);
    expect(compareNumbers(30n, new Int32(4))).toBeGreaterThan(0);
  });
});

describe('Decimals', () => {
  const digits = fc.bigInt({ min: -(10n ** 33n), max: 10n ** 33n });
  const exponent = fc.integer({ min: -30, max: 30 });
  const one = fc.tuple(digits, exponent).map(([value, power]) => d(`${value}E${power}`));

  it('are read and written without a change', () => {
    fc.assert(
      fc.property(one, (value) => {
        expect(decimal.format(decimal.parse(value)).toString()).toBe(value.toString());
      }),
    );
  });

  it('take away what was added, as far as 34 places go', () => {
    const short = fc
      .tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: -8, max: 8 }))
      .map(([value, power]) => d(`${value}E${power}`));
    fc.assert(
      fc.property(short, short, (a, b) => {
        expect(compareNumbers(subtract(add(a, b), b), a)).toBe(0);
        if (compareNumbers(b, 0) !== 0) expect(compareNumbers(divide(multiply(a, b), b), a)).toBe(0);
      }),
    );
  });

  it('round halves to even, and say infinity where they end', () => {
    expect(`${add(d('9999999999999999999999999999999998'), d('0.5'))}`).toBe(
      '9999999999999999999999999999999998',
    );
    expect(`${add(d('9999999999999999999999999999999997'), d('0.5'))}`).toBe(
      '9999999999999999999999999999999998',
    );
    expect(`${multiply(d('9E+6144'), d('10'))}`).toBe('Infinity');
    expect(`${add(d('1E+300'), d('1E-300'))}`).toBe('1.000000000000000000000000000000000E+300');
    expect(`${add(d('-0'), d('-0'))}`).toBe('-0');
  });
});
