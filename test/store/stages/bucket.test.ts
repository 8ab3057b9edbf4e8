import { Decimal128, Double } from 'bson';
import { describe, expect, it } from 'vitest';
import { type Plain, refused, run, type Written } from './run.js';

const at = (...values: Written[]): Plain[] => values.map((v) => ({ v }));

describe('$bucket', () => {
  it('groups by stretches, each from its lower boundary to below the next', () => {
    expect(run([{ $bucket: { groupBy: '$v', boundaries: [0, 10, 20] } }], at(10, 0, 9.5, 19, 5n))).toEqual([
      { _id: 0, count: 3 },
      { _id: 10, count: 2 },
    ]);
  });

  it('puts what lies outside under a default, in its place by the order', () => {
    const stage = {
      $bucket: {
        groupBy: '$v',
        boundaries: [0, 10],
        default: 'other',
        output: { all: { $push: '$v' }, most: { $max: '$v' } },
      },
    };
    expect(run([stage], at(5, 10, 'x', -1, null))).toEqual([
      { _id: 0, all: [5], most: 5 },
      { _id: 'other', all: [10, 'x', -1, null], most: 'x' },
    ]);
  });

  it('refuses what lies outside when there is no default, and boundaries that are none', () => {
    const code = (spec: Plain, docs = at(1)) =>
      refused([{ $bucket: { groupBy: '$v', boundaries: [0, 10], ...spec } }], docs);
    expect(code({}, at(10))).toBe(40066);
    expect(code({ groupBy: 'v' })).toBe(40202);
    expect(code({ boundaries: 1 })).toBe(40200);
    expect(code({ boundaries: [1] })).toBe(40192);
    expect(code({ boundaries: ['$v', 2] })).toBe(40191);
    expect(code({ boundaries: [1, 'x'] })).toBe(40193);
    expect(code({ boundaries: [2, 1] })).toBe(40194);
    expect(code({ default: '$v' })).toBe(40195);
    expect(code({ default: 5 })).toBe(40199);
    expect(code({ output: 1 })).toBe(40196);
    expect(code({ more: 1 })).toBe(40197);
    expect(refused([{ $bucket: { groupBy: '$v' } }])).toBe(40198);
    expect(refused([{ $bucket: 1 }])).toBe(40201);
  });
});

describe('$bucketAuto', () => {
  const auto = (spec: Plain, docs: Plain[]) =>
    run([{ $bucketAuto: { groupBy: '$v', buckets: 2, ...spec } }], docs);

  it('cuts rows into about equally many, by their order', () => {
    expect(auto({ buckets: 2 }, at(4, 1, 3, 2))).toEqual([
      { _id: { min: 1, max: 3 }, count: 2 },
      { _id: { min: 3, max: 4 }, count: 2 },
    ]);
    expect(auto({ buckets: 3, output: { all: { $push: '$v' } } }, at(5, 4, 3, 2, 1))).toEqual([
      { _id: { min: 1, max: 3 }, all: [1, 2] },
      { _id: { min: 3, max: 5 }, all: [3, 4] },
      { _id: { min: 5, max: 5 }, all: [5] },
    ]);
  });

  it('never divides what is equal', () => {
    expect(auto({}, at(1, 1, 1, 1n, 2))).toEqual([
      { _id: { min: 1, max: 2 }, count: 4 },
      { _id: { min: 2, max: 2 }, count: 1 },
    ]);
    expect(auto({ buckets: 9 }, at(1, null))).toEqual([
      { _id: { min: null, max: 1 }, count: 1 },
      { _id: { min: 1, max: 1 }, count: 1 },
    ]);
    expect(auto({}, [])).toEqual([]);
  });

  it('rounds boundaries to preferred numbers', () => {
    const bounds = (granularity: string, buckets: number, ...values: Written[]) =>
      (
        auto({ granularity, buckets }, at(...values)) as {
          _id: { min: unknown; max: unknown };
          count: number;
        }[]
      ).map(({ _id, count }) => [_id.min, _id.max, count]);
    expect(bounds('R5', 2, 12, 14, 30, 60)).toEqual([
      [new Double(10), new Double(16), 2],
      [new Double(16), new Double(63), 2],
    ]);
    expect(bounds('1-2-5', 1, 0.3, 7)).toEqual([[0.2, new Double(10), 2]]);
    expect(bounds('POWERSOF2', 2, 1, 3, 4, 100)).toEqual([
      [0.5, 4, 2],
      [4, 128, 2],
    ]);
    expect(bounds('E6', 2, 0, 0, 5, 8)).toEqual([
      [0, 4.7, 2],
      [4.7, new Double(10), 2],
    ]);
    const decimals = bounds('R5', 1, Decimal128.fromString('12'));
    expect(decimals.map(([min, max]) => [Number(String(min)), Number(String(max))])).toEqual([[10, 16]]);
  });

  it('refuses what it cannot cut or round', () => {
    const code = (spec: Plain, docs = at(1)) =>
      refused([{ $bucketAuto: { groupBy: '$v', buckets: 1, ...spec } }], docs);
    expect(code({ groupBy: 'v' })).toBe(40239);
    expect(code({ buckets: 'x' })).toBe(40241);
    expect(code({ buckets: 1.5 })).toBe(40242);
    expect(code({ buckets: 0 })).toBe(40243);
    expect(code({ output: 1 })).toBe(40244);
    expect(code({ more: 1 })).toBe(40245);
    expect(code({ granularity: 1 })).toBe(40261);
    expect(code({ granularity: 'R6' })).toBe(2);
    expect(code({ granularity: 'R5' }, at('x'))).toBe(40258);
    expect(code({ granularity: 'R5' }, at(new Double(Number.NaN)))).toBe(40259);
    expect(code({ granularity: 'R5' }, at(-1))).toBe(40260);
    expect(code({ output: { a: { $firstN: { n: '$v', input: 1 } } } })).toBe(4544714);
    expect(refused([{ $bucketAuto: { groupBy: '$v' } }])).toBe(40246);
    expect(refused([{ $bucketAuto: 1 }])).toBe(40240);
  });
});
