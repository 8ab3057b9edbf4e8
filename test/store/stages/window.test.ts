import { Decimal128, Double } from 'bson';
import { describe, expect, it } from 'vitest';
import { type Plain, refused, run, type Written } from './run.js';

const rows = (...values: Written[]): Plain[] => values.map((v, t) => ({ t, v }));
/** What a window function is for each row. */
const is = (output: Plain, docs: Plain[], rest: Plain = { sortBy: { t: 1 } }): unknown[] =>
  run([{ $setWindowFields: { ...rest, output: { is: output } } }], docs).map(
    (row) => (row as { is: unknown }).is,
  );
const doubles = (...list: number[]) => list.map((n) => (Number.isInteger(n) ? new Double(n) : n));

describe('$setWindowFields', () => {
  it('computes from all rows of a partition when it is told no window', () => {
    const docs = [{ k: 'b', v: 1 }, { k: 'a', v: 2 }, { k: 'b', v: 3 }, { v: 4 }, { k: null, v: 5 }];
    expect(
      run(
        [
          {
            $setWindowFields: { partitionBy: '$k', output: { 'sum.of': { $sum: '$v' }, n: { $count: {} } } },
          },
        ],
        docs,
      ),
    ).toEqual([
      { v: 4, sum: { of: 9 }, n: 2 },
      { k: null, v: 5, sum: { of: 9 }, n: 2 },
      { k: 'a', v: 2, sum: { of: 2 }, n: 1 },
      { k: 'b', v: 1, sum: { of: 4 }, n: 2 },
      { k: 'b', v: 3, sum: { of: 4 }, n: 2 },
    ]);
  });

  it('hands its rows on in their order', () => {
    expect(
      run(
        [{ $setWindowFields: { sortBy: { t: -1 }, output: { n: { $documentNumber: {} } } } }],
        [{ t: 1 }, { t: 2 }],
      ),
    ).toEqual([
      { t: 2, n: 1n },
      { t: 1, n: 2n },
    ]);
  });

  it('refuses what is no window function', () => {
    const code = (output: Plain, rest: Plain = { sortBy: { t: 1 } }) =>
      refused([{ $setWindowFields: { ...rest, output } }], [{ t: 1 }]);
    expect(refused([{ $setWindowFields: 1 }])).toBe(9);
    expect(refused([{ $setWindowFields: {} }])).toBe(40414);
    expect(code({}, { more: 1 })).toBe(40415);
    expect(code({ a: 1 })).toBe(9);
    expect(code({ a: {} })).toBe(9);
    expect(code({ a: { $nonsense: 1 } })).toBe(9);
    expect(code({ a: { $mergeObjects: '$a' } })).toBe(9);
    expect(code({ a: { $sum: 1, $avg: 1 } })).toBe(9);
    expect(code({ a: { $sum: 1, more: 1 } })).toBe(9);
    expect(code({ a: { $sum: 1 }, 'a.b': { $sum: 1 } })).toBe(6307900);
    expect(code({ a: { $sum: 1 } }, { partitionBy: ['a'] })).toBe(14);
    expect(code({ a: { $sum: 1 } }, { partitionBy: ['$t'] })).toBe(14);
    expect(code({ a: { $sum: 1 } }, { sortBy: 1 })).toBe(14);
    expect(code({ a: { $firstN: { n: '$t', input: 1 } } })).toBe(9);
  });
});

