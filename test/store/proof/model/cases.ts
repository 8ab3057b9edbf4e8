import { Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import { reach } from './match.js';
import { type Fields, isFields, type Value } from './order.js';

/** Random documents, queries, updates and indexes. Few names and few values, so that they meet. */

const ints = [-2, -1, 0, 1, 2, 3, 7, 2 ** 31 - 1, -(2 ** 31)].map((n) => new Int32(n));
const longs = ['0', '1', '2', '-1', '4294967296', '9007199254740993', '9223372036854775807'].map((n) =>
  Long.fromString(n),
);
const doubles = [0, -0, 1, 1.5, -1.5, 2, 3, 0.1, 2 ** 53, Number.NaN, Infinity, -Infinity].map(
  (n) => new Double(n),
);
const decimals = ['0', '1', '1.0', '1.5', '0.1', '-1.50', '9007199254740993', 'NaN', 'Infinity', '1E+3'].map(
  (n) => Decimal128.fromString(n),
);
const aNumber: fc.Arbitrary<Value> = fc.oneof(
  { arbitrary: fc.constantFrom(...ints), weight: 4 },
  { arbitrary: fc.constantFrom(...longs), weight: 2 },
  { arbitrary: fc.constantFrom(...doubles), weight: 2 },
  { arbitrary: fc.constantFrom(...decimals), weight: 1 },
);
/** What comes after U+FFFF stands behind it in UTF-8, and before it in UTF-16. */
const aText = fc.constantFrom('', 'a', 'ab', 'b', 'B', 'é', '\u{ffff}', '\u{1f600}', 'a\0b');
const aDate = fc.constantFrom(-1, 0, 1_000, 1_700_000_000_000).map((at) => new Date(at));
const anId = fc
  .constantFrom('000000000000000000000000', 'ffffffffffffffffffffffff')
  .map((hex) => ObjectId.createFromHexString(hex));
const aScalar: fc.Arbitrary<Value> = fc.oneof(
  { arbitrary: aNumber, weight: 6 },
  { arbitrary: aText, weight: 3 },
  { arbitrary: fc.constant(null), weight: 2 },
  { arbitrary: fc.boolean(), weight: 1 },
  { arbitrary: aDate, weight: 1 },
  { arbitrary: anId, weight: 1 },
);

const some = (model: Record<string, fc.Arbitrary<Value>>): fc.Arbitrary<Fields> =>
  fc.record(model, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<Fields>;

const aPair: fc.Arbitrary<Fields> = fc.oneof(
  some({ x: aScalar, y: aScalar }),
  some({ y: aScalar, x: aScalar }),
);
const aList: fc.Arbitrary<Value[]> = fc.array(fc.oneof(aScalar, aScalar, aPair), { maxLength: 4 });

/** Lists stand in `a` and `t` only: of two in one index MongoDB would refuse the document. */
const values = {
  a: fc.oneof(aScalar, aScalar, aPair, aList),
  b: fc.oneof(aScalar, aScalar, aPair),
  n: fc.oneof({ arbitrary: aNumber, weight: 5 }, { arbitrary: aScalar, weight: 1 }),
  s: fc.oneof({ arbitrary: aText, weight: 5 }, { arbitrary: aScalar, weight: 1 }),
  o: fc.oneof({ arbitrary: aPair, weight: 4 }, { arbitrary: aScalar, weight: 1 }),
  t: fc.oneof(
    { arbitrary: aList, weight: 5 },
    { arbitrary: aPair, weight: 1 },
    { arbitrary: aScalar, weight: 1 },
  ),
  d: aDate,
};
type Name = keyof typeof values;
const names = Object.keys(values) as Name[];
const aDocument = some(values);

const paths = [
  'a',
  'b',
  'n',
  's',
  'o',
  'o.x',
  'o.y',
  't',
  't.x',
  't.y',
  't.0',
  't.1.x',
  'a.x',
  'd',
  'q',
  '_id',
];
const aPath = fc.constantFrom(...paths);

const aCount = fc.integer({ min: 0, max: 3 }).map((n) => new Int32(n));
/** Stands for what a document has where the query asks: `resolved` puts it in. */
const fromDocument = fc.nat({ max: 13 }).map((n): Fields => ({ $fromDocument: n }));
const anOperand: fc.Arbitrary<Value> = fc.oneof(
  { arbitrary: fromDocument, weight: 8 },
  { arbitrary: aScalar, weight: 6 },
  { arbitrary: aPair, weight: 1 },
  { arbitrary: aList, weight: 1 },
);

const oneOf = (entries: [string, fc.Arbitrary<Value>][]): fc.Arbitrary<Fields> =>
  fc.oneof(...entries.map(([name, operand]) => operand.map((value): Fields => ({ [name]: value }))));

const typeNames = [
  'int',
  'long',
  'double',
  'decimal',
  'number',
  'string',
  'object',
  'array',
  'bool',
  'date',
  'null',
];
/** Operators that ask something of one value. */
const ofValue: [string, fc.Arbitrary<Value>][] = [
  ['$eq', anOperand],
  ['$gt', anOperand],
  ['$gte', anOperand],
  ['$lt', anOperand],
  ['$lte', anOperand],
  ['$in', fc.array(anOperand, { maxLength: 4 })],
  ['$ne', anOperand],
  ['$nin', fc.array(anOperand, { maxLength: 3 })],
  ['$type', fc.oneof(fc.constantFrom(...typeNames), fc.subarray(typeNames, { minLength: 1, maxLength: 3 }))],
  [
    '$mod',
    fc.tuple(fc.constantFrom(2, 3), fc.constantFrom(-1, 0, 1)).map((pair) => pair.map((n) => new Int32(n))),
  ],
  ['$regex', fc.constantFrom('^a', 'b', '^$', 'B$')],
];
const aBound = fc
  .tuple(fc.constantFrom('$gt', '$gte'), anOperand, fc.constantFrom('$lt', '$lte'), anOperand)
  .map(([low, from, high, to]): Fields => ({ [low]: from, [high]: to }));
const onElements: fc.Arbitrary<Fields> = fc.oneof(
  oneOf(ofValue),
  aBound,
  some({ x: fc.oneof(aScalar, oneOf(ofValue)), y: fc.oneof(aScalar, oneOf(ofValue)) }),
);
const condition: fc.Arbitrary<Fields> = fc.oneof(
  { arbitrary: oneOf(ofValue), weight: 8 },
  { arbitrary: aBound, weight: 3 },
  {
    arbitrary: oneOf([
      ['$exists', fc.boolean()],
      ['$size', aCount],
      ['$all', fc.array(anOperand, { maxLength: 3 })],
      ['$elemMatch', onElements],
    ]),
    weight: 4,
  },
);
const aFieldQuery: fc.Arbitrary<Fields> = fc
  .tuple(
    aPath,
    fc.oneof(
      { arbitrary: anOperand, weight: 3 },
      { arbitrary: condition, weight: 6 },
      { arbitrary: condition.map((inner): Fields => ({ $not: inner })), weight: 1 },
    ),
  )
  .map(([path, operand]): Fields => ({ [path]: operand }));

export const aQuery: fc.Arbitrary<Fields> = fc.letrec<{ query: Fields }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    {
      arbitrary: fc
        .array(aFieldQuery, { minLength: 1, maxLength: 2 })
        .map((parts): Fields => Object.assign({}, ...parts)),
      weight: 6,
    },
    {
      arbitrary: fc
        .tuple(
          fc.constantFrom('$and', '$or', '$or', '$nor'),
          fc.array(tie('query'), { minLength: 1, maxLength: 3 }),
          fc.option(aFieldQuery, { nil: {} }),
        )
        .map(([name, branches, beside]): Fields => ({ ...beside, [name]: branches })),
      weight: 2,
    },
  ),
})).query;

