import { BSON, Decimal128 } from 'bson';
import { describe, expect, it } from 'vitest';
import { decode } from '../../../server/store/embedded/bson/decode.js';
import { encode } from '../../../server/store/embedded/bson/encode.js';
import type { Doc, Value } from '../../../server/store/embedded/bson/types.js';
import { StoreError } from '../../../server/store/embedded/errors.js';
import { compileExpression } from '../../../server/store/embedded/expressions/compile.js';

/** Through BSON: 32-bit whole numbers are ints, `BSON.Long` and `BSON.Double` say otherwise. */
const docOf = (value: object): Doc => decode(BSON.serialize(value));
const bsonOf = (value: unknown): Value => docOf({ value }).get('value')!;

function evaluate(expression: unknown, doc: object = {}): unknown {
  const compute = compileExpression(bsonOf(expression));
  const value = compute(docOf(doc), new Map([['NOW', new Date(0)]]));
  return value === undefined
    ? undefined
    : BSON.deserialize(encode({ value }), { promoteValues: false, promoteLongs: false }).value;
}
const plain = (value: unknown): unknown =>
  value === undefined
    ? undefined
    : BSON.EJSON.parse(BSON.EJSON.stringify({ value }, { relaxed: false }), { relaxed: true }).value;

const day = (text: string) => new Date(text);
const rows: [string, unknown, object, unknown][] = [
  ['a field', '$a.b', { a: { b: 1 } }, 1],
  ['a field of each element', '$a.b', { a: [{ b: 1 }, { c: 2 }, { b: 3 }] }, [1, 3]],
  ['what is missing', '$nowhere', {}, undefined],
  ['what compares across types', { $gt: ['text', 5] }, {}, true],
  ['a case', { $cond: [{ $eq: ['$a', 1] }, 'one', 'other'] }, { a: 1 }, 'one'],
  ['the first that is there', { $ifNull: ['$a', null, 'default'] }, {}, 'default'],
  [
    'a date and milliseconds',
    { $add: ['$at', 1000] },
    { at: day('2026-01-01T00:00:00Z') },
    day('2026-01-01T00:00:01Z'),
  ],
  [
    'the time between dates',
    { $subtract: ['$to', '$from'] },
    { from: day('2026-01-01T00:00:00Z'), to: day('2026-01-01T00:00:05Z') },
    5000,
  ],
  ['half to even', { $round: [2.5, 0] }, {}, 2],
  ['places before the point', { $round: [1555, -2] }, {}, 1600],
  ['what is cut off', { $trunc: [-3.789, 2] }, {}, -3.78],
  ['a rest', { $mod: [-7, 3] }, {}, -1],
  ['a power', { $pow: [2, 10] }, {}, 1024],
  ['a filter', { $filter: { input: '$a', as: 'x', cond: { $gte: ['$$x', 2] } } }, { a: [1, 2, 3] }, [2, 3]],
  ['a map', { $map: { input: '$a', in: { $multiply: ['$$this', 2] } } }, { a: [1, 2] }, [2, 4]],
  [
    'a fold',
    { $reduce: { input: '$a', initialValue: '', in: { $concat: ['$$value', '$$this'] } } },
    { a: ['x', 'y'] },
    'xy',
  ],
  ['the last element', { $arrayElemAt: ['$a', -1] }, { a: [1, 2] }, 2],
  ['what lies beyond an array', { $arrayElemAt: ['$a', 9] }, { a: [1, 2] }, undefined],
  ['a part of an array', { $slice: ['$a', -2, 1] }, { a: [1, 2, 3] }, [2]],
  ['a range', { $range: [0, 10, 4] }, {}, [0, 4, 8]],
  [
    'lists side by side',
    { $zip: { inputs: [[1, 2], ['a']], useLongestLength: true } },
    {},
    [
      [1, 'a'],
      [2, null],
    ],
  ],
  [
    'a sorted list',
    { $sortArray: { input: '$a', sortBy: { n: -1 } } },
    { a: [{ n: 1 }, { n: 2 }] },
    [{ n: 2 }, { n: 1 }],
  ],
  ['fields as a list', { $objectToArray: '$a' }, { a: { x: 1 } }, [{ k: 'x', v: 1 }]],
  ['a list as fields', { $arrayToObject: [[['x', 1]]] }, {}, { x: 1 }],
  [
    'a set of both',
    {
      $setIntersection: [
        [1, 2, 2],
        [2, 3],
      ],
    },
    {},
    [2],
  ],
  [
    'the same set',
    {
      $setEquals: [
        [1, 2],
        [2, 1, 1],
      ],
    },
    {},
    true,
  ],
  ['joined texts', { $concat: ['a', '$b'] }, { b: 'c' }, 'ac'],
  ['nothing joined with what is missing', { $concat: ['a', '$b'] }, {}, null],
  ['code points', { $substrCP: ['приве́т', 1, 3] }, {}, 'рив'],
  ['a trimmed text', { $trim: { input: '  x ' } }, {}, 'x'],
  ['a place in bytes', { $indexOfBytes: ['цена', 'на'] }, {}, 4],
  ['a place in code points', { $indexOfCP: ['цена', 'на'] }, {}, 2],
  [
    'a pattern',
    { $regexFind: { input: 'order 42', regex: '(\\d+)' } },
    {},
    { match: '42', idx: 6, captures: ['42'] },
  ],
  [
    'every match',
    { $regexFindAll: { input: 'a1b2', regex: '\\d' } },
    {},
    [
      { match: '1', idx: 1, captures: [] },
      { match: '2', idx: 3, captures: [] },
    ],
  ],
  ['a replaced text', { $replaceAll: { input: 'a.b.c', find: '.', replacement: '-' } }, {}, 'a-b-c'],
  [
    'a date in a zone',
    { $dateToString: { date: '$at', format: '%Y-%m-%d %H:%M %z', timezone: 'Europe/Berlin' } },
    { at: day('2026-07-01T22:30:00Z') },
    '2026-07-02 00:30 +0200',
  ],
  [
    'a date at an offset',
    { $dateToString: { date: '$at', format: '%H:%M', timezone: '-03:30' } },
    { at: day('2026-07-01T00:00:00Z') },
    '20:30',
  ],
  [
    'a date as it stands',
    { $dateToString: { date: '$at' } },
    { at: day('2026-07-01T00:00:00.5Z') },
    '2026-07-01T00:00:00.500Z',
  ],
  [
    'a date out of a text',
    { $dateFromString: { dateString: '2026-03-01T10:00:00', timezone: 'America/New_York' } },
    {},
    day('2026-03-01T15:00:00Z'),
  ],
  [
    'a date by a format',
    { $dateFromString: { dateString: '01.02.2026', format: '%d.%m.%Y' } },
    {},
    day('2026-02-01T00:00:00Z'),
  ],
  ['no date out of a text', { $dateFromString: { dateString: '2026-02-31', onError: 'none' } }, {}, 'none'],
  [
    'the last day of a month',
    { $dateAdd: { startDate: '$at', unit: 'month', amount: 1 } },
    { at: day('2026-01-31T12:00:00Z') },
    day('2026-02-28T12:00:00Z'),
  ],
  [
    'a day on in a zone that changes its clock',
    { $dateAdd: { startDate: '$at', unit: 'day', amount: 1, timezone: 'Europe/Berlin' } },
    { at: day('2026-03-28T11:00:00Z') },
    day('2026-03-29T10:00:00Z'),
  ],
  [
    'months between',
    { $dateDiff: { startDate: '$a', endDate: '$b', unit: 'month' } },
    { a: day('2026-01-31T00:00:00Z'), b: day('2026-02-01T00:00:00Z') },
    1,
  ],
  [
    'the start of a week',
    { $dateTrunc: { date: '$at', unit: 'week', startOfWeek: 'monday' } },
    { at: day('2026-11-26T10:00:00Z') },
    day('2026-11-23T00:00:00Z'),
  ],
  [
    'the start of a day in a zone',
    { $dateTrunc: { date: '$at', unit: 'day', timezone: 'Asia/Tokyo' } },
    { at: day('2026-11-26T16:00:00Z') },
    day('2026-11-26T15:00:00Z'),
  ],
  [
    'a quarter of an hour',
    { $dateTrunc: { date: '$at', unit: 'minute', binSize: 15 } },
    { at: day('2026-11-26T16:44:59Z') },
    day('2026-11-26T16:30:00Z'),
  ],
  ['the week of a year', { $isoWeek: '$at' }, { at: day('2027-01-01T00:00:00Z') }, 53],
  [
    'the parts of a date',
    { $dateToParts: { date: '$at' } },
    { at: day('2026-11-26T16:44:59.007Z') },
    { year: 2026, month: 11, day: 26, hour: 16, minute: 44, second: 59, millisecond: 7 },
  ],
  ['a date of parts', { $dateFromParts: { year: 2026, month: 14, day: 1 } }, {}, day('2027-02-01T00:00:00Z')],
  ['a text as a number', { $toInt: '42' }, {}, 42],
  ['what cannot be converted', { $convert: { input: 'x', to: 'int', onError: -1 } }, {}, -1],
  ['a type', { $type: '$a' }, { a: 1.5 }, 'double'],
  ['merged documents', { $mergeObjects: [{ a: 1 }, '$b'] }, { b: { c: 2 } }, { a: 1, c: 2 }],
  ['a field no path can name', { $getField: { field: 'a.b', input: '$x' } }, { x: { 'a.b': 1 } }, 1],
  [
    'a field set that no path can name',
    { $setField: { field: { $literal: '$price' }, input: '$$ROOT', value: 5 } },
    { a: 1 },
    { a: 1, $price: 5 },
  ],
  ['variables', { $let: { vars: { low: 1 }, in: { $add: ['$$low', '$a'] } } }, { a: 2 }, 3],
  ['bits', { $bitAnd: [12, 10] }, {}, 8],
];

