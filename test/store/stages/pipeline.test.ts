import { Int32 } from 'bson';
import { describe, expect, it } from 'vitest';
import { compilePipeline, isStage, splitPipeline } from '../../../server/store/embedded/stages/pipeline.js';
import { contextOf, doc, type Plain, refused, run, shown } from './run.js';

describe('A pipeline', () => {
  it('hands rows from stage to stage', () => {
    expect(
      run(
        [{ $match: { n: { $gt: 1 } } }, { $addFields: { twice: { $multiply: ['$n', 2] } } }, { $limit: 1 }],
        [{ n: 1 }, { n: 2 }, { n: 3 }],
      ),
    ).toEqual([{ n: 2, twice: 4 }]);
  });

  it('takes no more rows than its stages ask for', () => {
    let taken = 0;
    function* endless() {
      for (;;) {
        taken += 1;
        yield doc({ n: taken });
      }
    }
    const three = compilePipeline([doc({ $skip: 1 }), doc({ $limit: 2 })], contextOf({}, []));
    expect([...three(endless())]).toHaveLength(2);
    expect(taken).toBe(3);
  });

  it('hands on the places where a reading may be interrupted', () => {
    const stages: Plain[] = [
      { $match: {} },
      { $project: { n: 1 } },
      { $skip: 0 },
      { $limit: 9 },
      { $unwind: '$n' },
      { $sort: { n: 1 } },
      { $group: { _id: '$n' } },
      { $sample: { size: 1 } },
      { $facet: { all: [] } },
      { $bucketAuto: { groupBy: '$n', buckets: 1 } },
      { $setWindowFields: { output: { all: { $count: {} } } } },
      { $densify: { field: 'n', range: { step: 1, bounds: 'full' } } },
    ];
    for (const stage of stages) {
      const rows = compilePipeline([doc(stage)], contextOf({}, []))([null, doc({ n: 1 }), null]);
      expect([[...rows].filter((row) => row === null).length, stage]).toEqual([2, stage]);
    }
  });

  it('is interrupted where it sorts for long', () => {
    const docs = Array.from({ length: 100_000 }, (_, n) => doc({ n: (n * 7_919) % 100_003 }));
    const rows = [...compilePipeline([doc({ $sort: { n: 1 } })], contextOf({}, []))(docs)];
    const sorted = rows.filter((row) => row !== null);
    expect(rows.length).toBeGreaterThan(sorted.length);
    expect(sorted.every((row, n) => n === 0 || value(sorted[n - 1]) <= value(row))).toBe(true);
  });

  it('can be run again, and twice at a time', () => {
    const pipeline = compilePipeline(
      [
        doc({ $match: { $expr: { $gt: ['$n', '$$least'] } } }),
        doc({ $group: { _id: null, n: { $sum: '$n' } } }),
      ],
      contextOf({ variables: { least: 1 } }, []),
    );
    const [first, second] = [[1, 2, 3], [5]].map((list) => pipeline(list.map((n) => doc({ n }))));
    expect([[...second!], [...first!]].map((rows) => rows.map((row) => shown(row!)))).toEqual([
      [{ _id: null, n: 5 }],
      [{ _id: null, n: 5 }],
    ]);
  });

  it('refuses what is no stage, or not one alone', () => {
    expect(refused([{ $nonsense: {} }])).toBe(40324);
    expect(refused([{ $geoNear: {} }])).toBe(40324);
    expect(refused([{}])).toBe(40323);
    expect(refused([{ $match: {}, $limit: 1 }])).toBe(40323);
    expect(refused(Array.from({ length: 1_001 }, () => ({ $match: {} })))).toBe(7749501);
    expect(refused([{ $listSearchIndexes: {} }])).toBe(31082);
  });

  it('refuses stages in places where they cannot stand', () => {
    expect(refused([{ $out: 'a' }, { $match: {} }])).toBe(40601);
    expect(refused([{ $merge: 'a' }, { $match: {} }])).toBe(40601);
    expect(refused([{ $match: {} }, { $documents: [] }])).toBe(40602);
    expect(refused([{ $match: {} }, { $collStats: { count: {} } }])).toBe(40602);
    expect(refused([{ $facet: { a: [{ $facet: { b: [] } }] } }])).toBe(40600);
    expect(refused([{ $facet: { a: [{ $out: 'b' }] } }])).toBe(40600);
    expect(refused([{ $lookup: { from: 'a', as: 'b', pipeline: [{ $out: 'c' }] } }])).toBe(51047);
    expect(refused([{ $unionWith: { coll: 'a', pipeline: [{ $merge: 'c' }] } }])).toBe(31441);
    expect(refused([{ $unionWith: { coll: 'a', pipeline: [{ $match: {} }, { $collStats: {} }] } }])).toBe(
      40602,
    );
  });

  it('refuses pipelines within pipelines beyond the twentieth, without taking long about it', () => {
    const nested = (depth: number): Plain[] =>
      depth === 0 ? [] : [{ $lookup: { from: 'a', as: 'b', let: {}, pipeline: nested(depth - 1) } }];
    expect(run(nested(20), [])).toEqual([]);
    expect(refused(nested(22))).toBe(232);
  });

  it('knows the variables that are bound, and refuses others before it reads a row', () => {
    const stages = [{ $project: { _id: 0, a: '$$a', now: '$$NOW' } }];
    expect(run(stages, [{}], { variables: { a: 1 } })).toEqual([
      { a: 1, now: new Date('2026-03-04T05:06:07Z') },
    ]);
    expect(refused(stages, [])).toBe(17276);
  });

  it('tells names of stages, also of those that the engine runs', () => {
    expect(['$match', '$out', '$changeStream', '$where'].map(isStage)).toEqual([true, true, true, false]);
  });
});