describe('A window of documents', () => {
  const near = { window: { documents: [-1, 1] } };
  const past = { window: { documents: ['unbounded', 'current'] } };
  const ahead = { window: { documents: [1, 'unbounded'] } };

  it('moves on with the row', () => {
    expect(is({ $sum: '$v', ...near }, rows(1, 2, 3, 4))).toEqual([3, 6, 9, 7]);
    expect(is({ $avg: '$v', ...near }, rows(1, 'x', 3, null))).toEqual(doubles(1, 2, 3, 3));
    expect(is({ $min: '$v', ...near }, rows(5, 1, 4, 2, null))).toEqual([1, 1, 1, 2, 2]);
    expect(is({ $max: '$v', ...near }, rows(5, 1, 4, 2, null))).toEqual([5, 5, 4, 4, 2]);
    expect(is({ $push: '$v', ...near }, rows(1, 2, 3))).toEqual([
      [1, 2],
      [1, 2, 3],
      [2, 3],
    ]);
    expect(is({ $count: {}, ...near }, rows(1, 2, 3))).toEqual([2, 3, 2]);
    expect(is({ $addToSet: '$v', ...near }, rows(1, 1n, 2))).toEqual([[1], [1, 2], [1n, 2]]);
    expect(is({ $first: '$v', ...near }, rows(1, 2, 3))).toEqual([1, 1, 2]);
    expect(is({ $last: '$v', ...near }, rows(1, 2, 3))).toEqual([2, 3, 3]);
  });

  it('grows from the beginning of the partition, or shrinks to its end', () => {
    expect(is({ $sum: '$v', ...past }, rows(1, 2n, 3))).toEqual([1, 3n, 6n]);
    expect(is({ $max: '$v', ...past }, rows(1, 3, 2))).toEqual([1, 3, 3]);
    expect(is({ $push: '$v', ...past }, rows(1, 2))).toEqual([[1], [1, 2]]);
    expect(is({ $sum: '$v', ...ahead }, rows(1, 2n, 3))).toEqual([5n, 3, 0]);
    expect(is({ $min: '$v', ...ahead }, rows(1, 3, 2))).toEqual([2, 2, null]);
    expect(is({ $first: '$v', ...ahead }, rows(1, 2))).toEqual([2, null]);
  });

  it('gives up exactly what it took', () => {
    const [up, nan] = [new Double(Number.POSITIVE_INFINITY), new Double(Number.NaN)];
    const window = { documents: ['current', 'current'] };
    expect(is({ $sum: '$v', window }, rows(up, 1, nan, 2, new Double(1e300), 0.5))).toEqual([
      Number.POSITIVE_INFINITY,
      1,
      Number.NaN,
      2,
      new Double(1e300),
      0.5,
    ]);
    const dec = Decimal128.fromString('0.10');
    expect(is({ $sum: '$v', window }, rows(dec, 1))).toEqual([dec, 1]);
  });

  it('serves all accumulators', () => {
    const docs = rows(1, 5, 3);
    const output = '$v';
    const sortBy = { v: -1 };
    const method = 'approximate';
    expect(is({ $topN: { n: 2, output, sortBy }, ...past }, docs)).toEqual([[1], [5, 1], [5, 3]]);
    expect(is({ $bottom: { output, sortBy }, ...near }, docs)).toEqual([1, 1, 3]);
    expect(is({ $minN: { n: 1, input: '$v' }, ...near }, docs)).toEqual([[1], [1], [3]]);
    expect(is({ $lastN: { n: 1, input: '$v' }, ...near }, docs)).toEqual([[5], [3], [3]]);
    expect(is({ $median: { input: '$v', method }, ...past }, docs)).toEqual(doubles(1, 1, 3));
    expect(is({ $stdDevPop: '$v', ...past }, rows(1, 3))).toEqual(doubles(0, 1));
    expect(is({ $covariancePop: ['$t', '$v'], ...past }, rows(1, 3, 'x'))).toEqual(doubles(0, 0.5, 0.5));
    expect(is({ $covarianceSamp: ['$t', '$v'], ...past }, rows(1, 3))).toEqual([null, new Double(1)]);
  });

  it('refuses bounds that are none', () => {
    const code = (window: Written, rest: Plain = { sortBy: { t: 1 } }) =>
      refused([{ $setWindowFields: { ...rest, output: { a: { $sum: 1, window } } } }]);
    expect(code({ documents: [1] })).toBe(9);
    expect(code({ documents: ['x', 1] })).toBe(9);
    expect(code({ documents: [0.5, 1] })).toBe(9);
    expect(code({ documents: ['$t', 1] })).toBe(9);
    expect(code({ documents: [1, 0] })).toBe(5339900);
    expect(code({ documents: [-1, 0] }, {})).toBe(5339901);
    expect(code({ documents: [-1, 0], range: [-1, 0] })).toBe(9);
    expect(code({ documents: [-1, 0], unit: 'day' })).toBe(9);
    expect(code(1)).toBe(9);
    expect(code({ range: [-1, 0] }, {})).toBe(5339902);
    expect(code({ range: [-1, 0] }, { sortBy: { t: 1, v: 1 } })).toBe(5339902);
    expect(code({ range: [-1, 0] }, { sortBy: { t: -1 } })).toBe(8947401);
    expect(code({ range: ['x', 0] })).toBe(9);
    expect(code({ range: [0.5, 1], unit: 'day' })).toBe(9);
    expect(code({ range: [0, 1], unit: 'eon' })).toBe(9);
  });
});

