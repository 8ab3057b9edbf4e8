import { BSONRegExp, Double } from 'bson';
import { describe, expect, it } from 'vitest';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { type Asked, doc, type Given, type Plain, refused, run } from './run.js';

const collections = {
  items: [
    { _id: 1, sku: 'a', stock: 5 },
    { _id: 2, sku: 'b', stock: 0 },
    { _id: 3, sku: ['a', 'c'] },
    { _id: 4, sku: null },
    { _id: 5 },
  ],
};
const ids = (rows: unknown[]): unknown[] =>
  rows.map((row) => (row as { found: { _id: number }[] }).found.map(({ _id }) => _id));
const join = (stage: Plain, docs: Plain[], given: Given = {}, asked: Asked[] = []) =>
  ids(run([{ $lookup: { from: 'items', as: 'found', ...stage } }], docs, { collections, ...given }, asked));

describe('$lookup by a field', () => {
  const byField = { localField: 'sku', foreignField: 'sku' };

  it('finds what is equal, in arrays on both sides', () => {
    expect(join(byField, [{ sku: 'a' }, { sku: ['b', 'c'] }, { sku: 'x' }])).toEqual([[1, 3], [2, 3], []]);
  });

  it('takes what is missing for null', () => {
    expect(join(byField, [{}, { sku: null }, { sku: [] }])).toEqual([
      [4, 5],
      [4, 5],
      [4, 5],
    ]);
  });

  it('takes a number for equal whatever its type', () => {
    expect(join({ localField: 'n', foreignField: '_id' }, [{ n: 1n }, { n: new Double(2) }])).toEqual([
      [1],
      [2],
    ]);
  });

  it('means texts and documents as they are', () => {
    const given = {
      collections: {
        items: [
          { _id: 1, v: new BSONRegExp('a') },
          { _id: 2, v: 'abc' },
          { _id: 3, v: { $x: 1 } },
        ],
      },
    };
    const stage = { localField: 'v', foreignField: 'v' };
    expect(
      join(stage, [{ v: new BSONRegExp('a') }, { v: [new BSONRegExp('a'), 'abc'] }, { v: { $x: 1 } }], given),
    ).toEqual([[1], [1, 2], [3]]);
  });

  it('goes along paths on both sides', () => {
    const given = {
      collections: {
        items: [
          { _id: 1, a: [{ b: 1 }, { b: 2 }] },
          { _id: 2, a: { b: 3 } },
        ],
      },
    };
    expect(join({ localField: 'x.y', foreignField: 'a.b' }, [{ x: [{ y: 2 }, { y: 3 }] }], given)).toEqual([
      [1, 2],
    ]);
  });

  it('puts what it found at a path', () => {
    const stage = { $lookup: { from: 'items', as: 'a.b', localField: 'n', foreignField: '_id' } };
    expect(run([stage], [{ n: 1, a: [1] }], { collections: { items: [{ _id: 1 }] } })).toEqual([
      { n: 1, a: { b: [{ _id: 1 }] } },
    ]);
  });

  it('asks the other collection for what it wants', () => {
    const asked: Asked[] = [];
    join(byField, [{ sku: 'a' }, { sku: 'b' }], {}, asked);
    expect(asked).toEqual([
      { collection: 'items', filter: { sku: { $in: ['a'] } } },
      { collection: 'items', filter: { sku: { $in: ['b'] } } },
    ]);
  });

  it('reads a collection without an index once for all documents', () => {
    const asked: Asked[] = [];
    const docs = [{ sku: 'a' }, { sku: ['b', 'c', 'a'] }, {}, { sku: 'x' }];
    const found = join(byField, docs, { context: { isIndexed: () => false } }, asked);
    expect(found).toEqual([[1, 3], [1, 2, 3], [4, 5], []]);
    expect(asked.map(({ filter }) => filter)).toEqual([{ sku: { $in: ['a'] } }, undefined]);
  });

  it('compares as the collation says', () => {
    const collate = collationFrom(doc({ locale: 'en', strength: 2 }));
    expect(join(byField, [{ sku: 'A' }, { sku: 'B' }], { collate })).toEqual([[1, 3], [2]]);
  });
});

