import { Binary, BSONRegExp, Decimal128, Int32, MaxKey, MinKey, ObjectId } from 'bson';
import { describe, expect, it } from 'vitest';
import { Opaque, type Value } from '../../../server/store/embedded/bson/types.js';
import { compileFilter, type FilterOptions } from '../../../server/store/embedded/query/match.js';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { getPath } from '../../../server/store/embedded/values/path.js';
import { doc } from '../documents.js';

const matches = (filter: object, document: object, options?: FilterOptions): boolean =>
  compileFilter(doc(filter), options)(doc(document));
const d = (text: string) => Decimal128.fromString(text);
const re = (pattern: string, options = '') => new BSONRegExp(pattern, options);
const old = new Opaque(6, Buffer.alloc(0));

/** The documents among these that a filter matches, by what `a` holds. */
function found(filter: object, ...values: unknown[]): unknown[] {
  const test = compileFilter(doc(filter));
  return values.filter((a) => test(a === undefined ? doc({}) : doc({ a })));
}

describe('Equality', () => {
  it('knows numbers by what they are, whatever their type', () => {
    const threes = [3, new Int32(3), 3n, d('3'), d('3.0')];
    for (const operand of threes) expect(found({ a: operand }, ...threes, 4n, '3')).toEqual(threes);
    expect(matches({ a: 2 ** 53 }, { a: 2n ** 53n + 1n })).toBe(false);
    expect(matches({ a: d('0.1') }, { a: 0.1 })).toBe(false);
    expect(matches({ a: 0 }, { a: -0 })).toBe(true);
    expect(matches({ a: Number.NaN }, { a: d('NaN') })).toBe(true);
  });

  it('tells documents apart whose fields stand in another order', () => {
    expect(matches({ a: { x: 1, y: 2 } }, { a: { x: 1, y: 2 } })).toBe(true);
    expect(matches({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } })).toBe(false);
    expect(matches({ a: { x: 1 } }, { a: { x: 1, y: 2 } })).toBe(false);
    expect(matches({ a: {} }, { a: {} })).toBe(true);
  });

  it('takes an array for itself and for its elements', () => {
    expect(found({ a: 1 }, [1, 2], [[1]], 1, [])).toEqual([[1, 2], 1]);
    expect(found({ a: [1, 2] }, [1, 2], [[1, 2]], [1, 2, 3], [2, 1])).toEqual([[1, 2], [[1, 2]]]);
    expect(found({ a: [] }, [], [[]], [1])).toEqual([[], [[]]]);
  });

  it('finds what is missing by null, but not what is `undefined`', () => {
    expect(found({ a: null }, undefined, null, old, [null], [], 0)).toEqual([undefined, null, [null]]);
    expect(found({ 'a.b': null }, undefined, null, 1, {}, { b: null }, [], [1], [{}], [{ b: 1 }])).toEqual([
      undefined,
      null,
      1,
      {},
      { b: null },
      [{}],
    ]);
    expect(() => compileFilter(doc({ a: old }))).toThrow('cannot compare to undefined');
  });

  it('matches a regular expression and takes it as a value', () => {
    expect(found({ a: re('^x') }, 'xy', 'y', ['xy'], re('^x'), re('^x', 'i'))).toEqual([
      'xy',
      ['xy'],
      re('^x'),
    ]);
    expect(found({ a: { $eq: re('^x') } }, 'xy', re('^x'))).toEqual([re('^x')]);
  });

  it('takes a document that begins with no operator for a value', () => {
    const ref = { $ref: 'c', $id: 1 };
    expect(matches({ a: ref }, { a: ref })).toBe(true);
    expect(
      matches(
        { a: { b: 1, $gt: 2 } },
        {
          a: new Map<string, Value>([
            ['b', new Int32(1)],
            ['$gt', new Int32(2)],
          ]),
        },
      ),
    ).toBe(true);
  });

  it('knows identifiers and bytes', () => {
    const id = new ObjectId();
    expect(matches({ a: new ObjectId(id.toHexString()) }, { a: id })).toBe(true);
    expect(matches({ a: new Binary(Buffer.from('x'), 0) }, { a: new Binary(Buffer.from('x'), 5) })).toBe(
      false,
    );
  });
});

