import { BSONRegExp, Decimal128, Double } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { apply, doc, leaves, makes, refused, rows, value } from './run.js';

const ignoringCase = collationFrom(doc({ locale: 'en', strength: 2 }));

describe('$push', () => {
  it('adds to the end, and makes the array', () => {
    makes(
      { a: [1] },
      { $push: { a: 2, b: [1], 'c.d': { e: 1 } } },
      { a: [1, 2], b: [[1]], c: { d: [{ e: 1 }] } },
    );
    makes({ a: [1] }, { $push: { a: { $each: [2, 3] } } }, { a: [1, 2, 3] });
    makes({ a: [1] }, { $push: { a: { $slice: 1 } } }, { a: [1, { $slice: 1 }] });
    makes({}, { $push: { a: { $each: [] } } }, { a: [] });
    leaves({ a: [1] }, { $push: { a: { $each: [] } } });
  });

  it('puts at a position, counted from either end', () => {
    const at = (position: number, after: number[]) =>
      makes({ a: [1, 2, 3] }, { $push: { a: { $each: [8, 9], $position: position } } }, { a: after });
    at(0, [8, 9, 1, 2, 3]);
    at(1, [1, 8, 9, 2, 3]);
    at(-1, [1, 2, 8, 9, 3]);
    at(-9, [8, 9, 1, 2, 3]);
    at(9, [1, 2, 3, 8, 9]);
  });

  it('sorts, then cuts', () => {
    makes({ a: [3, 1] }, { $push: { a: { $each: [2], $sort: 1 } } }, { a: [1, 2, 3] });
    makes({ a: [3, 1] }, { $push: { a: { $each: [2], $sort: -1, $slice: 2 } } }, { a: [3, 2] });
    makes({ a: [3, 1] }, { $push: { a: { $each: [2], $sort: 1, $slice: -2 } } }, { a: [2, 3] });
    makes({ a: [3, 1] }, { $push: { a: { $each: [2], $slice: 0 } } }, { a: [] });
    leaves({ a: [1, 2] }, { $push: { a: { $each: [3], $slice: 2 } } });
  });

  it('sorts documents by their fields, what has none first, and looks into no array', () => {
    makes(
      { a: [{ b: { c: 2 }, d: 1 }, 7] },
      { $push: { a: { $each: [{ b: { c: 1 } }, { b: { c: 2 }, d: 0 }], $sort: { 'b.c': -1, d: 1 } } } },
      { a: [{ b: { c: 2 }, d: 0 }, { b: { c: 2 }, d: 1 }, { b: { c: 1 } }, 7] },
    );
    makes(
      { a: [{ b: [0, 9] }, { b: 5 }] },
      { $push: { a: { $each: [], $sort: { b: 1 } } } },
      { a: [{ b: 5 }, { b: [0, 9] }] },
    );
  });

  it('keeps the order of equals, and compares as the collation does', () => {
    makes(
      { a: ['b', 'A', 'a'] },
      { $push: { a: { $each: ['B'], $sort: 1 } } },
      { a: ['A', 'a', 'b', 'B'] },
      { collate: ignoringCase },
    );
  });

  it('refuses what is no array, and modifiers that are none', () => {
    expect(refused({ _id: 1, a: { b: 'x' } }, { $push: { 'a.b': 1 } })).toBe(
      "2 BadValue: The field 'a.b' must be an array but is of type string in document {_id: 1}",
    );
    const with_ = (modifiers: Record<string, unknown>) =>
      refused({}, { $push: { a: { $each: [], ...modifiers } as never } });
    expect(with_({ $each: 1 })).toMatch(/^2 BadValue: The argument to \$each in \$push must be an array/);
    expect(with_({ $first: 1 })).toBe('2 BadValue: Unrecognized clause in $push: $first');
    expect(with_({ $slice: 1.5 })).toMatch(/^2 BadValue: The value for \$slice .* given type: double/);
    expect(with_({ $position: 'x' })).toMatch(/^2 BadValue: The value for \$position .* of type: string/);
    expect(with_({ $sort: 2 })).toMatch(/must be either 1 or -1/);
    expect(with_({ $sort: { b: 'x' } })).toMatch(/must be either 1 or -1/);
    expect(with_({ $sort: {} })).toMatch(/pattern is empty/);
    expect(with_({ $sort: 'b' })).toMatch(/use 1\/-1 to sort the whole element/);
    expect(with_({ $sort: { 'b.': 1 } })).toMatch(/empty part: b\./);
  });

  it('keeps what a capped list keeps, however it is filled', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 4 })),
        fc.integer({ min: -5, max: 5 }),
        (batches, slice) => {
          const after = batches.reduce(
            (one, batch) => apply({ $push: { a: { $each: batch, $sort: 1, $slice: slice } } }, one),
            doc({ a: [] }),
          );
          const kept = batches.reduce((list, batch) => {
            const all = list.concat(batch).sort((left, right) => left - right);
            return slice >= 0 ? all.slice(0, slice) : all.slice(slice);
          }, [] as number[]);
          expect(after.get('a')).toEqual(value(kept));
        },
      ),
    );
  });
});

