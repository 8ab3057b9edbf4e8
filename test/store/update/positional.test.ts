import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, compiled, doc, leaves, makes, refusal, refused, rows, value } from './run.js';

describe('$', () => {
  it('is the element that the query matched', () => {
    makes({ a: [1, 2, 3] }, { $set: { 'a.$': 9 } }, { a: [1, 9, 3] }, { position: 1 });
    makes(
      { a: [{ b: 1 }, { b: 2 }] },
      { $inc: { 'a.$.b': 5 }, $set: { 'a.$.c': 1 } },
      { a: [{ b: 1 }, { b: 7, c: 1 }] },
      { position: 1 },
    );
    makes({ a: [1, 2] }, { $unset: { 'a.$': '' } }, { a: [null, 2] }, { position: 0 });
  });

  it('goes together with other elements named by number', () => {
    makes(
      { a: [{ b: 1 }, { b: 2 }] },
      { $set: { 'a.$.b': 7, 'a.1.c': 8, 'a.0.b': 9 } },
      { a: [{ b: 9 }, { b: 7, c: 8 }] },
      { position: 1 },
    );
    expect(refused({ a: [{ b: 1 }] }, { $set: { 'a.$.b': 7, 'a.0.b': 9 } }, { position: 0 })).toBe(
      "40 ConflictingUpdateOperators: Update created a conflict at 'a.0.b'",
    );
  });

  it('is another element in the next document', () => {
    const update = compiled({ $set: { 'a.$': 0, 'a.1': 5 } });
    const at = (position: number) =>
      rows(update.apply(doc({ a: [1, 2, 3] }), { isInsert: false, position }).get('a'));
    expect(at(0)).toEqual(value([0, 5, 3]));
    expect(at(2)).toEqual(value([1, 5, 0]));
    expect(refusal(() => at(1))).toMatch(/^40 ConflictingUpdateOperators/);
    expect(at(0)).toEqual(value([0, 5, 3]));
  });

  it('is refused where the query matched no element, first in a path, or twice', () => {
    expect(refused({ a: [1] }, { $set: { 'a.$': 1 } })).toBe(
      '2 BadValue: The positional operator did not find the match needed from the query.',
    );
    expect(refused({}, { $set: { '$.a': 1 } })).toMatch(/^2 BadValue: Cannot have positional/);
    expect(refused({}, { $set: { 'a.$.b.$': 1 } })).toMatch(/^2 BadValue: Too many positional/);
  });
});

describe('$[]', () => {
  it('is every element', () => {
    makes({ a: [1, 2] }, { $inc: { 'a.$[]': 10 } }, { a: [11, 12] });
    makes(
      { a: [{ b: [1, 2] }, { b: [] }] },
      { $set: { 'a.$[].b.$[]': 0, 'a.$[].c': 1 } },
      {
        a: [
          { b: [0, 0], c: 1 },
          { b: [], c: 1 },
        ],
      },
    );
    leaves({ a: [] }, { $set: { 'a.$[]': 1 } });
    leaves({ a: [1, 1] }, { $set: { 'a.$[]': 1 } });
  });

  it('needs an array that is there', () => {
    expect(refused({}, { $set: { 'a.b.$[].c': 1 } })).toBe(
      "2 BadValue: The path 'a.b' must exist in the document in order to apply array updates.",
    );
    expect(refused({ a: 5 }, { $set: { 'a.$[]': 1 } })).toBe(
      '2 BadValue: Cannot apply array updates to non-array element a: 5',
    );
    expect(refused({ a: 5 }, { $set: { 'a.b.$[]': 1 } })).toMatch(/The path 'a.b' must exist/);
    expect(refused({}, { $set: { '$[].a': 1 } })).toMatch(/^2 BadValue: Cannot have array filter identifier/);
  });
});

