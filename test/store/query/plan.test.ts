import { BSONRegExp, MaxKey } from 'bson';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../server/store/embedded/bson/types.js';
import { compileFilter } from '../../../server/store/embedded/query/match.js';
import { choosePlan, type PlannedIndex, type PlanQuery } from '../../../server/store/embedded/query/plan.js';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { doc, value } from '../documents.js';
import { indexOn, read } from './indexes.js';

const insensitive = { locale: 'en', strength: 1 };

interface More {
  sort?: object;
  hint?: Value;
  collation?: object;
}

const query = (filter: object, { sort, hint, collation }: More = {}): PlanQuery => ({
  filter: doc(filter),
  sort: sort && doc(sort),
  hint,
  collate: collationFrom(collation && doc(collation)),
});
const plan = (indexes: PlannedIndex[], filter: object, more?: More) =>
  choosePlan(indexes, query(filter, more));

/** How many documents an index makes a filter look at, and how many of them match. */
function looked(
  key: object,
  documents: object[],
  filter: object,
  options: { collation?: object } = {},
): string {
  const docs = documents.map((one, n) => doc({ _id: n, ...one }));
  const asked = query(filter, options);
  const chosen = choosePlan([indexOn(key, docs, options)], asked);
  if (!chosen) return 'all';
  const found = read(chosen);
  return `${found.length}/${found.filter(compileFilter(asked.filter, { collate: asked.collate })).length}`;
}

const numbers = Array.from({ length: 10 }, (_, a) => ({ a }));