describe('Order', () => {
  it('compares numbers of all types', () => {
    expect(found({ a: { $gt: 4 } }, 30n, new Int32(5), d('4.1'), 4, 3n)).toEqual([
      30n,
      new Int32(5),
      d('4.1'),
    ]);
    expect(found({ a: { $lte: 4n } }, 4, new Int32(4), d('4.00'), 4.5)).toEqual([4, new Int32(4), d('4.00')]);
  });

  it('compares arrays with arrays, and their elements', () => {
    expect(found({ a: { $gt: [1, 2] } }, [1, 2, 3], [1, 3], [1, 2], [1], [[2]])).toEqual([
      [1, 2, 3],
      [1, 3],
      [[2]],
    ]);
    expect(found({ a: { $gt: 5 } }, [1, 9], [1], 9)).toEqual([[1, 9], 9]);
  });

  it('stays within the kind of what it compares with', () => {
    expect(found({ a: { $gt: 5 } }, '9', true, null, new Date(9), { x: 9 })).toEqual([]);
    expect(found({ a: { $lt: 'b' } }, 'a', 1, null)).toEqual(['a']);
    expect(found({ a: { $gte: null } }, undefined, null, 0, old)).toEqual([undefined, null]);
    expect(found({ a: { $gt: null } }, undefined, null, 0)).toEqual([]);
    expect(found({ a: { $gt: { x: 1 } } }, { x: 2 }, { x: 1, y: 0 }, { x: 1 }, {})).toEqual([
      { x: 2 },
      { x: 1, y: 0 },
    ]);
    expect(found({ a: { $lt: true } }, false, 0)).toEqual([false]);
  });

  it('takes NaN for equal to itself only', () => {
    expect(found({ a: { $gte: Number.NaN } }, Number.NaN, 1)).toEqual([Number.NaN]);
    expect(found({ a: { $lt: 5 } }, Number.NaN, 1)).toEqual([1]);
    expect(found({ a: { $gt: Number.NaN } }, Number.NaN, 1)).toEqual([]);
  });

  it('lets the least and the greatest key compare with everything', () => {
    const all = [undefined, null, 1, 'x', [1], new MinKey(), new MaxKey()];
    expect(found({ a: { $gt: new MinKey() } }, ...all)).toEqual([undefined, null, 1, 'x', [1], new MaxKey()]);
    expect(found({ a: { $lte: new MaxKey() } }, ...all)).toEqual(all);
    expect(found({ a: { $lt: new MinKey() } }, ...all)).toEqual([]);
    expect(found({ a: { $gte: new MaxKey() } }, ...all)).toEqual([new MaxKey()]);
  });

  it('refuses regular expressions', () => {
    expect(() => compileFilter(doc({ a: { $gt: re('x') } }))).toThrow(
      "Can't have RegEx as arg to predicate over field 'a'.",
    );
    expect(() => compileFilter(doc({ a: { $ne: re('x') } }))).toThrow("Can't have regex as arg to $ne.");
  });
});

describe('Negation', () => {
  it('holds where nothing fits', () => {
    expect(found({ a: { $ne: 1 } }, 1, [1, 2], 2, undefined)).toEqual([2, undefined]);
    expect(found({ a: { $nin: [1, null] } }, 1, undefined, null, 2)).toEqual([2]);
    expect(found({ a: { $not: { $gt: 5 } } }, 9, 1, 'x', undefined)).toEqual([1, 'x', undefined]);
    expect(found({ a: { $not: re('^x') } }, 'xy', 'y')).toEqual(['y']);
    expect(found({ a: { $not: { $gt: 1, $lt: 9 } } }, 5, 10)).toEqual([10]);
    expect(matches({ $nor: [{ a: 1 }, { b: 2 }] }, { a: 2, b: 1 })).toBe(true);
  });
});

describe('Among several', () => {
  it('finds values of every kind, expressions and null', () => {
    const id = new ObjectId();
    const filter = { a: { $in: [1, 'x', re('^y'), null, [7], id, { p: 1 }] } };
    const wanted = [
      1n,
      'x',
      'yes',
      undefined,
      null,
      [7],
      [[7]],
      new ObjectId(id.toHexString()),
      { p: 1 },
      [3, 'x'],
    ];
    expect(found(filter, ...wanted, 2, 'z', [8], { p: 2 })).toEqual(wanted);
    expect(found({ a: { $in: [] } }, undefined, 1)).toEqual([]);
  });

  it('refuses operators in it', () => {
    expect(() => compileFilter(doc({ a: { $in: [{ $gt: 1 }] } }))).toThrow('cannot nest $ under $in');
    expect(() => compileFilter(doc({ a: { $in: 1 } }))).toThrow('$in needs an array');
  });
});