describe('$lookup by a pipeline', () => {
  it('runs it with variables of the document', () => {
    const stage = {
      let: { least: '$least' },
      pipeline: [{ $match: { $expr: { $gte: ['$stock', '$$least'] } } }, { $project: { _id: 1 } }],
    };
    expect(join(stage, [{ least: 1 }, { least: 0 }, {}])).toEqual([[1], [1, 2], [1, 2, 3, 4, 5]]);
  });

  it('heeds fields and pipeline when it is given both', () => {
    const stage = {
      localField: 'sku',
      foreignField: 'sku',
      let: { least: 1 },
      pipeline: [{ $match: { $expr: { $gte: ['$stock', '$$least'] } } }],
    };
    expect(join(stage, [{ sku: ['a', 'b'] }, { sku: 'b' }])).toEqual([[1], []]);
  });

  it('asks an index for what the variables are bound to', () => {
    const asked: Asked[] = [];
    const stage = {
      let: { sku: '$sku', list: [1], none: '$nowhere' },
      pipeline: [
        {
          $match: {
            stock: { $gte: 0 },
            $expr: {
              $and: [{ $eq: ['$sku', '$$sku'] }, { $ne: ['$sku', '$$list'] }, { $ne: ['$$none', '$stock'] }],
            },
          },
        },
      ],
    };
    expect(join(stage, [{ sku: 'a' }], {}, asked)).toEqual([[1]]);
    expect(asked[0]!.filter).toEqual({ $and: [{ stock: { $gte: 0 } }, { sku: { $eq: 'a' } }] });
  });

  it('reads once what is the same for all documents', () => {
    const asked: Asked[] = [];
    expect(join({ pipeline: [{ $match: { stock: 0 } }] }, [{}, {}, {}], {}, asked)).toEqual([[2], [2], [2]]);
    expect(asked).toHaveLength(1);
    const random: Asked[] = [];
    join({ pipeline: [{ $sample: { size: 1 } }] }, [{}, {}], {}, random);
    expect(random).toHaveLength(2);
  });

  it('takes variables along into pipelines within it', () => {
    const inner = {
      from: 'items',
      as: 'found',
      pipeline: [{ $match: { $expr: { $eq: ['$_id', '$$id'] } } }],
    };
    const stage = {
      let: { id: '$id' },
      pipeline: [{ $limit: 1 }, { $lookup: inner }, { $unwind: '$found' }, { $replaceWith: '$found' }],
    };
    expect(join(stage, [{ id: 2 }, { id: 3 }])).toEqual([[2], [3]]);
  });

  it('looks among documents of its own', () => {
    const pipeline: Plain[] = [
      {
        $documents: [
          { k: 1, _id: 7 },
          { k: 2, _id: 8 },
        ],
      },
      { $project: { _id: 1 } },
    ];
    const lookup = (stage: Plain) => ids(run([{ $lookup: { as: 'found', pipeline, ...stage } }], [{ n: 2 }]));
    expect(lookup({})).toEqual([[7, 8]]);
    expect(lookup({ localField: 'n', foreignField: 'k' })).toEqual([[8]]);
  });
});

describe('$lookup', () => {
  it('refuses what it cannot join by', () => {
    const code = (spec: Plain) => refused([{ $lookup: spec }]);
    expect(code({ from: 'a', as: 'b' })).toBe(9);
    expect(code({ from: 'a', as: 'b', localField: 'c' })).toBe(9);
    expect(code({ from: 'a', as: 'b', localField: 'c', pipeline: [] })).toBe(9);
    expect(code({ from: 'a', pipeline: [] })).toBe(9);
    expect(code({ from: 1, as: 'b', pipeline: [] })).toBe(9);
    expect(code({ as: 'b', pipeline: [] })).toBe(9);
    expect(code({ from: 'a', as: 'b', pipeline: [], more: 'x' })).toBe(9);
    expect(code({ from: 'a', as: 'b', localField: 'c', foreignField: 'd', let: {} })).toBe(9);
    expect(code({ from: 'a', as: 'b', pipeline: [], let: { A: 1 } })).toBe(16867);
    expect(code({ from: 'a', as: '$b', pipeline: [] })).toBe(16410);
    expect(code({ from: 'a', as: 'b', pipeline: [{ $nonsense: 1 }] })).toBe(40324);
    expect(refused([{ $lookup: 1 }])).toBe(9);
  });
});

