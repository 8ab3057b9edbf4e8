import { MaxKey, MinKey } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSort } from '../../../server/store/embedded/query/sort.js';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { doc } from '../documents.js';

const sorted = (spec: object, ...documents: object[]) => {
  const docs = documents.map((one, n) => doc({ ...one, n }));
  return docs.sort(compileSort(doc(spec))).map((one) => documents[Number(String(one.get('n')))]);
};

describe('A sort', () => {
  it('puts kinds of values in MongoDB’s order', () => {
    const kinds = [new MinKey(), [], null, 1, 'x', { x: 1 }, [[1]], true, new Date(0), new MaxKey()].map(
      (a) => ({ a }),
    );
    expect(sorted({ a: 1 }, ...[...kinds].reverse())).toEqual(kinds);
    expect(sorted({ a: -1 }, ...kinds)).toEqual([...kinds].reverse());
    expect(sorted({ a: 1 }, { a: null }, {}, { a: 2n }, { a: 1.5 })).toEqual([
      { a: null },
      {},
      { a: 1.5 },
      { a: 2n },
    ]);
  });

  it('takes the least element of an array upwards, and the greatest downwards', () => {
    const [low, high, both] = [{ a: 2 }, { a: 5 }, { a: [1, 9] }];
    expect(sorted({ a: 1 }, low, high, both)).toEqual([both, low, high]);
    expect(sorted({ a: -1 }, low, high, both)).toEqual([both, high, low]);
  });

  it('takes one element for all fields of an array', () => {
    const [mixed, plain] = [
      {
        a: [
          { b: 2, c: 1 },
          { b: 1, c: 5 },
        ],
      },
      { a: [{ b: 1, c: 3 }] },
    ];
    expect(sorted({ 'a.b': 1, 'a.c': 1 }, mixed, plain)).toEqual([plain, mixed]);
    expect(sorted({ 'a.c': 1, 'a.b': 1 }, mixed, plain)).toEqual([mixed, plain]);
  });

  it('compares by one field after the other, and by a collation', () => {
    expect(sorted({ a: 1, b: -1 }, { a: 1, b: 1 }, { a: 0 }, { a: 1, b: 2 })).toEqual([
      { a: 0 },
      { a: 1, b: 2 },
      { a: 1, b: 1 },
    ]);
    const order = compileSort(doc({ a: 1 }), collationFrom(doc({ locale: 'en' })));
    expect(order(doc({ a: 'a' }), doc({ a: 'B' }))).toBeLessThan(0);
    expect(compileSort(doc({ a: 1 }))(doc({ a: 'a' }), doc({ a: 'B' }))).toBeGreaterThan(0);
  });

  it('is an order', () => {
    const value = fc.oneof(
      fc.integer({ min: 0, max: 3 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
      fc.constant(null),
    );
    const document = fc.record({ a: value }).map(doc);
    const order = compileSort(doc({ a: 1 }));
    fc.assert(
      fc.property(document, document, document, (a, b, c) => {
        expect(Math.sign(order(a, b))).toBe(0 - Math.sign(order(b, a)));
        if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it.each([
    [{ a: 2 }, 15975],
    [{ a: 'up' }, 15974],
    [{ a: { $meta: 'textScore' } }, 31138],
    [{ a: { $add: 1 } }, 17312],
    [{ '': 1 }, 40352],
    [{ 'a.': 1 }, 40353],
    [{ 'a..b': 1 }, 15998],
    [{ $a: 1 }, 16410],
  ])('refuses %j', (spec, code) => {
    try {
      compileSort(doc(spec));
    } catch (error) {
      expect(error).toMatchObject({ code });
      return;
    }
    expect.fail('was accepted');
  });

  it('refuses two arrays', () => {
    const order = compileSort(doc({ a: 1, b: 1 }));
    expect(() => order(doc({ a: [1], b: [2] }), doc({ a: 1 }))).toThrow(
      'cannot sort with keys that are parallel arrays',
    );
  });
});
