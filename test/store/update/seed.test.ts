import { BSONRegExp } from 'bson';
import { describe, expect, it } from 'vitest';
import { seed } from '../../../server/store/embedded/update/update.js';
import { doc, type Plain, refusal, rows } from './run.js';

const seeds = (filter: Plain, made: Plain, isReplacement = false) =>
  expect(rows(seed(doc(filter), isReplacement))).toEqual(rows(doc(made)));
const refused = (filter: Plain, isReplacement = false) => refusal(() => seed(doc(filter), isReplacement));

describe('What an upsert begins with', () => {
  it('is what the filter holds to one value, _id first', () => {
    seeds({ a: 1, _id: 5, b: { $eq: 'x' } }, { _id: 5, a: 1, b: 'x' });
    seeds({ $and: [{ a: 1 }, { $and: [{ b: null }] }], c: { d: 1 } }, { a: 1, b: null, c: { d: 1 } });
    seeds({ a: { $eq: 1, $gt: 0 }, b: { $in: [2] }, c: { $all: [3] } }, { a: 1, b: 2, c: 3 });
    seeds({ $or: [{ a: 1 }] }, { a: 1 });
    seeds({ a: { $eq: new BSONRegExp('x') } }, { a: new BSONRegExp('x') });
  });

  it('is nothing of what it leaves open', () => {
    seeds(
      {
        a: { $gt: 1 },
        b: { $in: [1, 2] },
        c: new BSONRegExp('x'),
        d: { $not: { $eq: 1 } },
        e: { $elemMatch: { f: 1 } },
        g: { $in: [new BSONRegExp('x')] },
        $or: [{ h: 1 }, { i: 1 }],
        $nor: [{ j: 1 }],
        $comment: 'x',
      },
      {},
    );
  });

  it('has documents for paths, and never arrays', () => {
    seeds({ 'a.b': 1, 'a.c.d': 2, 'e.0': 3 }, { a: { b: 1, c: { d: 2 } }, e: { '0': 3 } });
    seeds({ '_id.a': 1, b: 1 }, { _id: { a: 1 }, b: 1 });
  });

  it('refuses a field that is held twice, or within one that is held', () => {
    expect(refused({ $and: [{ a: 1 }, { a: 1 }] })).toBe(
      "54 NotSingleValueField: cannot infer query fields to set, path 'a' is matched twice",
    );
    expect(refused({ 'a.b': 1, a: { c: 1 } })).toBe(
      "54 NotSingleValueField: cannot infer query fields to set, both paths 'a.b' and 'a' are matched",
    );
    expect(refused({ a: { $all: [1, 2] } })).toMatch(/^54 NotSingleValueField/);
    expect(refused({ $expr: { $eq: ['$a', 1] } })).toMatch(/^224 QueryFeatureNotAllowed/);
  });

  it('is but the _id for a replacement', () => {
    seeds({ _id: 1, a: 1, 'a.b': 1 }, { _id: 1 }, true);
    expect(refused({ '_id.a': 1 }, true)).toBe(
      "111 NotExactValueField: field at '_id' must be exactly specified, field at sub-path '_id.a'found",
    );
  });
});