describe('Arrays', () => {
  it('asks one element for everything', () => {
    expect(found({ a: { $elemMatch: { $gt: 1, $lt: 3 } } }, [0, 4], [2], 2)).toEqual([[2]]);
    expect(found({ a: { $gt: 1, $lt: 3 } }, [0, 4], [2], 2)).toEqual([[0, 4], [2], 2]);
    expect(found({ a: { $elemMatch: { x: 1, y: 2 } } }, [{ x: 1 }, { y: 2 }], [{ x: 1, y: 2 }])).toEqual([
      [{ x: 1, y: 2 }],
    ]);
    expect(found({ a: { $elemMatch: {} } }, [{}], [1], [[]])).toEqual([[{}], [[]]]);
  });

  it('does not look into the arrays of an array', () => {
    expect(found({ a: { $elemMatch: { $gt: 5 } } }, [[6]], [6])).toEqual([[6]]);
    expect(found({ a: { $elemMatch: { $elemMatch: { $gt: 5 } } } }, [[6]], [6])).toEqual([[[6]]]);
    expect(found({ a: { $elemMatch: { $not: { $gt: 5 } } } }, [6], [6, 1])).toEqual([[6, 1]]);
    expect(found({ a: { $elemMatch: { 0: 6 } } }, [[6]], [[5, 6]])).toEqual([[[6]]]);
    expect(found({ 'a.0': 1 }, [[1]], [1])).toEqual([[1]]);
  });

  it('wants all of several', () => {
    expect(found({ a: { $all: [1, 2] } }, [2, 1], [1], 1)).toEqual([[2, 1]]);
    expect(found({ a: { $all: [1] } }, [1], 1)).toEqual([[1], 1]);
    expect(found({ a: { $all: [] } }, [], 1)).toEqual([]);
    expect(found({ a: { $all: [re('^x')] } }, ['xy'], ['y'])).toEqual([['xy']]);
    expect(
      found(
        { a: { $all: [{ $elemMatch: { x: 1 } }, { $elemMatch: { x: 2 } }] } },
        [{ x: 1 }, { x: 2 }],
        [{ x: 1 }],
      ),
    ).toEqual([[{ x: 1 }, { x: 2 }]]);
    expect(() => compileFilter(doc({ a: { $all: [{ $elemMatch: {} }, 1] } }))).toThrow(
      'has to be consistent',
    );
    expect(() => compileFilter(doc({ a: { $all: [{ $gt: 1 }] } }))).toThrow('no $ expressions in $all');
  });

  it('counts them', () => {
    expect(found({ a: { $size: 2 } }, [1, 2], [1], [[1, 2]], 'xx')).toEqual([[1, 2]]);
    expect(() => compileFilter(doc({ a: { $size: 1.5 } }))).toThrow(
      'Failed to parse $size. Expected an integer: $size: 1.5',
    );
    expect(() => compileFilter(doc({ a: { $size: -1 } }))).toThrow(
      'Expected a non-negative number in: $size: -1',
    );
    expect(() => compileFilter(doc({ a: { $size: 'x' } }))).toThrow('Expected a number in: $size: "x"');
  });

  it('goes through arrays of documents', () => {
    expect(matches({ 'a.b': 2 }, { a: [{ b: 1 }, { b: 2 }] })).toBe(true);
    expect(matches({ 'a.b.c': 2 }, { a: [{ b: [{ c: 2 }] }] })).toBe(true);
    expect(matches({ 'a.1.b': 1 }, { a: [{ b: 1 }, { b: 2 }] })).toBe(false);
  });
});