/** Most documents, so that there is something to change. */
const aWideQuery: fc.Arbitrary<Fields> = fc.oneof(
  { arbitrary: fc.constant<Fields>({}), weight: 2 },
  { arbitrary: fc.nat({ max: 13 }).map((n): Fields => ({ _id: { $lte: new Int32(n) } })), weight: 2 },
  { arbitrary: aQuery, weight: 3 },
);

/** A query with what it takes from documents. */
export function resolved(query: Fields, documents: Fields[]): Fields {
  const take = (value: Value, path: string[]): Value => {
    if (Array.isArray(value)) return value.map((item) => take(item, path));
    if (!isFields(value)) return value;
    if (Object.hasOwn(value, '$fromDocument')) {
      const number = value.$fromDocument as number;
      const found = documents.length > 0 ? reach(documents[number % documents.length], path) : [];
      const [first = null] = found.flatMap((one) => (Array.isArray(one) && number % 2 === 0 ? one : [one]));
      return first;
    }
    // Inside an element of an array the names are its own.
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        take(item, name.startsWith('$') ? path : [...path, name]),
      ]),
    );
  };
  return Object.fromEntries(
    Object.entries(query).map(([name, condition]) => [
      name,
      ['$and', '$or', '$nor'].includes(name)
        ? (condition as Fields[]).map((branch) => resolved(branch, documents))
        : take(condition, name.split('.')),
    ]),
  );
}

