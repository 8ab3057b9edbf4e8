import { BSONRegExp, Decimal128 } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Doc } from '../../../server/store/embedded/bson/types.js';
import { compileFilter } from '../../../server/store/embedded/query/match.js';
import { choosePlan } from '../../../server/store/embedded/query/plan.js';
import { compileSort } from '../../../server/store/embedded/query/sort.js';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { doc } from '../documents.js';
import { indexOn, read } from './indexes.js';

/** Few values, so that conditions hold often enough to be worth asking; and now and then a strange one. */
const common = fc.constantFrom<unknown>(null, 1, 2, 'a', 'A');
const scalar = fc.oneof(
  { weight: 8, arbitrary: common },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(0, 3, 1.5, -1, 2n, Number.NaN, Decimal128.fromString('1.5'), true),
  },
  { weight: 1, arbitrary: fc.constantFrom<unknown>('', 'ab', 'b', 'é', 'ß', 'ss') },
  { weight: 1, arbitrary: fc.constantFrom<unknown>('a'.repeat(420), `${'a'.repeat(419)}b`, new Date(0)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(new BSONRegExp('^a'), new BSONRegExp('^a', 'i'), new BSONRegExp('b')),
  },
);
const below = fc.dictionary(
  fc.constantFrom('b', 'c', '0'),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })),
  {
    maxKeys: 2,
    noNullPrototype: true,
  },
);
const belowNamed = fc.dictionary(
  fc.constantFrom('b', 'c'),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })),
  {
    maxKeys: 2,
    noNullPrototype: true,
  },
);
const item = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 3, arbitrary: belowNamed },
  fc.array(scalar, { maxLength: 2 }),
);
const fieldValue = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 2, arbitrary: below },
  { weight: 3, arbitrary: fc.array(item, { maxLength: 3 }) },
);
const document = fc
  .tuple(
    fieldValue,
    fc.dictionary(fc.constantFrom('a', 'd', 'e'), fieldValue, { maxKeys: 3, noNullPrototype: true }),
  )
  .map(([a, others]) => ({ a, ...others }));

const path = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('a', 'a', 'a.b', 'd') },
  { weight: 2, arbitrary: fc.constantFrom('a.c', 'e', 'a.0', 'a.1.b', 'a.b.0') },
);
const operand = fc.oneof({ weight: 6, arbitrary: scalar }, belowNamed, fc.array(scalar, { maxLength: 2 }));
const plainOperand = operand.filter((one) => !(one instanceof BSONRegExp));
const operators: fc.Arbitrary<object> = fc.oneof(
  fc.record({ $eq: operand }),
  ...['$gt', '$gte', '$lt', '$lte', '$ne'].map((name) => plainOperand.map((one) => ({ [name]: one }))),
  fc.tuple(plainOperand, plainOperand).map(([low, high]) => ({ $gte: low, $lt: high })),
  fc.array(operand, { maxLength: 3 }).map((list) => ({ $in: list })),
  fc.array(operand, { maxLength: 3 }).map((list) => ({ $nin: list })),
  fc.array(operand, { minLength: 1, maxLength: 2 }).map((list) => ({ $all: list })),
  fc.boolean().map((wanted) => ({ $exists: wanted })),
  fc
    .constantFrom('string', 'number', 'int', 'null', 'array', 'bool', 'object', 'date', 'regex')
    .map((name) => ({ $type: name })),
  fc.constantFrom('^a', '^ab?', 'b', '^A', '^a{2}').map((pattern) => ({ $regex: pattern })),
  fc.constant({ $regex: '^A', $options: 'i' }),
  fc.constant({ $mod: [2, 1] }),
  fc.constant({ $size: 1 }),
  fc.constant({ $not: { $gt: 1 } }),
);
const element = fc.oneof(
  operators.map((one) => ({ $elemMatch: one })),
  fc
    .dictionary(fc.constantFrom('b', 'c', '0', 'b.0'), fc.oneof(operand, operators), {
      minKeys: 1,
      maxKeys: 2,
      noNullPrototype: true,
    })
    .map((one) => ({ $elemMatch: one })),
  fc
    .tuple(operand, operators)
    .map(([one, other]) => ({ $elemMatch: { $or: [{ b: one }, { b: other, c: one }] } })),
);
const { filter } = fc.letrec<{ filter: object }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.dictionary(path, fc.oneof(operand, operators, element), {
      minKeys: 1,
      maxKeys: 3,
      noNullPrototype: true,
    }),
    fc.array(tie('filter'), { minLength: 1, maxLength: 2 }).map((list) => ({ $and: list })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 2 }).map((list) => ({ $or: list })),
    fc.tuple(tie('filter'), tie('filter')).map(([one, other]) => ({ ...one, ...other })),
  ),
}));
/** An index, and a filter that asks for its first field at least. */
const condition = fc.oneof(operand, { weight: 2, arbitrary: operators }, element);
const asking = fc
  .record({ first: path, second: path, one: condition, other: condition, filter, isNested: fc.boolean() })
  .chain(({ first, second, one, other, filter: more, isNested }) => {
    const both: object =
      first.startsWith('a.') && second.startsWith('a.') && isNested
        ? { a: { $elemMatch: { [first.slice(2)]: one, [second.slice(2)]: other } } }
        : { [first]: one, [second]: other };
    return fc.record({
      first: fc.constant(first),
      second: fc.constant(second),
      asked: fc.constantFrom<object>(
        { [first]: one },
        { [first]: one },
        { $and: [{ [first]: one }, { [first]: other }] },
        both,
        both,
        { ...more, [first]: one },
        { $or: [{ [first]: one }, more] },
        more,
      ),
    });
  });