describe('$addToSet', () => {
  it('adds what is not there yet, once', () => {
    makes({ a: [1] }, { $addToSet: { a: 2, b: 1 } }, { a: [1, 2], b: [1] });
    makes({ a: [1] }, { $addToSet: { a: { $each: [2, 1, 2] } } }, { a: [1, 2] });
    makes({}, { $addToSet: { a: { $each: [2, 2] } } }, { a: [2] });
    makes({ a: [] }, { $addToSet: { a: [1, 1] } }, { a: [[1, 1]] });
  });

  it('takes numbers of all types for the same, and documents only in the same order', () => {
    leaves({ a: [1, 2n] }, { $addToSet: { a: { $each: [new Double(1), Decimal128.fromString('2.0')] } } });
    makes(
      { a: [{ x: 1, y: 2 }] },
      { $addToSet: { a: { y: 2, x: 1 } } },
      {
        a: [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      },
    );
    leaves({ a: ['X'] }, { $addToSet: { a: 'x' } }, { collate: ignoringCase });
  });

  it('refuses what is no array, and modifiers other than $each', () => {
    expect(refused({ a: { b: 1 } }, { $addToSet: { 'a.b': 1 } })).toBe(
      "2 BadValue: Cannot apply $addToSet to non-array field. Field named 'b' has non-array type int",
    );
    expect(refused({}, { $addToSet: { a: { $each: 1 } } })).toMatch(
      /^14 TypeMismatch: The argument to \$each/,
    );
    expect(refused({}, { $addToSet: { a: { $each: [], $slice: 1 } } })).toMatch(
      /^2 BadValue: Found unexpected/,
    );
  });
});

describe('$pop', () => {
  it('takes the last or the first', () => {
    makes({ a: [1, 2, 3], b: [1, 2] }, { $pop: { a: 1, b: -1 } }, { a: [1, 2], b: [2] });
    leaves({ a: [] }, { $pop: { a: 1, b: 1, 'c.d': 1 } });
  });

  it('refuses what is no array, and other numbers', () => {
    expect(refused({ a: 'x' }, { $pop: { a: 1 } })).toBe(
      "14 TypeMismatch: Path 'a' contains an element of non-array type 'string'",
    );
    expect(refused({}, { $pop: { a: 2 } })).toBe('9 FailedToParse: $pop expects 1 or -1, found: 2');
    expect(refused({}, { $pop: { a: 'x' } })).toBe('9 FailedToParse: Expected a number in: a: "x"');
    expect(refused({}, { $pop: { a: 1.5 } })).toBe('9 FailedToParse: Expected an integer: a: 1.5');
    expect(refused({ a: 5 }, { $pop: { 'a.b': 1 } })).toBe(
      '28 PathNotViable: Cannot use the part (b) of (a.b) to traverse the element ({a: 5})',
    );
  });
});

describe('$pull', () => {
  it('takes out what is equal', () => {
    makes({ a: [1, 2n, 1.5, 'x', 1] }, { $pull: { a: 1 } }, { a: [2n, 1.5, 'x'] });
    makes({ a: [[1], [1, 2], 1] }, { $pull: { a: [1] } }, { a: [[1, 2], 1] });
    makes({ a: [null, 1] }, { $pull: { a: null } }, { a: [1] });
    leaves({ a: [1] }, { $pull: { a: 2, b: 2, 'c.d': 2 } });
  });

  it('takes out what a condition fits', () => {
    makes({ a: [1, 5, 9, 'x'] }, { $pull: { a: { $gte: 5 } } }, { a: [1, 'x'] });
    makes({ a: [1, 2, 3] }, { $pull: { a: { $in: [1, 3] } } }, { a: [2] });
    makes({ a: ['ab', 'b', 3] }, { $pull: { a: new BSONRegExp('^a') } }, { a: ['b', 3] });
    makes({ a: ['X', 'y'] }, { $pull: { a: 'x' } }, { a: ['y'] }, { collate: ignoringCase });
  });

  it('asks documents as a query does, field by field', () => {
    makes(
      { a: [{ b: 8, c: 'B', d: 1 }, { b: 5, c: 'B' }, { c: 'A' }, 7] },
      { $pull: { a: { b: { $gte: 5 }, c: 'B' } } },
      { a: [{ c: 'A' }, 7] },
    );
    makes(
      { a: [{ b: [{ c: 1 }, { c: 2 }] }, { b: [] }] },
      { $pull: { a: { b: { $elemMatch: { c: 2 } } } } },
      { a: [{ b: [] }] },
    );
    makes(
      { a: [{ b: 1 }, { b: 2 }, 1] },
      { $pull: { a: { $or: [{ b: 1 }, { c: 1 }] } } },
      { a: [{ b: 2 }, 1] },
    );
    makes({ a: [{ b: 1 }, 1] }, { $pull: { a: {} } }, { a: [1] });
  });

  it('refuses what is no array, and conditions that are none', () => {
    expect(refused({ a: 1 }, { $pull: { a: 1 } })).toBe(
      '2 BadValue: Cannot apply $pull to a non-array value',
    );
    expect(refused({}, { $pull: { a: { $foo: 1 } } })).toMatch(/^2 BadValue: unknown operator: \$foo/);
    expect(refused({}, { $pull: { a: { $expr: true } } })).toMatch(/^224 QueryFeatureNotAllowed/);
  });
});

describe('$pullAll', () => {
  it('takes out all that is equal to one of them', () => {
    makes({ a: [1, 2, 3, 1, 'x'] }, { $pullAll: { a: [1n, 'x'] } }, { a: [2, 3] });
    leaves({ a: [1] }, { $pullAll: { a: [2], b: [1] } });
  });

  it('refuses what is no array, on either side', () => {
    expect(refused({}, { $pullAll: { a: 1 } })).toBe(
      '2 BadValue: $pullAll requires an array argument but was given a int',
    );
    expect(refused({ a: 1 }, { $pullAll: { a: [1] } })).toBe(
      '2 BadValue: Cannot apply $pull to a non-array value',
    );
  });
});

describe('Sets and lists', () => {
  it('come out empty when all that was added is pulled', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer(), fc.string(), fc.boolean())), (items) => {
        const added = apply({ $addToSet: { a: { $each: items } } }, doc({ a: [] }));
        expect(rows(added.get('a'))).toHaveLength(new Set(items).size);
        expect(apply({ $pullAll: { a: items } }, added).get('a')).toEqual([]);
      }),
    );
  });
});