describe('A lookup', () => {
  it('reads no more than what a condition on values asks for', () => {
    expect(looked({ a: 1 }, numbers, { a: 3 })).toBe('1/1');
    expect(looked({ a: 1 }, numbers, { a: { $gt: 3, $lte: 6 } })).toBe('3/3');
    expect(looked({ a: -1 }, numbers, { a: { $gt: 3, $lte: 6 } })).toBe('3/3');
    expect(looked({ a: 1 }, numbers, { a: { $gte: 3, $lt: 6 } })).toBe('3/3');
    expect(looked({ a: 1 }, numbers, { a: { $in: [1, 2, 99] } })).toBe('2/2');
    expect(looked({ a: 1 }, numbers, { a: { $gt: 3, $in: [1, 5] } })).toBe('1/1');
    expect(looked({ a: 1 }, numbers, { $or: [{ a: 1 }, { a: { $gt: 8 } }] })).toBe('2/2');
    expect(looked({ a: 1 }, numbers, { a: { $gt: Number.NaN } })).toBe('0/0');
    expect(looked({ a: 1 }, [{ a: 1 }, { a: 'x' }, {}, { a: null }], { a: null })).toBe('2/2');
    expect(looked({ a: 1 }, [{ a: 1 }, { a: 'x' }, { a: true }], { a: { $type: 'string' } })).toBe('1/1');
    expect(looked({ a: 1 }, numbers, { a: { $lt: new MaxKey() } })).toBe('all');
    expect(looked({ a: 1 }, numbers, { a: { $ne: 3 } })).toBe('all');
  });

  it('reads the texts that begin as a pattern says', () => {
    const texts = ['ab', 'abc', 'b', 'a'].map((a) => ({ a }));
    expect(looked({ a: 1 }, texts, { a: new BSONRegExp('^ab') })).toBe('2/2');
    expect(looked({ a: -1 }, texts, { a: { $regex: '^ab' } })).toBe('2/2');
    expect(looked({ a: 1 }, [...texts, { a: 1 }], { a: { $regex: 'b' } })).toBe('4/3');
    expect(looked({ a: 1 }, [...texts, { a: new BSONRegExp('^ab') }], { a: new BSONRegExp('^ab') })).toBe(
      '3/3',
    );
  });

  it('goes on to the next field after values, and stops after a range', () => {
    const pairs = [1, 2, 3].flatMap((a) => [1, 2, 3].map((b) => ({ a, b })));
    expect(looked({ a: 1, b: -1 }, pairs, { a: { $in: [1, 3] }, b: { $gt: 1 } })).toBe('4/4');
    expect(looked({ a: 1, b: 1 }, pairs, { a: { $gt: 1 }, b: 2 })).toBe('6/2');
  });

  it('finds every element that fits, whichever of several conditions it fits', () => {
    const docs = [{ a: [1, 2] }, { a: [1] }, { a: [2] }, { a: [0, 9] }, { a: 'x' }];
    expect(looked({ a: 1 }, docs, { $and: [{ a: 1 }, { a: 2 }] })).toBe('2/1');
    expect(looked({ a: 1 }, docs, { a: { $gt: 3, $lt: 1 } })).toBe('1/1');
    expect(looked({ a: 1 }, docs, { a: { $elemMatch: { $gt: 3, $lt: 1 } } })).toBe('0/0');
    expect(looked({ a: 1 }, docs, { a: { $all: [1, 2] } })).toBe('2/1');
    expect(looked({ a: 1 }, docs, { a: [1, 2] })).toBe('2/1');
  });

  it('takes two fields of an array together only when one element is asked for both', () => {
    const docs = [
      {
        a: [
          { b: 1, c: 9 },
          { b: 8, c: 2 },
        ],
      },
      { a: [{ b: 1, c: 2 }] },
      { a: [{ b: 5, c: 2 }] },
    ];
    expect(looked({ 'a.b': 1, 'a.c': 1 }, docs, { 'a.b': 1, 'a.c': 2 })).toBe('2/2');
    expect(looked({ 'a.b': 1, 'a.c': 1 }, docs, { a: { $elemMatch: { b: 1, c: 2 } } })).toBe('1/1');
    expect(
      looked({ 'a.b': 1, 'a.c': 1 }, [{ a: { b: 1, c: 3 } }, { a: { b: 1, c: 2 } }], { 'a.b': 1, 'a.c': 2 }),
    ).toBe('1/1');
  });

  it('does not trust what paths with places in them leave unsaid', () => {
    const docs = [{ a: [5, { b: 4 }, 3] }, { a: [['x']] }, { a: [[7]] }];
    expect(looked({ 'a.1.b': 1 }, docs, { 'a.1.b': null })).toBe('all');
    expect(looked({ 'a.0': 1 }, docs, { 'a.0': { $elemMatch: { $eq: 'x' } } })).toBe('all');
    expect(looked({ 'a.0': 1 }, docs, { a: { $elemMatch: { 0: 7 } } })).toBe('all');
  });

  it('finds equal texts of a collation wherever they stand', () => {
    const texts = ['Strasse', 'straße', 'STRASSE', 'x'].map((a) => ({ a }));
    const german = { locale: 'de', strength: 1 };
    expect(looked({ a: 1 }, texts, { a: 'strasse' }, { collation: german })).toBe('3/3');
    expect(looked({ a: 1 }, texts, { a: 'straße' }, { collation: german })).toBe('4/3');
    expect(looked({ a: 1 }, texts, { a: { $in: ['X', 'y'] } }, { collation: german })).toBe('2/1');
    expect(looked({ a: 1 }, texts, { a: { $gt: 'T' } }, { collation: german })).toBe('4/1');
  });

  it('of texts under another collation knows only that they are texts', () => {
    const docs = ['a', 'A', 'b'].map((a) => doc({ a }));
    const index = indexOn({ a: 1 }, [...docs, doc({ a: 1 })]);
    expect(read(plan([index], { a: 'a' }, { collation: insensitive })!)).toEqual([docs[1], docs[0], docs[2]]);
    expect(read(plan([index], { a: 1 }, { collation: insensitive })!)).toHaveLength(1);
  });

  it('finds long texts by what is left of their keys', () => {
    const texts = ['x', 'y', 'z'].map((end) => ({ a: 'a'.repeat(500) + end }));
    expect(looked({ a: 1 }, texts, { a: `${'a'.repeat(500)}y` })).toBe('1/1');
    expect(looked({ a: 1 }, texts, { a: { $gt: `${'a'.repeat(500)}y` } })).toBe('3/1');
  });
});