describe('A window of a range', () => {
  const spaced = [1, 2, 2, 4, 8].map((t) => ({ t, v: t }));

  it('holds the rows whose value is near enough', () => {
    expect(is({ $push: '$v', window: { range: [-2, 0] } }, spaced)).toEqual([
      [1],
      [1, 2, 2],
      [1, 2, 2],
      [2, 2, 4],
      [8],
    ]);
    expect(is({ $sum: '$v', window: { range: [1, 4] } }, spaced)).toEqual([8, 4, 4, 8, 0]);
    expect(is({ $count: {}, window: { range: ['unbounded', 'current'] } }, spaced)).toEqual([1, 2, 3, 4, 5]);
    expect(is({ $count: {}, window: { range: [0, 0] } }, spaced)).toEqual([1, 2, 2, 1, 1]);
    expect(is({ $count: {}, window: { range: [-0.5, 'unbounded'] } }, spaced)).toEqual([5, 4, 4, 2, 1]);
  });

  it('counts time in units', () => {
    const days = ['2026-01-30', '2026-02-27', '2026-02-28', '2026-03-31'].map((day) => ({
      t: new Date(day),
    }));
    expect(is({ $count: {}, window: { range: [-1, 0], unit: 'month' } }, days)).toEqual([1, 2, 3, 2]);
    expect(is({ $count: {}, window: { range: [-1, 1], unit: 'day' } }, days)).toEqual([1, 2, 2, 1]);
  });

  it('refuses values that cannot be counted from', () => {
    const code = (window: Plain, t: Written) =>
      refused([{ $setWindowFields: { sortBy: { t: 1 }, output: { a: { $sum: 1, window } } } }], [{ t }]);
    expect(code({ range: [-1, 0] }, 'x')).toBe(5429414);
    expect(code({ range: [-1, 0] }, new Date(0))).toBe(5429413);
    expect(code({ range: [-1, 0], unit: 'day' }, 1)).toBe(5429513);
  });
});

