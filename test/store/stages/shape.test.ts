import { describe, expect, it } from 'vitest';
import { doc, refused, run, runDocs } from './run.js';

describe('$project', () => {
  it('shows fields, leaves some out, and computes', () => {
    const docs = [{ _id: 1, a: 2, b: { c: 3, d: 4 }, list: [{ c: 5, d: 6 }] }];
    expect(run([{ $project: { 'b.c': 1, list: { c: 1 } } }], docs)).toEqual([
      { _id: 1, b: { c: 3 }, list: [{ c: 5 }] },
    ]);
    expect(run([{ $project: { _id: 0, b: 0, 'list.d': 0 } }], docs)).toEqual([{ a: 2, list: [{ c: 5 }] }]);
    expect(run([{ $project: { _id: 0, sum: { $add: ['$a', '$b.c'] }, in: { x: '$a' } } }], docs)).toEqual([
      { sum: 5, in: { x: 2 } },
    ]);
    expect(run([{ $project: { _id: 0, a: '$$REMOVE', b: 1 } }], docs)).toEqual([{ b: { c: 3, d: 4 } }]);
  });

  it('says what is wrong in which stage', () => {
    expect(() => run([{ $project: {} }])).toThrow(
      'Invalid $project :: caused by :: projection specification must have at least one field',
    );
    expect(refused([{ $project: {} }])).toBe(51272);
    expect(refused([{ $project: 1 }])).toBe(15969);
    expect(refused([{ $project: { a: 1, b: 0 } }])).toBe(31254);
    expect(refused([{ $project: { a: { $nonsense: 1 } } }])).toBe(31325);
  });
});

describe('$addFields and $set', () => {
  it('put values at paths, and into each document of an array', () => {
    expect(
      run(
        [{ $addFields: { a: 1, 'b.c': { $add: ['$n', 1] }, list: { x: '$n' }, d: { e: { f: true } } } }],
        [{ n: 1, list: [{ y: 1 }, 5], d: 'text' }],
      ),
    ).toEqual([{ n: 1, list: [{ y: 1, x: 1 }, { x: 1 }], d: { e: { f: true } }, a: 1, b: { c: 2 } }]);
  });

  it('see the document as it came in, and keep its fields where they were', () => {
    const [row] = runDocs([{ $set: { b: '$a', a: '$b', c: '$$ROOT' } }], [doc({ a: 1, b: 2 })]);
    expect([...row!.keys()]).toEqual(['a', 'b', 'c']);
    expect(run([{ $set: { b: '$a', a: '$b' } }], [{ a: 1, b: 2 }])).toEqual([{ a: 2, b: 1 }]);
  });

  it('take a field out where its value is missing', () => {
    expect(run([{ $set: { a: '$$REMOVE', b: '$nowhere' } }], [{ a: 1, b: 2, c: 3 }])).toEqual([{ c: 3 }]);
  });

  it('refuse two values for one path, and what is no value', () => {
    expect(refused([{ $addFields: { a: 1, 'a.b': 2 } }])).toBe(40176);
    expect(refused([{ $addFields: { 'a.b': 1, a: { b: 2 } } }])).toBe(40176);
    expect(refused([{ $addFields: {} }])).toBe(40177);
    expect(refused([{ $addFields: { a: {} } }])).toBe(40180);
    expect(refused([{ $addFields: { a: { $add: [1], b: 1 } } }])).toBe(40182);
    expect(refused([{ $addFields: { a: { 'b.c': 1 } } }])).toBe(40183);
    expect(refused([{ $addFields: { $a: 1 } }])).toBe(16410);
    expect(refused([{ $addFields: 1 }])).toBe(40272);
    expect(() => run([{ $set: {} }])).toThrow('Invalid $set :: caused by ::');
  });
});

describe('$unset', () => {
  it('takes fields out', () => {
    expect(run([{ $unset: ['a', 'b.c'] }], [{ a: 1, b: [{ c: 1, d: 2 }] }])).toEqual([{ b: [{ d: 2 }] }]);
    expect(run([{ $unset: 'a' }], [{ a: 1, b: 2 }])).toEqual([{ b: 2 }]);
  });

  it('refuses what names no field', () => {
    expect(refused([{ $unset: [] }])).toBe(31119);
    expect(refused([{ $unset: [1] }])).toBe(31120);
    expect(refused([{ $unset: 1 }])).toBe(31002);
    expect(refused([{ $unset: ['a', 'a'] }])).toBe(31250);
  });
});

describe('$replaceRoot and $replaceWith', () => {
  it('put another document in its place', () => {
    const docs = [{ a: { b: 1 } }];
    expect(run([{ $replaceRoot: { newRoot: '$a' } }], docs)).toEqual([{ b: 1 }]);
    expect(run([{ $replaceWith: { $mergeObjects: ['$$ROOT', { c: 2 }] } }], docs)).toEqual([
      { a: { b: 1 }, c: 2 },
    ]);
  });

  it('refuse what is no document', () => {
    expect(refused([{ $replaceRoot: { newRoot: '$a' } }], [{ a: 1 }])).toBe(40228);
    expect(() => run([{ $replaceWith: '$a' }], [{ b: 1 }])).toThrow(
      "'replacement document' must evaluate to an object, but resulting value was: MISSING. Type of resulting value: 'missing'. Input document: { b: 1 }",
    );
    expect(refused([{ $replaceRoot: {} }])).toBe(40231);
    expect(refused([{ $replaceRoot: { old: 1 } }])).toBe(40230);
    expect(refused([{ $replaceRoot: 1 }])).toBe(40229);
  });
});