describe('An index that leaves documents out', () => {
  const docs = [doc({ a: 1, s: 'open' })];
  const uses = (
    options: { sparse?: boolean; partial?: object; collation?: object },
    filter: object,
    more?: More,
  ) => plan([indexOn({ a: 1 }, docs, options)], filter, more) !== null;

  it('is used where the filter leaves them out too', () => {
    expect(uses({ sparse: true }, { a: 1 })).toBe(true);
    expect(uses({ sparse: true }, { a: { $gt: 1 } })).toBe(true);
    expect(uses({ sparse: true }, { a: { $exists: true } }, { sort: { a: 1 } })).toBe(true);
    expect(uses({ sparse: true }, { a: { $ne: null } }, { sort: { a: 1 } })).toBe(true);
    expect(uses({ partial: { s: 'open' } }, { a: 1, s: 'open' })).toBe(true);
    expect(uses({ partial: { s: { $exists: true } } }, { a: 1, s: 'x' })).toBe(true);
    expect(uses({ partial: { s: { $type: 'string' } } }, { a: 1, s: { $exists: true } })).toBe(false);
    expect(uses({ partial: { a: { $gt: 0 } } }, { a: 1 })).toBe(true);
    expect(uses({ partial: { a: { $gte: 1 } } }, { a: { $gt: 1 } })).toBe(true);
    expect(uses({ partial: { a: { $gte: 1 } } }, { a: { $in: [1, 2] } })).toBe(true);
    expect(
      uses({ partial: { $and: [{ a: { $type: 'number' } }, { s: 'open' }] } }, { a: 1, s: 'open' }),
    ).toBe(true);
  });

  it('is not used where it may lack one', () => {
    expect(uses({ sparse: true }, { a: null })).toBe(false);
    expect(uses({ sparse: true }, {}, { sort: { a: 1 } })).toBe(false);
    expect(uses({ partial: { s: 'open' } }, { a: 1 })).toBe(false);
    expect(uses({ partial: { s: 'open' } }, { a: 1, s: { $in: ['open', 'closed'] } })).toBe(false);
    expect(uses({ partial: { a: { $gt: 1 } } }, { a: { $gte: 1 } })).toBe(false);
    expect(uses({ partial: { s: 'open' } }, { a: 1, s: 'open' }, { collation: insensitive })).toBe(false);
    expect(
      uses(
        { partial: { s: 'open' }, collation: insensitive },
        { a: 1, s: 'open' },
        { collation: insensitive },
      ),
    ).toBe(true);
    expect(uses({ partial: { $or: [{ s: 'open' }] } }, { a: 1, s: 'open' })).toBe(false);
  });
});