/** Two conditions on one path: of a list one element may answer the one, and another the other. */
const aTwofoldQuery: fc.Arbitrary<Fields> = aPath.chain((path) =>
  fc
    .tuple(fc.oneof(anOperand, condition), fc.oneof(anOperand, condition))
    .map(([one, other]): Fields => ({ $and: [{ [path]: one }, { [path]: other }] })),
);

export type Sort = [string, 1 | -1][];
const aSort: fc.Arbitrary<Sort> = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'n', 's', 'o', 'o.x', 't', 't.x', 'd'), { maxLength: 2 })
  .chain((fields) =>
    fc.tuple(
      ...[...fields, '_id'].map((field) =>
        fc.constantFrom<1 | -1>(1, -1).map((direction): [string, 1 | -1] => [field, direction]),
      ),
    ),
  );

const aListField = fc.constantFrom('a', 't');
const wholeNumber = (min: number, max: number) => fc.integer({ min, max }).map((n) => new Int32(n));
const each = fc
  .record(
    {
      $each: fc.array(fc.oneof(aScalar, aPair), { minLength: 1, maxLength: 3 }),
      $position: wholeNumber(-3, 4),
      $slice: wholeNumber(-3, 3),
      $sort: fc.constantFrom(new Int32(1), new Int32(-1)),
    },
    { requiredKeys: ['$each'], noNullPrototype: true },
  )
  .map((value): Fields => ({ ...value }));

const change = (operator: string, path: fc.Arbitrary<string>, operand: fc.Arbitrary<Value>) =>
  fc.tuple(path, operand).map(([field, value]) => ({ operator, field, value }));

const aSet = fc.oneof(
  fc
    .constantFrom(...names)
    .chain((name) => values[name].map((value) => ({ operator: '$set', field: name, value }))),
  change('$set', fc.constantFrom('o.x', 'o.y', 'o.z', 't.0', 't.2', 't.1.x', 'b.x', 'p.q.r'), aScalar),
);
const aChange = fc.oneof(
  { arbitrary: aSet, weight: 5 },
  { arbitrary: change('$unset', fc.constantFrom(...names, 'o.x', 't.0', 'a.x'), fc.constant('')), weight: 2 },
  { arbitrary: change('$inc', fc.constantFrom('n', 'n', 'b', 'o.x', 's', 'q'), aNumber), weight: 3 },
  { arbitrary: change('$mul', fc.constantFrom('n', 'n', 'b', 'o.x', 'q'), aNumber), weight: 1 },
  { arbitrary: change('$min', fc.constantFrom('n', 'b', 's', 'o.x', 'q'), aScalar), weight: 1 },
  { arbitrary: change('$max', fc.constantFrom('n', 'b', 's', 'o.x', 'q'), aScalar), weight: 1 },
  {
    arbitrary: fc
      .constantFrom<[string, string]>(['b', 'r'], ['n', 'm'], ['o.x', 'o.w'], ['d', 'o.d'])
      .map(([field, value]) => ({ operator: '$rename', field, value: value as Value })),
    weight: 1,
  },
  {
    arbitrary: change('$push', fc.oneof(aListField, fc.constant('t')), fc.oneof(aScalar, aPair, each)),
    weight: 3,
  },
  {
    arbitrary: change(
      '$addToSet',
      aListField,
      fc.oneof(
        aScalar,
        aPair,
        fc
          .array(fc.oneof(aScalar, aPair), { minLength: 1, maxLength: 3 })
          .map((items): Fields => ({ $each: items })),
      ),
    ),
    weight: 2,
  },
  { arbitrary: change('$pull', aListField, fc.oneof(aScalar, onElements)), weight: 2 },
  {
    arbitrary: change('$pullAll', aListField, fc.array(fc.oneof(aScalar, aPair), { maxLength: 3 })),
    weight: 1,
  },
  { arbitrary: change('$pop', aListField, fc.constantFrom(new Int32(1), new Int32(-1))), weight: 1 },
);

export const anUpdate: fc.Arbitrary<Fields> = fc
  .array(aChange, { minLength: 1, maxLength: 3 })
  .map((changes) => {
    const update: Record<string, Fields> = {};
    for (const { operator, field, value } of changes)
      update[operator] = { ...update[operator], [field]: value };
    return update;
  });

