import { Double } from 'bson';
import { describe, expect, it } from 'vitest';
import { type Plain, refused, run, type Written } from './run.js';

describe('$fill', () => {
  const docs = [
    { k: 'a', t: 1, v: 1 },
    { k: 'a', t: 2 },
    { k: 'a', t: 3, v: null },
    { k: 'b', t: 1 },
    { k: 'a', t: 4, v: 4 },
  ];
  const filled = (spec: Plain): unknown[] =>
    run([{ $fill: spec }], docs).map((row) => (row as { v?: unknown }).v ?? null);

  it('puts in a value of its own', () => {
    expect(filled({ output: { v: { value: { $multiply: ['$t', 10] } } } })).toEqual([1, 20, 30, 10, 4]);
  });

  it('puts in what was there before, within a partition', () => {
    const spec = { sortBy: { t: 1 }, output: { v: { method: 'locf' } } };
    expect(filled({ ...spec, partitionBy: '$k' })).toEqual([1, 1, 1, 4, null]);
    expect(filled({ ...spec, partitionByFields: ['k'] })).toEqual([1, 1, 1, 4, null]);
  });

  it('puts in what lies on the line', () => {
    const spec = { partitionBy: { k: '$k' }, sortBy: { t: 1 }, output: { v: { method: 'linear' } } };
    expect(filled(spec)).toEqual([1, new Double(2), new Double(3), 4, null]);
  });

  it('refuses what tells it nothing', () => {
    const code = (spec: Plain) => refused([{ $fill: spec }]);
    expect(code({ output: {} })).toBe(6050203);
    expect(code({ output: { a: 1 } })).toBe(6050200);
    expect(code({ output: { a: { value: 1, method: 'locf' } } })).toBe(6050201);
    expect(code({ output: { a: { method: 'guess' } } })).toBe(6050202);
    expect(code({ output: { a: { value: 1 } }, partitionBy: '$a', partitionByFields: ['a'] })).toBe(6050204);
    expect(code({})).toBe(40414);
    expect(code({ output: { a: { value: 1 } }, more: 1 })).toBe(40415);
    expect(code({ output: { a: { method: 'linear' } } })).toBe(605001);
    expect(refused([{ $fill: 1 }])).toBe(9);
  });
});

describe('$densify', () => {
  const dense = (spec: Plain, docs: Plain[], field = 'n') => run([{ $densify: { field, ...spec } }], docs);
  const numbers = (...list: Written[]) => list.map((n) => ({ n }));

  it('makes the rows that are missing between the first and the last', () => {
    expect(
      dense({ range: { step: 2, bounds: 'full' } }, [{ n: 7, x: 1 }, {}, { n: 1, x: 2 }, { n: 4, x: 3 }]),
    ).toEqual([{}, { n: 1, x: 2 }, { n: 3 }, { n: 4, x: 3 }, { n: 5 }, { n: 7, x: 1 }]);
  });

  it('makes them within bounds, and leaves what lies outside', () => {
    expect(dense({ range: { step: 1, bounds: [2, 5] } }, numbers(0, 3, 9))).toEqual(numbers(0, 2, 3, 4, 9));
    expect(dense({ range: { step: 1, bounds: [0, 3] } }, [])).toEqual(numbers(0, 1, 2));
    expect(dense({ range: { step: 10, bounds: [0, 30] } }, numbers(5))).toEqual(numbers(0, 5, 10, 20));
  });

  it('makes them for each partition, as far as it reaches or as all do', () => {
    const docs = [
      { k: 'a', n: 1 },
      { k: 'a', n: 3 },
      { k: 'b', n: 2 },
      { k: 'b', n: 4 },
    ];
    const by = { partitionByFields: ['k'] };
    expect(dense({ ...by, range: { step: 1, bounds: 'partition' } }, docs)).toEqual([
      { k: 'a', n: 1 },
      { k: 'a', n: 2 },
      { k: 'a', n: 3 },
      { k: 'b', n: 2 },
      { k: 'b', n: 3 },
      { k: 'b', n: 4 },
    ]);
    const full = dense({ ...by, range: { step: 1, bounds: 'full' } }, docs) as { k: string; n: number }[];
    for (const k of ['a', 'b'])
      expect(full.filter((row) => row.k === k).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    const explicit = dense({ ...by, range: { step: 1, bounds: [0, 2] } }, docs) as { k: string; n: number }[];
    expect(explicit.filter((row) => row.k === 'b').map(({ n }) => n)).toEqual([0, 1, 2, 4]);
  });

  it('counts time in units', () => {
    const days = ['2026-01-31', '2026-04-30'].map((day) => ({ at: { day: new Date(day) } }));
    expect(dense({ range: { step: 1, unit: 'month', bounds: 'full' } }, days, 'at.day')).toEqual(
      ['2026-01-31', '2026-02-28', '2026-03-28', '2026-04-28', '2026-04-30'].map((day) => ({
        at: { day: new Date(day) },
      })),
    );
  });

  it('refuses ranges and values that are none', () => {
    const code = (range: Plain, docs: Plain[] = [{ n: 1 }], rest: Plain = {}) =>
      refused([{ $densify: { field: 'n', range, ...rest } }], docs);
    expect(code({ step: 0, bounds: 'full' })).toBe(5733401);
    expect(code({ step: 1, bounds: 'some' })).toBe(5946802);
    expect(code({ step: 1, bounds: 1 })).toBe(5733404);
    expect(code({ step: 1, bounds: [1] })).toBe(5733403);
    expect(code({ step: 1, bounds: [2, 1] })).toBe(5733402);
    expect(code({ step: 1, bounds: [1, 2n] })).toBe(5876900);
    expect(code({ step: 1, bounds: [new Date(0), new Date(1)] })).toBe(5733410);
    expect(code({ step: 1, unit: 'day', bounds: [1, 2] })).toBe(5733409);
    expect(code({ step: 1.5, unit: 'day', bounds: 'full' })).toBe(6586400);
    expect(code({ step: 1, bounds: 'partition' })).toBe(5733408);
    expect(code({ step: 1, bounds: 'full' }, [{ n: 'x' }])).toBe(5733201);
    expect(code({ step: 1, bounds: 'full' }, [{ n: new Date(0) }])).toBe(6053601);
    expect(code({ step: 1, unit: 'day', bounds: 'full' })).toBe(6053600);
    expect(code({ step: 1, bounds: 'full' }, [], { partitionByFields: ['n'] })).toBe(8993000);
    expect(code({ step: 1, bounds: [0, 1_000_000] }, [])).toBe(5897900);
    expect(code({ bounds: 'full' })).toBe(40414);
    expect(refused([{ $densify: { field: 'n' } }])).toBe(40414);
    expect(refused([{ $densify: 1 }])).toBe(9);
  });
});