describe('An order', () => {
  const docs = [1, 2, 3].flatMap((a) => [1, 2, 3].map((b) => doc({ a, b, c: a })));
  const index = indexOn({ a: 1, b: -1 }, docs);
  const order = (filter: object, sort: object) => {
    const chosen = plan([index], filter, { sort });
    return (
      chosen &&
      `${chosen.sorted ? 'sorted' : 'unsorted'}${chosen.merge ? ', merged' : ''}${chosen.reverse ? ', backwards' : ''}`
    );
  };

  it('is the index’s own, or that backwards', () => {
    expect(order({}, { a: 1 })).toBe('sorted');
    expect(order({}, { a: -1, b: 1 })).toBe('sorted, backwards');
    expect(order({}, { a: 1, b: 1 })).toBeNull();
    expect(order({ a: 1 }, { b: 1 })).toBe('sorted, backwards');
    expect(order({ a: 1 }, { b: 1, a: 1 })).toBe('sorted, backwards');
    expect(order({ a: { $gt: 1 } }, { a: -1 })).toBe('sorted, backwards');
    expect(order({ a: { $gt: 1 } }, { b: 1 })).toBe('unsorted');
    expect(order({ a: { $in: [1, 2] } }, { a: 1, b: -1 })).toBe('sorted');
    expect(order({ a: { $in: [1, 2] } }, { a: -1 })).toBe('sorted, backwards');
  });

  it('is merged where several values stand before it', () => {
    expect(order({ a: { $in: [1, 3] } }, { b: -1 })).toBe('sorted, merged');
    expect(order({ a: { $in: [1, 3] } }, { b: 1 })).toBe('sorted, merged, backwards');
    const chosen = plan([index], { a: { $in: [1, 3] } }, { sort: { b: 1 } })!;
    expect(read(chosen).map((one) => String(one.get('b')))).toEqual(['1', '1', '2', '2', '3', '3']);
  });

  it('is none where arrays or languages decide', () => {
    expect(plan([indexOn({ a: 1 }, [doc({ a: [1] })])], {}, { sort: { a: 1 } })).toBeNull();
    expect(plan([index], {}, { sort: { a: 1 }, collation: insensitive })).toBeNull();
    expect(plan([indexOn({ a: 1 }, docs, { collation: insensitive })], {}, { sort: { a: 1 } })).toBeNull();
  });
});

describe('Among several indexes', () => {
  const docs = [doc({ _id: 1, a: 1, b: 1, c: 1 })];
  const on = (key: object, options: { unique?: boolean; hidden?: boolean; sparse?: boolean } = {}) =>
    indexOn(key, docs, options);
  const chosen = (indexes: PlannedIndex[], filter: object, more?: More) =>
    plan(indexes, filter, more)?.index.name ?? null;

  it('the one is taken that has most of what is asked for', () => {
    expect(chosen([on({ a: 1 }), on({ a: 1, b: 1 })], { a: 1, b: 1 })).toBe('a_1_b_1');
    expect(chosen([on({ a: 1 }), on({ b: 1 })], { a: { $gt: 1 }, b: 1 })).toBe('b_1');
    expect(chosen([on({ a: 1 }), on({ a: 1, c: 1 })], { a: 1 }, { sort: { c: 1 } })).toBe('a_1_c_1');
    expect(chosen([on({ a: 1, b: 1 }), on({ _id: 1 }, { unique: true })], { a: 1, b: 1, _id: 1 })).toBe(
      '_id_1',
    );
    expect(chosen([on({ a: 1, b: 1 }), on({ a: 1, c: 1 })], { a: 1, b: 1 }, { sort: { c: 1 } })).toBe(
      'a_1_c_1',
    );
    expect(chosen([on({ a: 1 }, { hidden: true })], { a: 1 })).toBeNull();
    expect(chosen([on({ a: 1 })], { z: 1 })).toBeNull();
  });

  it('the hinted one is taken', () => {
    const indexes = [on({ a: 1 }), on({ b: 1 })];
    expect(chosen(indexes, { a: 1 }, { hint: 'b_1' })).toBe('b_1');
    expect(chosen(indexes, { a: 1 }, { hint: value({ b: 1 }) })).toBe('b_1');
    expect(chosen(indexes, { a: 1 }, { hint: value({ $natural: 1 }) })).toBeNull();
    expect(chosen([on({ a: 1 }, { sparse: true })], {}, { hint: 'a_1' })).toBe('a_1');
    expect(() => chosen(indexes, { a: 1 }, { hint: 'c_1' })).toThrow(
      'hint provided does not correspond to an existing index',
    );
    expect(() => chosen([on({ a: 1 }, { hidden: true })], { a: 1 }, { hint: 'a_1' })).toThrow(
      'hint provided',
    );
  });
});