describe('Places', () => {
  const docs = [{ v: 10 }, { v: 20 }, { v: 20n }, { v: 30 }, {}, { v: null }];
  const sortBy = { sortBy: { v: 1 } };

  it('are shared, with and without gaps, or not at all', () => {
    expect(is({ $rank: {} }, docs, sortBy)).toEqual([1n, 1n, 3n, 4n, 4n, 6n]);
    expect(is({ $denseRank: {} }, docs, sortBy)).toEqual([1n, 1n, 2n, 3n, 3n, 4n]);
    expect(is({ $documentNumber: {} }, docs, sortBy)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
    expect(is({ $rank: {} }, [{ v: [1, 9] }, { v: 9 }, { v: 1 }], { sortBy: { v: -1 } })).toEqual([
      1n,
      1n,
      3n,
    ]);
  });

  it('begin anew in each partition', () => {
    const partitioned = { ...sortBy, partitionBy: '$k' };
    expect(
      is(
        { $rank: {} },
        [
          { k: 1, v: 1 },
          { k: 1, v: 2 },
          { k: 2, v: 1 },
        ],
        partitioned,
      ),
    ).toEqual([1n, 2n, 1n]);
  });

  it('need an order by one field, and nothing else', () => {
    const code = (output: Plain, rest: Plain) =>
      refused([{ $setWindowFields: { ...rest, output: { a: output } } }]);
    expect(code({ $rank: {} }, {})).toBe(5371602);
    expect(code({ $rank: {} }, { sortBy: { a: 1, b: 1 } })).toBe(5371602);
    expect(code({ $rank: 1 }, sortBy)).toBe(5371603);
    expect(code({ $rank: {}, window: {} }, sortBy)).toBe(5371601);
  });
});

describe('Functions of a row’s neighbours', () => {
  const sortBy = { sortBy: { t: 1 } };
  const code = (output: Plain, docs: Plain[] = rows(1), rest: Plain = sortBy) =>
    refused([{ $setWindowFields: { ...rest, output: { a: output } } }], docs);

  it('look some rows back or ahead', () => {
    expect(is({ $shift: { output: '$v', by: -1 } }, rows(1, 2, 3))).toEqual([null, 1, 2]);
    expect(is({ $shift: { output: '$v', by: 1, default: 'end' } }, rows(1, 2))).toEqual([2, 'end']);
    expect(code({ $shift: { output: '$v' } })).toBe(9);
    expect(code({ $shift: { output: '$v', by: 1.5 } })).toBe(9);
    expect(code({ $shift: { output: '$v', by: 1, default: '$v' } })).toBe(9);
    expect(code({ $shift: { output: '$v', by: 1 } }, [], {})).toBe(9);
    expect(code({ $shift: { output: '$v', by: 1 }, window: {} })).toBe(9);
  });

  it('carry the last value on', () => {
    expect(is({ $locf: '$v' }, rows(null, 1, null, 2))).toEqual([null, 1, 1, 2]);
    expect(code({ $locf: '$v', window: {} })).toBe(9);
  });

  it('draw a line between the values there are', () => {
    expect(is({ $linearFill: '$v' }, rows(null, 1, null, null, 4, null))).toEqual([
      null,
      1,
      new Double(2),
      new Double(3),
      4,
      null,
    ]);
    const days = [0, 1, 4].map((day, n) => ({ t: new Date(day * 86_400_000), v: n === 1 ? null : n * 4 }));
    expect(is({ $linearFill: '$v' }, days)).toEqual([0, new Double(2), 8]);
    expect(code({ $linearFill: '$v' }, [{ t: 1 }, { t: 1 }])).toBe(6050106);
    expect(code({ $linearFill: '$v' }, [{ t: 1, v: 'x' }])).toBe(14);
    expect(code({ $linearFill: '$v' }, [{ t: 'x' }])).toBe(14);
    expect(code({ $linearFill: '$v' }, [{ t: 1 }, { t: new Date(0) }])).toBe(14);
    expect(code({ $linearFill: '$v' }, [], {})).toBe(605001);
  });

  it('let values fade', () => {
    expect(is({ $expMovingAvg: { input: '$v', N: 3 } }, rows(1, 2, 'x', 4))).toEqual(
      doubles(1, 1.5, 1.5, 2.75),
    );
    expect(
      is({ $expMovingAvg: { input: '$v', alpha: 0.25 } }, rows('x', 4, Decimal128.fromString('8'))),
    ).toEqual([null, new Double(4), expect.objectContaining({ bytes: expect.anything() })]);
    expect(code({ $expMovingAvg: { input: '$v', N: 0 } })).toBe(9);
    expect(code({ $expMovingAvg: { input: '$v', N: 1.5 } })).toBe(9);
    expect(code({ $expMovingAvg: { input: '$v', alpha: 1 } })).toBe(9);
    expect(code({ $expMovingAvg: { input: '$v' } })).toBe(9);
    expect(code({ $expMovingAvg: { input: '$v', N: 1 } }, [], {})).toBe(9);
  });

  it('tell how fast values change', () => {
    const window = { documents: [-1, 0] };
    expect(is({ $derivative: { input: '$v' }, window }, rows(0, 2, 8))).toEqual([
      null,
      new Double(2),
      new Double(6),
    ]);
    const hours = [0, 2].map((hour) => ({ t: new Date(hour * 3_600_000), v: hour * 30 }));
    expect(is({ $derivative: { input: '$v', unit: 'hour' }, window }, hours)).toEqual([null, new Double(30)]);
    expect(code({ $derivative: { input: '$v' } })).toBe(9);
    expect(code({ $derivative: { input: '$v', unit: 'month' }, window })).toBe(5490710);
    expect(code({ $derivative: { input: '$v', unit: 'day' }, window })).toBe(5624900);
    expect(code({ $derivative: { input: '$v' }, window }, hours)).toBe(5624901);
    expect(code({ $derivative: { input: '$v' }, window }, [{ t: 'x' }])).toBe(5624902);
    expect(code({ $derivative: { input: '$x' }, window })).toBe(5624903);
    expect(code({ $derivative: { input: '$v' }, window }, [], {})).toBe(9);
  });

  it('add up what lies under values', () => {
    expect(is({ $integral: { input: '$v' } }, rows(0, 2, 4))).toEqual(doubles(4, 4, 4));
    expect(
      is({ $integral: { input: '$v' }, window: { documents: ['unbounded', 'current'] } }, rows(0, 2, 4)),
    ).toEqual([0, new Double(1), new Double(4)]);
    expect(is({ $integral: { input: '$v' }, window: { documents: [-1, 0] } }, rows(0, 2, 4, 0))).toEqual([
      0,
      new Double(1),
      new Double(3),
      new Double(2),
    ]);
    const hours = [0, 2].map((hour) => ({ t: new Date(hour * 3_600_000), v: 3 }));
    expect(is({ $integral: { input: '$v', unit: 'hour' } }, hours)).toEqual(doubles(6, 6));
    expect(code({ $integral: { input: '$v' } }, hours)).toBe(5423902);
    expect(code({ $integral: { input: '$v', unit: 'hour' } })).toBe(5423901);
    expect(code({ $integral: { input: '$x' } })).toBe(5423900);
  });
});