describe('Types', () => {
  it('are told apart', () => {
    expect(found({ a: { $type: 'int' } }, new Int32(3), 3n, 3.5, d('3'))).toEqual([new Int32(3)]);
    expect(found({ a: { $type: 'double' } }, new Int32(3), 3n, 3.5)).toEqual([3.5]);
    expect(found({ a: { $type: 'number' } }, new Int32(3), 3n, 3.5, d('3'), '3')).toHaveLength(4);
    expect(found({ a: { $type: ['string', 8] } }, 'x', true, 1)).toEqual(['x', true]);
    expect(found({ a: { $type: 'array' } }, [1], [[1]], 1)).toEqual([[1], [[1]]]);
    expect(found({ a: { $type: 'string' } }, ['x'], [['x']])).toEqual([['x']]);
    expect(found({ a: { $type: -1 } }, new MinKey(), 1)).toEqual([new MinKey()]);
    expect(found({ a: { $type: 'null' } }, undefined, null)).toEqual([null]);
  });

  it('are refused when there are none such', () => {
    expect(() => compileFilter(doc({ a: { $type: 'text' } }))).toThrow('Unknown type name alias: text');
    expect(() => compileFilter(doc({ a: { $type: 0 } }))).toThrow('Instead use {$exists:false}.');
    expect(() => compileFilter(doc({ a: { $type: 255 } }))).toThrow('Invalid numerical type code: 255');
    expect(() => compileFilter(doc({ a: { $type: [] } }))).toThrow('must match at least one type');
    expect(() => compileFilter(doc({ a: { $type: true } }))).toThrow(
      'type must be represented as a number or a string',
    );
  });

  it('exist or do not', () => {
    expect(found({ a: { $exists: true } }, undefined, null, [])).toEqual([null, []]);
    expect(found({ a: { $exists: 0 } }, undefined, null)).toEqual([undefined]);
    expect(found({ 'a.b': { $exists: true } }, [1], [{ b: 1 }, {}], [])).toEqual([[{ b: 1 }, {}]]);
  });
});

describe('Rests and bits', () => {
  it('cut fractions off', () => {
    expect(found({ a: { $mod: [4, 1] } }, 5, 5.9, 5n, d('5.9'), -5, 2n ** 62n + 1n, Number.NaN, '5')).toEqual(
      [5, 5.9, 5n, d('5.9'), 2n ** 62n + 1n],
    );
    expect(found({ a: { $mod: [4, -1] } }, -5)).toEqual([-5]);
    expect(found({ a: { $mod: [2.9, 0] } }, 4, 5, 1e300, d('1E+6000'))).toEqual([4]);
  });

  it.each([
    [{ $mod: 1 }, 'malformed mod, needs to be an array'],
    [{ $mod: [] }, 'malformed mod, not enough elements'],
    [{ $mod: [1] }, 'malformed mod, not enough elements'],
    [{ $mod: [1, 2, 3] }, 'malformed mod, too many elements'],
    [{ $mod: ['x', 1] }, 'malformed mod, divisor not a number'],
    [{ $mod: [1, 'x'] }, 'malformed mod, remainder not a number'],
    [
      { $mod: [Number.NaN, 1] },
      'malformed mod, divisor value is invalid :: caused by :: Unable to coerce NaN/Inf to integral type',
    ],
    [{ $mod: [0.5, 1] }, 'divisor cannot be 0'],
    [
      { $bitsAllSet: 'x' },
      '$bitsAllSet takes an Array, a number, or a BinData but received: $bitsAllSet: "x"',
    ],
    [{ $bitsAllSet: -1 }, 'Expected a non-negative number in: $bitsAllSet: -1'],
    [{ $bitsAnySet: [-1] }, 'bit positions must be >= 0 but got: 0: -1'],
  ])('refuse %j', (operand, message) => {
    expect(() => compileFilter(doc({ a: operand }))).toThrow(message);
  });

  it('are looked at one by one', () => {
    expect(found({ a: { $bitsAllSet: 6 } }, 6, 7n, 4, 6.5, -2, d('14'))).toEqual([6, 7n, -2, d('14')]);
    expect(found({ a: { $bitsAnySet: [1, 5] } }, 2, 32, 8)).toEqual([2, 32]);
    expect(found({ a: { $bitsAllClear: [0, 200] } }, 2, -2, 1)).toEqual([2]);
    expect(found({ a: { $bitsAnyClear: new Binary(Buffer.from([3])) } }, 3, 1)).toEqual([1]);
    const bytes = new Binary(Buffer.from([0, 1]));
    expect(found({ a: { $bitsAllSet: [8] } }, bytes)).toEqual([bytes]);
  });
});

