import { Binary, BSONRegExp, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Doc, Opaque, type, type Value } from '../../../server/store/embedded/bson/types.js';
import { directedKey } from '../../../server/store/embedded/index/key.js';
import { compare, equals } from '../../../server/store/embedded/values/compare.js';

const special = fc.constantFrom<Value>(
  0,
  -0,
  1,
  3,
  0.1,
  -0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MAX_VALUE,
  5e-324,
  new Int32(3),
  3n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  9_007_199_254_740_993n,
  ...[
    '3.0',
    '3',
    '0.1',
    '-0.5',
    'NaN',
    'Infinity',
    '-Infinity',
    '1E+6000',
    '-1E+400',
    '1E-6000',
    '0',
    '-0',
    '9007199254740993',
    '9007199254740992.5',
    '0.1000000000000000055511151231257827',
  ].map((text) => Decimal128.fromString(text)),
);
const leaf = fc.oneof(
  special,
  fc.double(),
  fc.integer().map((value) => new Int32(value)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: -40, max: 40 }))
    .map(([digits, exponent]) => Decimal128.fromString(`${digits}E${exponent}`)),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom<Value>('', '\0', 'a\0', 'a\0b', 'a', '\uffff', '\u{1f600}', '\ue000'),
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
  fc.uint8Array({ maxLength: 5 }).map((bytes) => new Binary(bytes, 0)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => new Timestamp(value)),
  fc.constantFrom<Value>(
    new MinKey(),
    new MaxKey(),
    new BSONRegExp('a', 'i'),
    new BSONRegExp('a'),
    new Opaque(type.undefined, Buffer.alloc(0)),
  ),
);
const { value } = fc.letrec<{ value: Value; doc: Doc }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    tie('doc'),
  ),
  doc: fc
    .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', '1', ''), tie('value')), { selector: ([name]) => name })
    .map((entries) => new Map(entries)),
}));

describe('A key', () => {
  it('stands among keys as its value stands among values, up and down', () => {
    fc.assert(
      fc.property(value, value, (left, right) => {
        const order = Math.sign(compare(left, right));
        expect(Math.sign(Buffer.compare(directedKey(left, 1), directedKey(right, 1)))).toBe(order);
        expect(Math.sign(Buffer.compare(directedKey(left, -1), directedKey(right, -1)))).toBe(0 - order);
      }),
      { numRuns: 3_000 },
    );
  });

  it('lets what follows decide only among equals', () => {
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const left = Buffer.concat([directedKey(a, 1), directedKey(c, -1)]);
        const right = Buffer.concat([directedKey(b, 1), directedKey(d, -1)]);
        expect(Math.sign(Buffer.compare(left, right))).toBe(
          Math.sign(compare(a, b)) || 0 - Math.sign(compare(c, d)),
        );
      }),
      { numRuns: 1_500 },
    );
  });
});

describe('Comparing', () => {
  it('knows numbers by what they are, not by their type', () => {
    for (const same of [3, new Int32(3), 3n, Decimal128.fromString('3.0')])
      expect(equals(same, 3)).toBe(true);
    expect(compare(2n ** 53n + 1n, 2 ** 53)).toBe(1);
    expect(compare(Decimal128.fromString('0.1'), 0.1)).toBe(-1);
    expect(compare(Number.NaN, -Infinity)).toBeLessThan(0);
    expect(equals(-0, 0)).toBe(true);
  });

  it('tells documents apart whose fields stand in another order', () => {
    const xy: Doc = new Map([
      ['x', 1],
      ['y', 2],
    ]);
    const yx: Doc = new Map([
      ['y', 2],
      ['x', 1],
    ]);
    expect(equals(xy, yx)).toBe(false);
  });

  it('is an order', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(0 - Math.sign(compare(b, a)));
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
