import { Binary, BSONRegExp, Code, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode } from '../../../server/store/embedded/bson/encode.js';
import { type Doc, Opaque, type, type Value } from '../../../server/store/embedded/bson/types.js';
import { directedKey, isCut, keyPrefix, longestFor } from '../../../server/store/embedded/index/key.js';
import { keysOf } from '../../../server/store/embedded/index/keys.js';
import { compare, equals } from '../../../server/store/embedded/values/compare.js';
import { pathOf } from '../../../server/store/embedded/values/path.js';
import { doc } from '../documents.js';

const scopedCode = (code: string, scope: object): Opaque => {
  const text = Buffer.from(`${code}\0`);
  const bytes = Buffer.concat([Buffer.alloc(8), text, encode(doc(scope))]);
  bytes.writeInt32LE(bytes.length, 0);
  bytes.writeInt32LE(text.length, 4);
  return new Opaque(type.scopedCode, bytes);
};

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
    new Code('x'),
    new Opaque(type.undefined, Buffer.alloc(0)),
    new Opaque(type.symbol, Buffer.from([2, 0, 0, 0, 97, 0])),
    scopedCode('x', { a: 1 }),
    scopedCode('x', { a: 2 }),
    scopedCode('xx', {}),
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

describe('A long key', () => {
  const long = fc
    .tuple(fc.constantFrom('x', 'y'), fc.integer({ min: 20, max: 420 }), fc.constantFrom('', 'a', 'b\0'))
    .map(([letter, times, end]) => letter.repeat(times) + end);

  it('is cut, and equal only to its own', () => {
    fc.assert(
      fc.property(long, long, fc.constantFrom(1, 4, 5, 32), (left, right, fields) => {
        const longest = longestFor(fields);
        const [a, b] = [directedKey(left, 1, undefined, longest), directedKey(right, 1, undefined, longest)];
        expect(a.length).toBeLessThanOrEqual(longest);
        expect(a.equals(b)).toBe(left === right);
        if (!isCut(left, undefined, longest) && !isCut(right, undefined, longest))
          expect(Math.sign(Buffer.compare(a, b))).toBe(Math.sign(compare(left, right)));
      }),
    );
  });

  it('lies behind the prefix of what is less, and not behind the end of what is more', () => {
    fc.assert(
      fc.property(long, long, (value, bound) => {
        const longest = longestFor(5);
        const key = directedKey(value, 1, undefined, longest);
        const { bytes, isWhole } = keyPrefix(bound, longest);
        const order = Math.sign(Buffer.compare(key.subarray(0, bytes.length), bytes));
        if (order !== 0) expect(order).toBe(Math.sign(compare(value, bound)));
        else if (isWhole) expect(value).toBe(bound);
      }),
    );
  });
});

describe('The keys of a document', () => {
  const index = (...names: string[]) => ({
    paths: names.map(pathOf),
    fields: names.map((name) => ({ name, direction: 1 as const })),
    collate: undefined,
  });

  it('are one where no array is on the way, and one for each different element where one is', () => {
    expect(keysOf(index('a', 'b'), doc({ a: 1 }))).toMatchObject({ keys: { length: 1 }, isScattered: false });
    expect(keysOf(index('a', 'b'), doc({ a: [1, 2, 1] }))).toMatchObject({
      keys: { length: 2 },
      isScattered: true,
    });
    expect(keysOf(index('a'), doc({ a: [1] }))).toMatchObject({ keys: { length: 1 }, isScattered: true });
    expect(keysOf(index('a'), doc({ a: 'x'.repeat(500) }))).toMatchObject({ isScattered: true });
    expect(
      keysOf(
        index('a.b', 'a.c'),
        doc({
          a: [
            { b: 1, c: 2 },
            { b: 3, c: 4 },
          ],
        }),
      ).keys,
    ).toHaveLength(2);
  });

  it('refuse two arrays', () => {
    expect(() => keysOf(index('a', 'b'), doc({ a: [1], b: [2] }))).toThrow(
      'cannot index parallel arrays [b] [a]',
    );
  });

  it('fit into LMDB, however many values there are', () => {
    const names = Array.from({ length: 32 }, (_, n) => `f${n}`);
    const { keys } = keysOf(
      index(...names),
      doc(Object.fromEntries(names.map((name) => [name, 'x'.repeat(300)]))),
    );
    expect(keys[0]!.length).toBeLessThanOrEqual(1_972);
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