describe('A filter', () => {
  const expression = (expr: Value) => (document: ReadonlyMap<string, Value>) =>
    getPath(new Map(document), [String(expr).slice(1)]);

  it('puts conditions together', () => {
    expect(matches({ $and: [{ a: 1 }, { b: 2 }] }, { a: 1, b: 2 })).toBe(true);
    expect(matches({ $or: [{ a: 2 }, { b: 2 }] }, { a: 1, b: 2 })).toBe(true);
    expect(matches({}, {})).toBe(true);
    expect(matches({ a: 1, $comment: 'why' }, { a: 1 })).toBe(true);
  });

  it('asks an expression', () => {
    for (const [value, holds] of [
      [1, true],
      [0, false],
      [d('1E-6000'), true],
      ['', true],
      [null, false],
      [false, false],
      [Number.NaN, true],
    ] as const)
      expect(matches({ $expr: '$a' }, { a: value }, { expression })).toBe(holds);
    expect(() =>
      compileFilter(doc({ a: { $elemMatch: { $and: [{ $expr: '$a' }] } } }), { expression }),
    ).toThrow('top-level document');
  });

  it('compares texts as a collation does, and patterns as they are', () => {
    const collate = collationFrom(doc({ locale: 'en', strength: 2 }));
    expect(matches({ a: 'ÉCOLE' }, { a: 'école' }, { collate })).toBe(true);
    expect(matches({ a: { $in: ['X', 'y'] } }, { a: 'x' }, { collate })).toBe(true);
    expect(matches({ a: { $gt: 'a' } }, { a: 'B' }, { collate })).toBe(true);
    expect(matches({ a: { $ne: 'x' } }, { a: 'X' }, { collate })).toBe(false);
    expect(matches({ a: { b: 'x' } }, { a: { b: 'X' } }, { collate })).toBe(true);
    expect(matches({ a: re('X') }, { a: 'x' }, { collate })).toBe(false);
  });

  it.each([
    [{ $and: 1 }, 2, '$and must be an array'],
    [{ $or: [] }, 2, '$and/$or/$nor must be a nonempty array'],
    [{ $nor: [1] }, 2, '$or/$and/$nor entries need to be full objects'],
    [{ $foo: 1 }, 2, 'unknown top level operator: $foo'],
    [{ a: { $foo: 1 } }, 2, 'unknown operator: $foo'],
    [{ a: { $gt: 1, b: 2 } }, 2, 'unknown operator: b'],
    [{ a: { $not: 1 } }, 2, '$not needs a regex or a document'],
    [{ a: { $not: {} } }, 2, '$not cannot be empty'],
    [{ a: { $elemMatch: 1 } }, 2, '$elemMatch needs an Object'],
    [{ a: { $options: 'i' } }, 2, '$options needs a $regex'],
    [{ a: { $regex: 1 } }, 2, '$regex has to be a string'],
    [{ a: { $regex: 'x', $options: 1 } }, 2, '$options has to be a string'],
    [{ a: { $regex: 'x', $options: 'q' } }, 51108, 'invalid flag in regex options: q'],
    [{ a: { $regex: re('x', 'i'), $options: 'm' } }, 51075, 'options set in both'],
    [{ a: { $options: 'm', $regex: re('x', 'i') } }, 51074, 'options set in both'],
    [{ a: { $regex: '(' } }, 51091, 'Regular expression is invalid: '],
    [{ $expr: 1 }, 224, '$expr is not allowed in this context'],
    [{ $text: { $search: 'x' } }, 27, 'text index required for $text query'],
    [{ $where: 'true' }, 2, '$where is not supported'],
    [{ $jsonSchema: {} }, 2, '$jsonSchema is not supported'],
    [{ a: { $near: [0, 0] } }, 2, '$near is not supported'],
    [{ a: { $where: 'true' } }, 2, '$where cannot be applied to a field'],
    [{ $sampleRate: 2 }, 2, 'must be in [0, 1]'],
    [{ $alwaysFalse: 2 }, 9, '$alwaysFalse must be an integer value of 1'],
  ])('is refused: %j', (filter, code, message) => {
    try {
      compileFilter(doc(filter));
    } catch (error) {
      expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
      return;
    }
    expect.fail('was accepted');
  });
});