const direction = fc.constantFrom(1, -1);
const key = fc.dictionary(path, direction, {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});
const partial = fc.oneof(
  fc.constantFrom<object>(
    { a: { $exists: true } },
    { a: { $gt: 0 } },
    { a: 'a' },
    { 'a.b': { $gte: 1, $lt: 3 } },
    { d: { $type: 'string' } },
    { d: { $type: 'number' } },
    { d: { $in: ['a', 'b', 1] } },
    { $and: [{ a: { $exists: true } }, { d: { $lte: 'b' } }] },
    { e: null },
  ),
);
const collation = fc.constantFrom(
  undefined,
  undefined,
  { locale: 'en', strength: 1 },
  { locale: 'en', strength: 2 },
);
const rarely = fc.constantFrom(true, false, false, false);
const indexOptions = fc.record({ sparse: rarely, isPartial: rarely, partial, collation });

const mayFail = <T>(work: () => T): T | null => {
  try {
    return work();
  } catch (error) {
    // Two arrays, or a name that is a place as well: such documents are not indexed by MongoDB either.
    if (error instanceof Error && /parallel arrays|Ambiguous/.test(error.message)) return null;
    throw error;
  }
};

const idsOf = (docs: Doc[]): string[] => docs.map((one) => String(one.get('_id'))).sort();

describe('A plan', () => {
  it('finds what a scan finds, in the order that was asked for', { timeout: 300_000 }, () => {
    let planned = 0;
    let sortedOnes = 0;
    fc.assert(
      fc.property(
        fc.array(document, { maxLength: 8 }),
        asking,
        fc.option(key, { nil: null, freq: 1 }),
        direction,
        indexOptions,
        fc.option(fc.oneof(key, fc.constantFrom('first', 'last')), { nil: undefined }),
        fc.oneof({ weight: 3, arbitrary: fc.constant('same') }, { weight: 1, arbitrary: collation }),
        (documents, { first, second, asked }, more, way, options, order, by) => {
          const keyPattern = { [first]: way, ...(more ?? { [second]: way }) };
          const names = Object.keys(keyPattern);
          const sort = typeof order === 'string' ? { [names.at(order === 'first' ? 0 : -1)!]: way } : order;
          const docs = documents.map((one, n) => doc({ _id: n, ...one }));
          const index = mayFail(() =>
            indexOn(keyPattern, docs, {
              sparse: options.sparse && !options.isPartial,
              ...(options.isPartial && { partial: options.partial }),
              ...(options.collation && { collation: options.collation }),
            }),
          );
          fc.pre(index !== null);
          const spec = by === 'same' ? options.collation : by;
          const collate = collationFrom(typeof spec === 'object' ? doc(spec) : undefined);
          const question = { filter: doc(asked), sort: sort && doc(sort), collate };
          const chosen = choosePlan([index], { ...question, hint: undefined });
          if (!chosen) return;
          planned += 1;
          const matches = compileFilter(question.filter, { collate });
          const found = read(chosen).filter(matches);
          expect(idsOf(found)).toEqual(idsOf(docs.filter(matches)));
          if (!chosen.sorted) return;
          sortedOnes += 1;
          const inOrder = compileSort(question.sort!, collate);
          for (let n = 1; n < found.length; n += 1)
            expect(inOrder(found[n - 1]!, found[n]!)).toBeLessThanOrEqual(0);
        },
      ),
      { numRuns: process.env.THREADLINE_TEST_LONG ? 100_000 : 4_000 },
    );
    expect(planned).toBeGreaterThan(1_000);
    expect(sortedOnes).toBeGreaterThan(100);
  });
});