describe('An expression gives', () => {
  for (const [what, expression, doc, expected] of rows)
    it(what, () => expect(plain(evaluate(expression, doc))).toEqual(expected));
});

describe('Numbers keep their types', () => {
  it('and go over to the next one when they do not fit', () => {
    expect(evaluate({ $add: [1, 2] })).toEqual(new BSON.Int32(3));
    expect(evaluate({ $add: [2 ** 31 - 1, 1] })).toEqual(BSON.Long.fromNumber(2 ** 31));
    expect(evaluate({ $add: ['$a', 1] }, { a: BSON.Long.MAX_VALUE })).toEqual(new BSON.Double(2 ** 63));
    expect(evaluate({ $multiply: ['$a', 2] }, { a: new BSON.Double(1) })).toEqual(new BSON.Double(2));
  });

  it('decimals above all', () => {
    const decimals = { a: [Decimal128.fromString('0.1'), Decimal128.fromString('0.2')] };
    expect(String(evaluate({ $sum: '$a' }, decimals))).toBe('0.3');
    expect(String(evaluate({ $add: [{ $arrayElemAt: ['$a', 0] }, 1] }, decimals))).toBe('1.1');
    expect(String(evaluate({ $divide: [Decimal128.fromString('1'), 3] }))).toBe(
      '0.3333333333333333333333333333333333',
    );
  });
});

describe('What is no expression is refused', () => {
  const codes: [unknown, number][] = [
    [{ $nothing: 1 }, 168],
    [{ $eq: [1] }, 16020],
    [{ $divide: [1, 0] }, 2],
    [{ $add: ['text', 1] }, 14],
    [{ $toInt: 'x' }, 241],
    ['$$unknown', 17276],
    [{ $function: { body: 'x' } }, 168],
    [{ $dateToString: { date: new Date(), timezone: 'Nowhere/Land' } }, 40485],
    [{ $strLenCP: 5 }, 34471],
  ];
  for (const [expression, code] of codes)
    it(`with ${code}: ${JSON.stringify(expression)}`, () => {
      let thrown: unknown = null;
      try {
        evaluate(expression);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(StoreError);
      expect((thrown as StoreError).code).toBe(code);
    });
});