describe('$graphLookup', () => {
  const people = [
    { _id: 1, name: 'Ann', reports: 'Ben' },
    { _id: 2, name: 'Ben', reports: ['Cem', 'Dan'] },
    { _id: 3, name: 'Cem', reports: 'Ann' },
    { _id: 4, name: 'Dan' },
    { _id: 5, name: null, reports: 'Eve' },
    { _id: 6 },
  ];
  const reach = (spec: Plain, from: Plain = { start: 'Ann' }, given: Given = {}) =>
    run(
      [
        {
          $graphLookup: {
            from: 'people',
            startWith: '$start',
            connectFromField: 'reports',
            connectToField: 'name',
            as: 'found',
            ...spec,
          },
        },
      ],
      [from],
      { collections: { people }, ...given },
    );

  it('follows from document to document, each once', () => {
    expect(ids(reach({}))).toEqual([[1, 2, 3, 4]]);
    expect(ids(reach({}, { start: ['Dan', 'Cem'] }))).toEqual([[3, 4, 1, 2]]);
    expect(ids(reach({}, { start: 'nobody' }))).toEqual([[]]);
  });

  it('goes so far, and tells how far it went', () => {
    const [{ found }] = reach({ maxDepth: 1, depthField: 'at.depth' }) as [{ found: Plain[] }];
    expect(found).toEqual([
      { ...people[0], at: { depth: 0n } },
      { ...people[1], at: { depth: 1n } },
    ]);
  });

  it('passes only through documents that fit', () => {
    expect(ids(reach({ restrictSearchWithMatch: { _id: { $ne: 3 } } }))).toEqual([[1, 2, 4]]);
    expect(ids(reach({ restrictSearchWithMatch: { $expr: { $lt: ['$_id', 2] } } }))).toEqual([[1]]);
  });

  it('takes null for a value, and what is missing for none', () => {
    expect(ids(reach({}, { start: null }))).toEqual([[5]]);
    expect(ids(reach({}, {}))).toEqual([[]]);
  });

  it('compares as the collation says', () => {
    const collate = collationFrom(doc({ locale: 'en', strength: 2 }));
    expect(ids(reach({}, { start: 'ANN' }, { collate }))).toEqual([[1, 2, 3, 4]]);
  });

  it('refuses what is no search', () => {
    const code = (spec: Plain) => {
      const whole = { from: 'a', startWith: 1, connectFromField: 'b', connectToField: 'c', as: 'd' };
      return refused([{ $graphLookup: { ...whole, ...spec } }]);
    };
    expect(code({ maxDepth: -1 })).toBe(40101);
    expect(code({ maxDepth: 'x' })).toBe(40100);
    expect(code({ maxDepth: 1.5 })).toBe(40102);
    expect(code({ restrictSearchWithMatch: 1 })).toBe(40185);
    expect(code({ restrictSearchWithMatch: { $nonsense: 1 } })).toBe(2);
    expect(code({ as: 1 })).toBe(40103);
    expect(code({ more: 'x' })).toBe(40104);
    expect(code({ as: '' })).toBe(40105);
    expect(refused([{ $graphLookup: {} }])).toBe(9);
    const noId = { collections: { a: [{ c: 1 }] } };
    const whole = { from: 'a', startWith: 1, connectFromField: 'b', connectToField: 'c', as: 'd' };
    expect(refused([{ $graphLookup: whole }], [{}], noId)).toBe(40271);
  });
});

describe('$unionWith', () => {
  const given = { collections: { more: [{ a: 2 }, { a: 3 }] } };

  it('brings rows of another collection after its own', () => {
    expect(run([{ $unionWith: 'more' }], [{ a: 1 }], given)).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    const asked: Asked[] = [];
    const pipeline: Plain[] = [{ $match: { a: 3 } }, { $set: { b: 1 } }];
    expect(run([{ $unionWith: { coll: 'more', pipeline } }], [{ a: 1 }], given, asked)).toEqual([
      { a: 1 },
      { a: 3, b: 1 },
    ]);
    expect(asked).toEqual([{ collection: 'more', filter: { a: 3 } }]);
  });

  it('brings documents of its own', () => {
    expect(run([{ $unionWith: { pipeline: [{ $documents: [{ a: 2 }] }] } }], [{ a: 1 }])).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
  });

  it('refuses what names no rows', () => {
    expect(refused([{ $unionWith: 1 }])).toBe(9);
    expect(refused([{ $unionWith: { pipeline: [] } }])).toBe(9);
    expect(refused([{ $unionWith: { coll: 'a', more: 1 } }])).toBe(40415);
    expect(refused([{ $unionWith: { coll: 'a', pipeline: 1 } }])).toBe(14);
  });
});

describe('$facet', () => {
  it('runs several pipelines over the same rows', () => {
    expect(
      run(
        [{ $facet: { few: [{ $limit: 1 }], sum: [{ $group: { _id: null, n: { $sum: '$n' } } }], none: [] } }],
        [{ n: 1 }, { n: 2 }],
      ),
    ).toEqual([{ few: [{ n: 1 }], sum: [{ _id: null, n: 3 }], none: [{ n: 1 }, { n: 2 }] }]);
    expect(run([{ $facet: { a: [{ $count: 'n' }] } }], [])).toEqual([{ a: [] }]);
  });

  it('refuses what is no set of pipelines', () => {
    expect(refused([{ $facet: {} }])).toBe(40169);
    expect(refused([{ $facet: { a: 1 } }])).toBe(40170);
    expect(refused([{ $facet: { a: [1] } }])).toBe(40171);
    expect(refused([{ $facet: { $a: [] } }])).toBe(16410);
    expect(refused([{ $facet: { 'a.b': [] } }])).toBe(16412);
  });
});
