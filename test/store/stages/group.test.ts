import { Decimal128, Double, Int32, ObjectId } from 'bson';
import { describe, expect, it } from 'vitest';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { doc, type Plain, refused, run, type Written } from './run.js';

const over = (accumulator: Plain, values: Written[], rest: Plain = {}): unknown =>
  (
    run(
      [{ $group: { _id: null, is: accumulator } }],
      values.map((v) => ({ v, ...rest })),
    ) as { is: unknown }[]
  )[0]?.is;

const dec = (text: string) => Decimal128.fromString(text);
const missing = { not: 'there' };

describe('$group', () => {
  it('makes one row of the documents of one key', () => {
    expect(
      run(
        [{ $group: { _id: '$kind', n: { $sum: 1 }, all: { $push: '$x' } } }],
        [{ kind: 'a', x: 1 }, { kind: 'b', x: 2 }, { kind: 'a', x: 3 }, { x: 4 }, { kind: null, x: 5 }],
      ),
    ).toEqual([
      { _id: 'a', n: 2, all: [1, 3] },
      { _id: 'b', n: 1, all: [2] },
      { _id: null, n: 2, all: [4, 5] },
    ]);
    expect(run([{ $group: { _id: null } }], [])).toEqual([]);
  });

  it('takes equal numbers for one key, whatever their types, and different documents for several', () => {
    const keys: Written[] = [
      3,
      3n,
      new Double(3),
      dec('3.0'),
      { x: 1, y: 2 },
      { y: 2, x: 1 },
      { x: 1n, y: new Double(2) },
      { x: 1 },
      [1],
      [1n],
      [[1]],
      '3',
      new Double(-0),
      0,
      new Double(Number.NaN),
      dec('NaN'),
      9007199254740993n,
      new Double(9007199254740992),
      dec('9007199254740993'),
      true,
      new ObjectId('0123456789abcdef01234567'),
      new ObjectId('0123456789abcdef01234567'),
      new Date(0),
      new Date(0),
    ];
    const rows = run(
      [{ $group: { _id: '$k', n: { $sum: 1 } } }],
      keys.map((k) => ({ k })),
    ) as { n: number }[];
    expect(rows.map(({ n }) => n)).toEqual([4, 2, 1, 1, 2, 1, 1, 2, 2, 2, 1, 1, 2, 2]);
  });

  it('tells a missing part of a key from null', () => {
    expect(run([{ $group: { _id: { a: '$a' }, n: { $sum: 1 } } }], [{ a: null }, {}, {}])).toEqual([
      { _id: { a: null }, n: 1 },
      { _id: {}, n: 2 },
    ]);
  });

  it('takes for equal what the collation does, in documents and arrays too', () => {
    const collate = collationFrom(doc({ locale: 'en', strength: 2 }));
    const stages = [{ $group: { _id: '$k', n: { $sum: 1 }, set: { $addToSet: '$k' } } }];
    const docs: Plain[] = [{ k: 'Ann' }, { k: 'ANN' }, { k: 'Ben' }, { k: ['ann'] }, { k: ['ANN'] }];
    expect(run(stages, docs, { collate })).toEqual([
      { _id: 'Ann', n: 2, set: ['Ann'] },
      { _id: 'Ben', n: 1, set: ['Ben'] },
      { _id: ['ann'], n: 2, set: [['ann']] },
    ]);
  });

  it('keeps many groups apart quickly', () => {
    const docs = Array.from({ length: 60_000 }, (_, n) => ({ k: n % 30_000, s: `key ${n % 30_000}` }));
    expect(run([{ $group: { _id: '$k' } }], docs)).toHaveLength(30_000);
    const collate = collationFrom(doc({ locale: 'en', strength: 1 }));
    expect(run([{ $group: { _id: '$s' } }], docs.slice(0, 12_000), { collate })).toHaveLength(12_000);
  });

  it('refuses what is no group', () => {
    expect(refused([{ $group: 1 }])).toBe(15947);
    expect(refused([{ $group: {} }])).toBe(15955);
    expect(refused([{ $group: { _id: 1, a: 1 } }])).toBe(40234);
    expect(refused([{ $group: { _id: 1, a: { b: 1 } } }])).toBe(40234);
    expect(refused([{ $group: { _id: 1, 'a.b': { $sum: 1 } } }])).toBe(40235);
    expect(refused([{ $group: { _id: 1, $a: { $sum: 1 } } }])).toBe(40236);
    expect(refused([{ $group: { _id: 1, a: { $sum: 1, $avg: 1 } } }])).toBe(40238);
    expect(refused([{ $group: { _id: 1, a: { $sum: ['$a', '$b'] } } }])).toBe(40237);
    expect(refused([{ $group: { _id: 1, a: { $nonsense: 1 } } }])).toBe(15952);
    expect(refused([{ $group: { _id: 1, a: { $accumulator: {} } } }])).toBe(15952);
  });
});

