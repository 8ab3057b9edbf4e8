import { Binary, Decimal128, Int32, Long, ObjectId, serialize, Timestamp } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode } from '../../../server/store/embedded/bson/decode.js';
import { encode } from '../../../server/store/embedded/bson/encode.js';
import { type Doc, Raw } from '../../../server/store/embedded/bson/types.js';

const name = fc.oneof(
  fc.constantFrom('_id', '2', '10', '1', '__proto__', 'constructor', ''),
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
);
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.constant(null),
  fc.double(),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value) => new Int32(value)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
  fc.uint8Array().map((bytes) => new Binary(bytes, 0)),
);
const { doc } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('doc')),
  doc: fc
    .uniqueArray(fc.tuple(name, tie('value')), { selector: ([key]) => key, maxLength: 5 })
    .map((entries) => new Map(entries)),
}));

describe('The codec', () => {
  it('writes what it read, whatever the names and their order', () => {
    fc.assert(
      fc.property(doc as fc.Arbitrary<Map<string, never>>, (one) => {
        const bytes = encode(one);
        const read = decode(bytes);
        expect([...read.keys()]).toEqual([...one.keys()]);
        expect(encode(read).equals(bytes)).toBe(true);
      }),
    );
  });

  it('writes the bytes that the driver writes', () => {
    const plain = {
      text: 'каждый день, \u{1f600}, and a longer text than the short way takes',
      int: new Int32(-7),
      double: 1.5,
      list: ['a', { b: null }],
      when: new Date(1_700_000_000_123),
      id: new ObjectId('65a000000000000000000001'),
      bytes: new Binary(Buffer.from('abc'), 4),
      decimal: Decimal128.fromString('-1.50E+3'),
      stamp: new Timestamp({ t: 5, i: 7 }),
    };
    expect(encode(plain).equals(serialize(plain))).toBe(true);
    expect(encode({ long: 2n ** 62n }).equals(serialize({ long: Long.fromBigInt(2n ** 62n) }))).toBe(true);
  });

  it('copies a document that is bytes already', () => {
    const inner = encode({ a: new Int32(1) });
    expect(encode({ list: [new Raw(inner)] }).equals(encode({ list: [{ a: new Int32(1) }] }))).toBe(true);
  });

  it('keeps nothing of an answer in the next', () => {
    encode({ text: 'x'.repeat(6_000_000) });
    expect(decode(encode({ a: 'b' }))).toEqual(new Map([['a', 'b']]));
  });

  it('refuses what nests deeper than MongoDB allows', () => {
    let nested: Doc = new Map();
    for (let depth = 0; depth < 200; depth += 1) nested = new Map([['a', nested]]);
    expect(() => decode(encode(nested))).toThrow(/nested too deeply/);
  });
});