describe('$[name]', () => {
  it('is the elements that its filter picks', () => {
    makes(
      { a: [1, 5, 9] },
      { $set: { 'a.$[x]': 0 } },
      { a: [1, 0, 0] },
      { arrayFilters: [{ x: { $gte: 5 } }] },
    );
    makes(
      { a: [{ b: 1, c: 1 }, { b: 2 }, 'x'] },
      { $inc: { 'a.$[x].c': 1 } },
      { a: [{ b: 1, c: 2 }, { b: 2 }, 'x'] },
      { arrayFilters: [{ 'x.b': 1 }] },
    );
    leaves({ a: [1] }, { $set: { 'a.$[x]': 0 } }, { arrayFilters: [{ x: 2 }] });
  });

  it('nests, each array by its own filter', () => {
    makes(
      {
        a: [
          { b: 1, c: [1, 2] },
          { b: 2, c: [1, 2] },
        ],
      },
      { $set: { 'a.$[x].c.$[y]': 0 } },
      {
        a: [
          { b: 1, c: [1, 2] },
          { b: 2, c: [1, 0] },
        ],
      },
      { arrayFilters: [{ 'x.b': 2 }, { y: 2 }] },
    );
  });

  it('meets other filters on one element, unless they do two things to one place', () => {
    const arrayFilters = [{ 'x.b': { $gte: 1 } }, { 'y.b': { $gte: 2 } }];
    makes(
      { a: [{ b: 1 }, { b: 2 }] },
      { $set: { 'a.$[x].c': 1, 'a.$[y].d': 1, 'a.$[].e': 1 } },
      {
        a: [
          { b: 1, c: 1, e: 1 },
          { b: 2, c: 1, d: 1, e: 1 },
        ],
      },
      { arrayFilters },
    );
    makes(
      { a: [{ b: 1 }] },
      { $set: { 'a.$[x].c': 1, 'a.$[y].c': 2 } },
      { a: [{ b: 1, c: 1 }] },
      { arrayFilters },
    );
    expect(refused({ a: [{ b: 2 }] }, { $set: { 'a.$[x].c': 1, 'a.$[y].c': 2 } }, { arrayFilters })).toBe(
      "40 ConflictingUpdateOperators: Update created a conflict at 'a.0.c'",
    );
  });

  it('takes a condition of several parts about one name', () => {
    makes(
      {
        a: [
          { b: 1, c: 1 },
          { b: 1, c: 2 },
          { b: 3, c: 3 },
        ],
      },
      { $set: { 'a.$[x].d': 1 } },
      {
        a: [
          { b: 1, c: 1 },
          { b: 1, c: 2, d: 1 },
          { b: 3, c: 3, d: 1 },
        ],
      },
      { arrayFilters: [{ $or: [{ 'x.b': 1, 'x.c': 2 }, { $and: [{ 'x.b': 3 }] }] }] },
    );
  });

  it('refuses filters that are not used, not there, there twice, or of no name', () => {
    const withFilters = (...arrayFilters: Parameters<typeof doc>[0][]) =>
      refused({ a: [] }, { $set: { 'a.$[x]': 1 } }, { arrayFilters });
    expect(withFilters()).toBe("2 BadValue: No array filter found for identifier 'x' in path 'a.$[x]'");
    expect(withFilters({ x: 1 }, { y: 1 })).toMatch(
      /^9 FailedToParse: The array filter for identifier 'y' was not used in the update \{ \$set: /,
    );
    expect(withFilters({ x: 1 }, { 'x.a': 1 })).toBe(
      '9 FailedToParse: Found multiple array filters with the same top-level field name x',
    );
    expect(withFilters({ x: 1, y: 1 })).toBe(
      "9 FailedToParse: Error parsing array filter :: caused by :: Expected a single top-level field name, found 'x' and 'y'",
    );
    expect(withFilters({})).toMatch(
      /^9 FailedToParse: Cannot use an expression without a top-level field name/,
    );
    expect(withFilters({ X: 1 })).toMatch(
      /^2 BadValue: Error parsing array filter .* lowercase letter, found 'X'/,
    );
    expect(withFilters({ x: { $foo: 1 } })).toMatch(/^2 BadValue: Error parsing array filter/);
    expect(withFilters({ $expr: true })).toMatch(/^224 QueryFeatureNotAllowed: Error parsing array filter/);
  });

  it('does to each element what a map does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -9, max: 9 })),
        fc.integer({ min: -9, max: 9 }),
        (list, least) => {
          const after = apply({ $mul: { 'a.$[x]': 2 }, $set: { b: 1 } }, doc({ a: list }), {
            arrayFilters: [{ x: { $gt: least } }],
          });
          expect(after.get('a')).toEqual(value(list.map((item) => (item > least ? item * 2 : item))));
        },
      ),
    );
  });
});