export interface IndexSpec {
  key: Record<string, 1 | -1>;
  options: { sparse?: true; partialFilterExpression?: Fields; unique?: true };
}
const keys: IndexSpec['key'][] = [
  ...[
    { a: 1 },
    { a: -1 },
    { b: 1 },
    { n: 1 },
    { n: -1 },
    { s: 1 },
    { o: 1 },
    { 'o.x': 1 },
    { t: 1 },
    { 't.x': 1 },
  ],
  ...[{ d: -1 }, { b: 1, n: -1 }, { n: 1, s: 1 }, { n: 1, a: 1 }, { s: -1, t: 1 }, { 't.x': 1, 't.y': -1 }],
  ...[
    { b: 1, 't.x': 1, n: 1 },
    { a: 1, _id: -1 },
    { n: -1, _id: 1 },
    { 'o.y': -1, 'o.x': 1, b: 1 },
  ],
] as IndexSpec['key'][];
/** Of one field without lists, so that it is plain which documents clash. */
const aUniqueIndex: fc.Arbitrary<IndexSpec> = fc.record({
  key: fc.constantFrom<IndexSpec['key']>({ n: 1 }, { b: -1 }, { s: 1 }, { 'o.x': 1 }),
  options: fc.constantFrom<IndexSpec['options']>(
    { unique: true },
    { unique: true, sparse: true },
    { unique: true, partialFilterExpression: { n: { $gt: new Int32(0) } } },
  ),
});
const aPlainIndex: fc.Arbitrary<IndexSpec> = fc.record({
  key: fc.constantFrom(...keys),
  options: fc.oneof(
    { arbitrary: fc.constant({}), weight: 5 },
    { arbitrary: fc.constant({ sparse: true as const }), weight: 1 },
    {
      arbitrary: fc
        .constantFrom<Fields>(
          { n: { $gt: new Int32(0) } },
          { s: { $exists: true } },
          { b: null },
          { n: { $gte: new Double(-1) }, s: { $type: 'string' } },
        )
        .map((partialFilterExpression) => ({ partialFilterExpression })),
      weight: 1,
    },
  ),
});

const anIndex = fc.oneof({ arbitrary: aPlainIndex, weight: 8 }, { arbitrary: aUniqueIndex, weight: 1 });

export type Projection = Record<string, 0 | 1>;
const aProjection: fc.Arbitrary<Projection> = fc
  .tuple(
    fc.constantFrom<0 | 1>(0, 1),
    fc.uniqueArray(fc.constantFrom('a', 'b', 'n', 'o', 't', 'o.x', 't.x', 'a.y', 'q'), {
      maxLength: 3,
      // Of `o` and `o.x` MongoDB takes only one.
      selector: (path) => path.split('.')[0],
    }),
    fc.constantFrom<0 | 1 | null>(0, 1, null),
  )
  .map(([isKept, fields, id]) => ({
    ...Object.fromEntries(fields.map((field) => [field, isKept])),
    ...(id !== null && (id === 0 || isKept === 1) && { _id: id }),
  }));

/** What an index is made for: values or bounds for its first fields, an order by those that follow. */
const aPlannedFind = fc.constantFrom(...keys).chain((key) => {
  const fields = Object.entries(key);
  const aCondition = fc.oneof<fc.Arbitrary<Value>[]>(
    anOperand,
    fc.array(anOperand, { minLength: 1, maxLength: 4 }).map((values): Fields => ({ $in: values })),
    aBound,
    oneOf([
      ['$gt', anOperand],
      ['$lte', anOperand],
      ['$ne', anOperand],
    ]),
  );
  return fc.record({
    kind: fc.constant('find' as const),
    index: fc.constant<IndexSpec>({ key, options: {} }),
    query: fc
      .tuple(fc.nat({ max: fields.length }), fc.array(aCondition, { minLength: 4, maxLength: 4 }))
      .map(
        ([count, conditions]): Fields =>
          Object.fromEntries(fields.slice(0, count).map(([field], at) => [field, conditions[at]])),
      ),
    sort: fc
      .tuple(fc.nat({ max: fields.length - 1 }), fc.constantFrom(1, -1), fc.constantFrom<1 | -1>(1, -1))
      .map(([from, turn, last]): Sort => {
        const sort = fields.slice(from).map(([field, way]): Sort[0] => [field, way === turn ? 1 : -1]);
        return sort.some(([field]) => field === '_id') ? sort : [...sort, ['_id', last]];
      }),
    skip: fc.constantFrom(0, 0, 1),
    limit: fc.constantFrom(0, 1, 2, 4),
    projection: fc.constant({}),
  });
});