describe('$sum and $avg', () => {
  it('are of the widest type there is', () => {
    expect(over({ $sum: '$v' }, [1, 2, 'text', null])).toBe(3);
    expect(over({ $sum: '$v' }, [1, 2n])).toBe(3n);
    expect(over({ $sum: '$v' }, [1, 2n, new Double(3)])).toEqual(new Double(6));
    expect(over({ $sum: '$v' }, [1, dec('2.50')])).toEqual(dec('3.50'));
    expect(over({ $sum: '$v' }, ['text', missing])).toBe(0);
    expect(over({ $avg: '$v' }, [1, 2])).toBe(1.5);
    expect(over({ $avg: '$v' }, [1, dec('2')])).toEqual(dec('1.5'));
    expect(over({ $avg: '$v' }, ['text'])).toBe(null);
  });

  it('lose nothing on the way', () => {
    const most = 2n ** 63n - 1n;
    expect(over({ $sum: '$v' }, [2_147_483_647, 1])).toBe(2_147_483_648n);
    expect(over({ $sum: '$v' }, [2_147_483_647, 1, -1])).toBe(2_147_483_647);
    expect(over({ $sum: '$v' }, [most, 1, -1])).toBe(most);
    expect(over({ $sum: '$v' }, [most, 1])).toEqual(new Double(2 ** 63));
    expect(over({ $sum: '$v' }, [new Double(1e100), 1, new Double(-1e100)])).toEqual(new Double(1));
    expect(
      over(
        { $sum: '$v' },
        Array.from({ length: 10 }, () => 0.1),
      ),
    ).toEqual(new Double(1));
    expect(over({ $sum: '$v' }, [9007199254740993n, new Double(0), -9007199254740992n])).toEqual(
      new Double(1),
    );
    expect(over({ $sum: '$v' }, [dec('1'), 0.1])).toEqual(dec('1.100000000000000005551115123125783'));
  });

  it('know infinities and what is no number', () => {
    const up = new Double(Number.POSITIVE_INFINITY);
    const down = new Double(Number.NEGATIVE_INFINITY);
    expect(over({ $sum: '$v' }, [up, 1])).toBe(Number.POSITIVE_INFINITY);
    expect(over({ $sum: '$v' }, [up, down])).toBeNaN();
    expect(over({ $avg: '$v' }, [dec('Infinity'), 1])).toEqual(dec('Infinity'));
    expect(over({ $sum: '$v' }, [new Double(1.7e308), new Double(1.7e308)])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('Accumulators of one value', () => {
  it('find the least and the greatest, across types, and pass over null', () => {
    expect(over({ $min: '$v' }, [3, null, 1n, new Double(2)])).toBe(1n);
    expect(over({ $max: '$v' }, [3, 'a', missing, null])).toEqual(missing);
    expect(over({ $max: '$nowhere' }, [1])).toBe(null);
    expect(over({ $max: '$v' }, [2, 2n])).toBe(2);
  });

  it('find the first and the last, also when these are missing', () => {
    expect(over({ $first: '$v' }, [3, 1])).toBe(3);
    expect(over({ $last: '$v' }, [3, 1])).toBe(1);
    expect(run([{ $group: { _id: 1, a: { $first: '$v' }, z: { $last: '$v' } } }], [{}, { v: 1 }])).toEqual([
      { _id: 1, a: null, z: 1 },
    ]);
  });

  it('count', () => {
    expect(over({ $count: {} }, [1, null])).toBe(2);
    expect(refused([{ $group: { _id: 1, n: { $count: 1 } } }])).toBe(9);
  });

  it('tell how far values lie apart', () => {
    expect(over({ $stdDevPop: '$v' }, [2, 4, 4, 4, 5, 5, 7, 9])).toEqual(new Double(2));
    expect(over({ $stdDevSamp: '$v' }, [1, 2])).toBeCloseTo(Math.SQRT1_2, 12);
    expect(over({ $stdDevSamp: '$v' }, [1, 'x'])).toBe(null);
    expect(over({ $stdDevPop: '$v' }, [1e9, 1e9 + 1, 1e9 + 2])).toBeCloseTo(Math.sqrt(2 / 3), 9);
  });

  it('merge documents', () => {
    expect(over({ $mergeObjects: '$v' }, [{ a: 1, b: 1 }, null, { b: 2 }])).toEqual({ a: 1, b: 2 });
    expect(refused([{ $group: { _id: 1, m: { $mergeObjects: '$v' } } }], [{ v: 1 }])).toBe(40400);
  });
});

describe('Accumulators of several values', () => {
  it('gather all, or all different ones', () => {
    expect(
      run([{ $group: { _id: 1, all: { $push: '$v' } } }], [{ v: 1 }, {}, { v: null }, { v: 1 }]),
    ).toEqual([{ _id: 1, all: [1, null, 1] }]);
    expect(over({ $addToSet: '$v' }, [1, 1n, null, { a: 1 }, { a: new Double(1) }])).toEqual([
      1,
      null,
      { a: 1 },
    ]);
  });

  it('keep so many', () => {
    const values = [5, 1, null, 4, 2];
    expect(over({ $firstN: { n: 2, input: '$v' } }, values)).toEqual([5, 1]);
    expect(over({ $lastN: { n: 2, input: '$v' } }, values)).toEqual([4, 2]);
    expect(over({ $lastN: { n: 2, input: '$v' } }, [...Array(500).keys()])).toEqual([498, 499]);
    expect(over({ $minN: { n: 2, input: '$v' } }, values)).toEqual([1, 2]);
    expect(over({ $maxN: { n: 9, input: '$v' } }, values)).toEqual([5, 4, 2, 1]);
    expect(over({ $firstN: { n: 2, input: '$nowhere' } }, [1])).toEqual([null]);
  });

  it('keep as many as the group says', () => {
    const n = { $cond: [{ $eq: ['$k', 'a'] }, 1, 2] };
    const docs = ['a', 'b', 'a', 'b', 'b'].map((k, v) => ({ k, v }));
    expect(run([{ $group: { _id: { k: '$k' }, is: { $firstN: { n, input: '$v' } } } }], docs)).toEqual([
      { _id: { k: 'a' }, is: [0] },
      { _id: { k: 'b' }, is: [1, 3] },
    ]);
  });

  it('keep what stands first or last in an order', () => {
    const docs = [
      { name: 'a', score: 5, at: 1 },
      { name: 'b', score: 9, at: 2 },
      { name: 'c', score: 9, at: 1 },
      { name: 'd' },
    ];
    const sortBy = { score: -1, at: 1 };
    const is = (accumulator: Plain) => run([{ $group: { _id: 1, is: accumulator } }], docs)[0];
    expect(is({ $top: { output: '$name', sortBy } })).toEqual({ _id: 1, is: 'c' });
    expect(is({ $bottom: { output: ['$name', '$score'], sortBy } })).toEqual({ _id: 1, is: ['d', null] });
    expect(is({ $topN: { n: 2, output: '$name', sortBy } })).toEqual({ _id: 1, is: ['c', 'b'] });
    expect(is({ $bottomN: { n: 3, output: '$name', sortBy } })).toEqual({ _id: 1, is: ['b', 'a', 'd'] });
    expect(is({ $bottomN: { n: 1, output: '$name', sortBy: { x: 1 } } })).toEqual({ _id: 1, is: ['a'] });
  });

  it('refuse what is no number of values, and what else is wrong', () => {
    const code = (accumulator: Plain) => refused([{ $group: { _id: 1, is: accumulator } }], [{ v: 1 }]);
    expect(code({ $firstN: { n: 0, input: 1 } })).toBe(5787908);
    expect(code({ $firstN: { n: 1.5, input: 1 } })).toBe(5787903);
    expect(code({ $firstN: { n: 'x', input: 1 } })).toBe(5787902);
    expect(code({ $firstN: { input: 1 } })).toBe(5787906);
    expect(code({ $maxN: { n: 1 } })).toBe(5787907);
    expect(code({ $maxN: { n: 1, input: 1, more: 1 } })).toBe(5787901);
    expect(code({ $maxN: 1 })).toBe(5787900);
    expect(code({ $firstN: 1 })).toBe(5787801);
    expect(code({ $top: { n: 1, output: 1, sortBy: { a: 1 } } })).toBe(5788002);
    expect(code({ $topN: { output: 1, sortBy: { a: 1 } } })).toBe(5788003);
    expect(code({ $top: { sortBy: { a: 1 } } })).toBe(5788004);
    expect(code({ $top: { output: 1 } })).toBe(5788005);
    expect(code({ $top: 1 })).toBe(5788001);
  });
});

describe('$percentile and $median', () => {
  it('are values that so many are not above', () => {
    const values = [9, 1, 5, 'x', 3, 7];
    const method = 'approximate';
    expect(over({ $median: { input: '$v', method } }, values)).toEqual(new Double(5));
    expect(over({ $percentile: { input: '$v', p: [0, 0.5, 0.9, 1], method } }, values)).toEqual(
      [1, 5, 9, 9].map((n) => new Double(n)),
    );
    expect(over({ $median: { input: '$v', method } }, ['x'])).toBe(null);
    expect(over({ $percentile: { input: '$v', p: [0.5], method } }, ['x'])).toEqual([null]);
  });

  it('refuse shares and methods that are none', () => {
    const code = (spec: Plain) => refused([{ $group: { _id: 1, is: { $percentile: spec } } }]);
    expect(code({ input: 1, p: [2], method: 'approximate' })).toBe(7750303);
    expect(code({ input: 1, p: ['x'], method: 'approximate' })).toBe(7750302);
    expect(code({ input: 1, p: [], method: 'approximate' })).toBe(7750301);
    expect(code({ input: 1, p: '$p', method: 'approximate' })).toBe(7750300);
    expect(code({ input: 1, p: [1], method: 'exact' })).toBe(2);
    expect(code({ input: 1, method: 'approximate' })).toBe(40414);
    expect(code({ input: 1, p: [1], method: 'approximate', more: 1 })).toBe(40415);
  });
});

describe('$sortByCount', () => {
  it('puts what comes most often first', () => {
    expect(run([{ $sortByCount: '$a' }], [{ a: 1 }, { a: 2 }, { a: 2 }, {}])).toEqual([
      { _id: 2, count: 2 },
      { _id: 1, count: 1 },
      { _id: null, count: 1 },
    ]);
    expect(run([{ $sortByCount: { $add: ['$a', 1] } }, { $limit: 1 }], [{ a: 1 }])).toEqual([
      { _id: 2, count: 1 },
    ]);
  });

  it('refuses what is no expression', () => {
    expect(['a', { a: 1 }, 1].map((by) => refused([{ $sortByCount: by }]))).toEqual([40148, 40147, 40149]);
  });
});

describe('Numbers of group keys', () => {
  it('keep the type that came first', () => {
    expect(run([{ $group: { _id: '$k' } }], [{ k: 2n }, { k: new Int32(2) }])).toEqual([{ _id: 2n }]);
  });
});
