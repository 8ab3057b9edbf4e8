import { Decimal128, Double, Int32 } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, doc, leaves, makes, refused } from './run.js';

const mostLong = 2n ** 63n - 1n;

describe('$inc', () => {
  it('adds, and begins with what is added', () => {
    makes({ a: 1, b: { c: 2 } }, { $inc: { a: 2, 'b.c': -5, d: 1 } }, { a: 3, b: { c: -3 }, d: 1 });
  });

  it('gives the wider type of the two, and a long when an int would overflow', () => {
    makes({ a: 1 }, { $inc: { a: 1n } }, { a: 2n });
    makes({ a: 1n }, { $inc: { a: 0.5 } }, { a: 1.5 });
    makes({ a: 2 ** 31 - 1 }, { $inc: { a: 1 } }, { a: 2n ** 31n });
    makes({ a: 1 }, { $inc: { a: Decimal128.fromString('0.10') } }, { a: Decimal128.fromString('1.10') });
  });

  it('refuses to lose a digit of a long', () => {
    expect(refused({ _id: 7, a: mostLong }, { $inc: { a: 1 } })).toBe(
      '2 BadValue: Failed to apply $inc operations to current value ((NumberLong)9223372036854775807) for document {_id: 7}',
    );
  });

  it('changes nothing by zero, unless the type changes', () => {
    leaves({ a: 5 }, { $inc: { a: 0 } });
    makes({ a: 5n }, { $inc: { a: new Double(0) } }, { a: new Double(5) });
  });

  it('refuses what is no number, on either side', () => {
    expect(refused({}, { $inc: { a: 'x' } })).toBe(
      '14 TypeMismatch: Cannot increment with non-numeric argument: {a: "x"}',
    );
    expect(refused({ _id: 1, a: { b: null } }, { $inc: { 'a.b': 1 } })).toBe(
      "14 TypeMismatch: Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'b' of non-numeric type null",
    );
  });

  it('adds up, whatever the steps', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n })), (steps) => {
        const after = steps.reduce((one, step) => apply({ $inc: { a: step } }, one), doc({ a: 0n }));
        expect(after.get('a')).toBe(steps.reduce((left, right) => left + right, 0n));
      }),
    );
  });
});

describe('$mul', () => {
  it('multiplies, and makes a zero of the type it was given', () => {
    makes({ a: 3, b: 2n }, { $mul: { a: 4, b: 1.5, c: 5, d: 5n } }, { a: 12, b: new Double(3), c: 0, d: 0n });
  });

  it('refuses what is no number', () => {
    expect(refused({}, { $mul: { a: null } })).toBe(
      '14 TypeMismatch: Cannot multiply with non-numeric argument: {a: null}',
    );
    expect(refused({ _id: 1, a: 'x' }, { $mul: { a: 2 } })).toMatch(/^14 TypeMismatch: Cannot apply \$mul/);
  });
});

describe('$bit', () => {
  it('computes with the bits of integers', () => {
    makes(
      { a: 13, b: 13, c: 5n },
      { $bit: { a: { and: 10 }, b: { or: 2, xor: 1 }, c: { xor: 1 }, d: { or: 3 } } },
      { a: 8, b: 14, c: 4n, d: 3 },
    );
    makes({ a: 1 }, { $bit: { a: { or: 2n ** 40n } } }, { a: 2n ** 40n + 1n });
    leaves({ a: -1 }, { $bit: { a: { and: -1 } } });
  });

  it('refuses other numbers, other operations and none', () => {
    expect(refused({ _id: 1, a: 1.5 }, { $bit: { a: { and: 1 } } })).toBe(
      '2 BadValue: Cannot apply $bit to a value of non-integral type._id: 1 has the field a of non-integer type double',
    );
    expect(refused({}, { $bit: { a: { and: 1.5 } } })).toMatch(
      /must be an Integer\(32\/64 bit\); a 'double'/,
    );
    expect(refused({}, { $bit: { a: { not: 1 } } })).toMatch(
      /not 'not' which is an unknown operator: \{not: 1\}/,
    );
    expect(refused({}, { $bit: { a: {} } })).toMatch(/^2 BadValue: You must pass in at least one/);
    expect(refused({}, { $bit: { a: new Int32(1) } })).toMatch(
      /^2 BadValue: The \$bit modifier is not compatible/,
    );
  });
});