export type Step =
  | {
      kind: 'find';
      index?: IndexSpec;
      query: Fields;
      sort: Sort;
      skip: number;
      limit: number;
      projection: Projection;
    }
  | { kind: 'find and change'; query: Fields; sort: Sort; update: Fields | null; isAfter: boolean }
  | { kind: 'distinct'; query: Fields; path: string }
  | { kind: 'update'; query: Fields; update: Fields }
  | { kind: 'upsert'; id: number; update: Fields }
  | { kind: 'replace'; id: number; document: Fields }
  | { kind: 'delete'; query: Fields }
  | { kind: 'index'; spec: IndexSpec }
  | { kind: 'drop index' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant('find' as const),
      query: fc.oneof(
        { arbitrary: aQuery, weight: 4 },
        { arbitrary: aWideQuery, weight: 1 },
        { arbitrary: aTwofoldQuery, weight: 1 },
      ),
      sort: aSort,
      skip: fc.constantFrom(0, 0, 0, 1, 2),
      limit: fc.constantFrom(0, 0, 1, 3),
      projection: fc.oneof({ arbitrary: fc.constant({}), weight: 2 }, { arbitrary: aProjection, weight: 1 }),
    }),
    weight: 8,
  },
  { arbitrary: aPlannedFind, weight: 4 },
  {
    arbitrary: fc.record({
      kind: fc.constant('find and change' as const),
      query: aWideQuery,
      sort: aSort,
      update: fc.oneof({ arbitrary: anUpdate, weight: 3 }, { arbitrary: fc.constant(null), weight: 1 }),
      isAfter: fc.boolean(),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('distinct' as const),
      query: aQuery,
      path: fc.constantFrom('a', 'b', 'n', 'o.x', 't', 't.x'),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('update' as const), query: aWideQuery, update: anUpdate }),
    weight: 5,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('upsert' as const), id: fc.nat({ max: 20 }), update: anUpdate }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('replace' as const),
      id: fc.nat({ max: 12 }),
      document: aDocument,
    }),
    weight: 1,
  },
  { arbitrary: fc.record({ kind: fc.constant('delete' as const), query: aQuery }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('index' as const), spec: anIndex }), weight: 2 },
  { arbitrary: fc.constant({ kind: 'drop index' as const }), weight: 1 },
);

/** What a collation makes of texts: plain letters, whose order under any collation is beyond doubt. */
export interface Texts {
  collation: { locale: 'en'; strength: 1 | 2 } | null;
  replacing: Record<string, string>;
  countsAs(text: string): string;
}
const plainLetters = { '\u{ffff}': 'A', '\u{1f600}': 'AB', 'a\0b': 'aB' };
const someTexts = fc.constantFrom<Texts>(
  ...Array.from({ length: 4 }, (): Texts => ({ collation: null, replacing: {}, countsAs: (text) => text })),
  {
    collation: { locale: 'en', strength: 2 },
    replacing: { ...plainLetters, é: 'Ab' },
    countsAs: (text) => text.toLowerCase(),
  },
  {
    collation: { locale: 'en', strength: 1 },
    replacing: plainLetters,
    countsAs: (text) => text.toLowerCase().replaceAll('é', 'e'),
  },
);

/** The same with the texts that its collation leaves in no doubt. */
export function inTexts<T>(value: T, texts: Texts): T {
  if (typeof value === 'string') return (texts.replacing[value] ?? value) as T;
  if (Array.isArray(value)) return value.map((item) => inTexts(item, texts)) as T;
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, inTexts(item, texts)])) as T;
}

export interface Case {
  texts: Texts;
  indexes: IndexSpec[];
  documents: Fields[];
  steps: Step[];
  /** The same steps in a transaction, which lays what it wrote over what is there. */
  within: Step[];
  isCommitted: boolean;
}
export const aCase: fc.Arbitrary<Case> = fc.record({
  texts: someTexts,
  indexes: fc.array(anIndex, { maxLength: 4 }),
  documents: fc.array(aDocument, { minLength: 1, maxLength: 14, size: 'max' }),
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  within: fc.oneof(
    { arbitrary: fc.constant<Step[]>([]), weight: 2 },
    { arbitrary: fc.array(step, { minLength: 2, maxLength: 8 }), weight: 1 },
  ),
  isCommitted: fc.boolean(),
});