describe('$redact', () => {
  const docs = [
    {
      level: 1,
      secret: { level: 3, a: 1 },
      list: [{ level: 1, b: 2 }, { level: 5, c: 3 }, 7, [{ level: 9 }]],
    },
    { level: 9 },
  ];
  const stage = (then: string, otherwise: string) => ({
    $redact: { $cond: [{ $lte: ['$level', 2] }, then, otherwise] },
  });

  it('looks into documents and leaves out some of them', () => {
    expect(run([stage('$$DESCEND', '$$PRUNE')], docs)).toEqual([
      { level: 1, list: [{ level: 1, b: 2 }, 7, []] },
    ]);
  });

  it('keeps a document as it is', () => {
    expect(run([stage('$$KEEP', '$$PRUNE')], docs)).toEqual([docs[0]]);
  });

  it('tells the document that it looks at from the whole one', () => {
    expect(
      run(
        [{ $redact: { $cond: [{ $eq: ['$level', '$$ROOT.level'] }, '$$DESCEND', '$$PRUNE'] } }],
        [{ level: 2, in: { level: 2, x: 1 }, out: { level: 3 } }],
      ),
    ).toEqual([{ level: 2, in: { level: 2, x: 1 } }]);
  });

  it('refuses any other decision', () => {
    expect(refused([{ $redact: 'maybe' }])).toBe(17053);
    expect(refused([{ $project: { a: '$$KEEP' } }])).toBe(17276);
  });
});

describe('$unwind', () => {
  const docs = [
    { _id: 1, a: [1, 2] },
    { _id: 2, a: [] },
    { _id: 3, a: null },
    { _id: 4 },
    { _id: 5, a: 'one' },
  ];

  it('makes a row of each element', () => {
    expect(run([{ $unwind: '$a' }], docs)).toEqual([
      { _id: 1, a: 1 },
      { _id: 1, a: 2 },
      { _id: 5, a: 'one' },
    ]);
  });

  it('keeps rows without elements when asked to, and tells places', () => {
    expect(
      run([{ $unwind: { path: '$a', preserveNullAndEmptyArrays: true, includeArrayIndex: 'at' } }], docs),
    ).toEqual([
      { _id: 1, a: 1, at: 0n },
      { _id: 1, a: 2, at: 1n },
      { _id: 2, at: null },
      { _id: 3, a: null, at: null },
      { _id: 4, at: null },
      { _id: 5, a: 'one', at: null },
    ]);
  });

  it('goes below a document, and not through an array', () => {
    expect(run([{ $unwind: '$a.b' }], [{ a: { b: [1], c: 2 } }, { a: [{ b: [1] }] }])).toEqual([
      { a: { b: 1, c: 2 } },
    ]);
  });

  it('refuses what is no path', () => {
    expect(refused([{ $unwind: 'a' }])).toBe(28818);
    expect(refused([{ $unwind: 1 }])).toBe(15981);
    expect(refused([{ $unwind: {} }])).toBe(28812);
    expect(refused([{ $unwind: { path: 1 } }])).toBe(28808);
    expect(refused([{ $unwind: { path: '$a', more: 1 } }])).toBe(28811);
    expect(refused([{ $unwind: { path: '$a', includeArrayIndex: '$b' } }])).toBe(28822);
    expect(refused([{ $unwind: { path: '$a', preserveNullAndEmptyArrays: 1 } }])).toBe(28809);
  });
});

describe('$count and $sample', () => {
  it('tell how many rows there were, and nothing of none', () => {
    expect(run([{ $count: 'n' }], [{}, {}])).toEqual([{ n: 2 }]);
    expect(run([{ $count: 'n' }], [])).toEqual([]);
    const codes = ['', '$a', 'a.b', '_id', 5].map((name) => refused([{ $count: name }]));
    expect(codes).toEqual([40157, 40158, 40160, 9039800, 40156]);
  });

  it('draw each row with the same chance, and none twice', () => {
    const docs = Array.from({ length: 10 }, (_, n) => ({ n }));
    const drawn = new Map<number, number>();
    for (let round = 0; round < 2_000; round += 1) {
      const rows = run([{ $sample: { size: 3 } }], docs) as { n: number }[];
      expect(new Set(rows.map(({ n }) => n)).size).toBe(3);
      for (const { n } of rows) drawn.set(n, (drawn.get(n) ?? 0) + 1);
    }
    // Each is expected 600 times, give or take 20.
    for (const times of drawn.values()) expect(Math.abs(times - 600)).toBeLessThan(130);
    expect(run([{ $sample: { size: 99 } }], docs)).toHaveLength(10);
  });
});