const value = (row: Parameters<typeof shown>[0]): number => (shown(row) as { n: number }).n;

describe('What a reading takes over of a pipeline', () => {
  const split = (...pipeline: Plain[]) => {
    const { filter, sort, skip, limit, rest } = splitPipeline(pipeline.map(doc));
    return { filter: shown(filter), sort: shown(sort), skip, limit, rest: rest.map(shown) };
  };

  it('is its filter, its order and its part', () => {
    expect(
      split({ $match: { a: 1 } }, { $sort: { b: -1 } }, { $skip: 2 }, { $limit: 3 }, { $project: { a: 1 } }),
    ).toEqual({ filter: { a: 1 }, sort: { b: -1 }, skip: 2, limit: 3, rest: [{ $project: { a: 1 } }] });
  });

  it('is all of its first filters, also of those behind the order', () => {
    expect(
      split({ $match: { a: 1 } }, { $match: { b: 2 } }, { $sort: { c: 1 } }, { $match: { d: 3 } }),
    ).toEqual({
      filter: { $and: [{ a: 1 }, { b: 2 }, { d: 3 }] },
      sort: { c: 1 },
      skip: undefined,
      limit: undefined,
      rest: [],
    });
  });

  it('leaves what comes in another order, and what is wrong', () => {
    expect(split({ $limit: 3 }, { $match: { a: 1 } })).toMatchObject({
      limit: 3,
      rest: [{ $match: { a: 1 } }],
    });
    expect(split({ $skip: 1 }, { $sort: { a: 1 } })).toMatchObject({ skip: 1, rest: [{ $sort: { a: 1 } }] });
    expect(split({ $limit: 0 })).toMatchObject({ limit: undefined, rest: [{ $limit: 0 }] });
    expect(split({ $match: 'x' })).toMatchObject({ filter: undefined, rest: [{ $match: 'x' }] });
    expect(split({ $group: { _id: 1 } })).toMatchObject({ rest: [{ $group: { _id: 1 } }] });
  });

  it('takes no order that is none', () => {
    expect(() => split({ $sort: { $natural: 1 } })).toThrow('FieldPath');
    expect(() => split({ $sort: { a: 2 } })).toThrow('ordering must be 1');
    expect(() => split({ $match: {} }, { $collStats: {} })).toThrow('only valid as the first stage');
  });
});

describe('Rows that come from elsewhere', () => {
  it('are documents that the pipeline brings itself', () => {
    expect(run([{ $documents: [{ a: 1 }, { a: { $add: [1, 1] } }] }])).toEqual([{ a: 1 }, { a: 2 }]);
    expect(refused([{ $documents: { a: 1 } }])).toBe(5858203);
    expect(refused([{ $documents: [1] }])).toBe(40228);
    expect(refused([{ $documents: [] }], [], { context: { collection: 'a' } })).toBe(73);
  });

  it('are sessions, operations and numbers where the engine gives them', () => {
    const context = {
      localSessions: () => [doc({ _id: 1 })],
      operations: () => [doc({ op: 'none' })],
      count: () => 3,
      indexStats: () => [doc({ name: '_id_' })],
      now: new Date(0),
    };
    const stages = [{ $listLocalSessions: {} }, { $limit: 1 }, { $addFields: { dummy: 'x' } }];
    expect(run([...stages, { $project: { _id: 0, dummy: 1 } }], [], { context })).toEqual([{ dummy: 'x' }]);
    expect(run([{ $currentOp: {} }], [], { context })).toEqual([{ op: 'none' }]);
    expect(run([{ $collStats: { count: {} } }], [], { context: { ...context, collection: 'a' } })).toEqual([
      { ns: 'test.a', localTime: new Date(0), count: 3 },
    ]);
    expect(run([{ $indexStats: {} }], [], { context: { ...context, collection: 'a' } })).toEqual([
      { name: '_id_' },
    ]);
  });

  it('are refused where it does not', () => {
    expect(refused([{ $listLocalSessions: {} }])).toBe(115);
    expect(refused([{ $currentOp: {} }])).toBe(115);
    expect(refused([{ $collStats: { storageStats: {} } }])).toBe(115);
    expect(refused([{ $indexStats: {} }])).toBe(115);
    expect(refused([{ $listLocalSessions: 1 }])).toBe(9);
    expect(refused([{ $listLocalSessions: { no: 1 } }])).toBe(40415);
  });
});

describe('Numbers that stages are given', () => {
  it('may be of any type that holds a whole number', () => {
    for (const two of [new Int32(2), 2n, 2])
      expect(run([{ $limit: two }], [{ a: 1 }, { a: 2 }, { a: 3 }])).toHaveLength(2);
  });

  it('are refused otherwise', () => {
    expect(refused([{ $limit: 0 }])).toBe(15958);
    expect(refused([{ $limit: -1 }])).toBe(5107201);
    expect(refused([{ $limit: 1.5 }])).toBe(5107201);
    expect(refused([{ $limit: 'x' }])).toBe(5107201);
    expect(refused([{ $skip: -1 }])).toBe(5107200);
    expect(refused([{ $sample: { size: -1 } }])).toBe(28747);
    expect(refused([{ $sample: {} }])).toBe(28749);
    expect(refused([{ $sample: 1 }])).toBe(28745);
  });
});
