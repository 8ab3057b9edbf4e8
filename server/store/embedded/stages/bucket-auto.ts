import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Variables } from '../expressions/compile.js';
import { compare, equals, typeName } from '../values/compare.js';
import { isNumber, type Numeric, toDouble, toInteger } from '../values/numbers.js';
import { show } from '../values/show.js';
import type { State } from './accumulator.js';
import { checkGroupBy, outputFrom } from './bucket.js';
import { type Rounder, rounderFrom } from './granularity.js';
import { countField, type Field } from './group.js';
import { inOrder } from './order.js';
import { paced } from './pace.js';
import { expressionOf, type Maker, type Rows, type Scope, weighed } from './stage.js';

/** `$bucketAuto`: documents in order of a value, cut into about equally many for each bucket. */

interface Bucketing {
  groupBy: Value;
  buckets: number;
  rounder: Rounder | null;
  fields: Field[];
}

function read(operand: Value, scope: Scope): Bucketing {
  if (!(operand instanceof Map))
    throw location(
      40240,
      `The argument to $bucketAuto must be an object, but found type: ${typeName(operand)}`,
    );
  for (const name of operand.keys())
    if (!['groupBy', 'buckets', 'output', 'granularity'].includes(name))
      throw location(40245, `Unrecognized option to $bucketAuto: ${name}`);
  const groupBy = operand.get('groupBy');
  const given = operand.get('buckets');
  if (groupBy !== undefined) checkGroupBy(groupBy, 40239, '$bucketAuto');
  const buckets = given === undefined ? 0 : bucketsFrom(given);
  const output = operand.get('output');
  const fields = output === undefined ? [] : outputFrom(output, 40244, '$bucketAuto', scope);
  if (fields.some(({ accumulation }) => accumulation.needsGroup))
    throw location(4_544_714, "Can't refer to the group key in $bucketAuto");
  const granularity = operand.get('granularity');
  const rounder = granularity === undefined ? null : rounderFrom(granularity);
  if (groupBy === undefined || given === undefined)
    throw location(40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified");
  return { groupBy, buckets, rounder, fields: fields.length > 0 ? fields : [countField(scope)] };
}

function bucketsFrom(value: Value): number {
  if (!isNumber(value))
    throw location(
      40241,
      `The $bucketAuto 'buckets' field must be a numeric value, but found type: ${typeName(value)}`,
    );
  const whole = toInteger(value);
  if (whole === null || whole >= 2n ** 31n || whole < -(2n ** 31n))
    throw location(
      40242,
      `The $bucketAuto 'buckets' field must be representable as a 32-bit integer, but found ${show(value)}`,
    );
  if (whole <= 0n)
    throw location(40243, `The $bucketAuto 'buckets' field must be greater than 0, but found: ${whole}`);
  return Number(whole);
}

function checkRoundable(key: Value | undefined): asserts key is Numeric {
  if (!isNumber(key))
    throw location(
      40258,
      `$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a value with type: ${typeName(key)}`,
    );
  const number = toDouble(key);
  if (Number.isNaN(number))
    throw location(
      40259,
      '$bucketAuto can specify a granularity with numeric boundaries only, but found a NaN',
    );
  if (number < 0)
    throw location(
      40260,
      '$bucketAuto can specify a granularity with non-negative numbers only, but found a negative number',
    );
}

interface Keyed {
  key: Value;
  doc: Doc;
}

interface Bucket {
  min: Value;
  max: Value;
  states: State[];
}

const noGroup: Doc = new Map();

export const bucketAuto: Maker = (operand, scope) => {
  const { groupBy, buckets, rounder, fields } = read(operand, scope);
  const { collate } = scope.context;
  const compute = expressionOf(groupBy, scope);

  function* keyed(rows: Rows, variables: Variables): Iterable<Keyed | null> {
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      const key = compute(doc, variables);
      if (rounder) checkRoundable(key);
      yield { key: key ?? null, doc };
    }
  }

  function* cut(all: readonly Keyed[], variables: Variables): Iterable<Bucket> {
    const size = Math.max(1, Math.round(all.length / buckets));
    let at = 0;
    let before: Value | undefined;
    for (let n = 1; n <= buckets && at < all.length; n += 1) {
      const { key } = all[at]!;
      const bucket: Bucket = {
        min: rounder ? (before ?? rounder.down(key as Numeric)) : key,
        max: key,
        states: fields.map(({ accumulation }) => accumulation.begin(noGroup, variables)),
      };
      const take = () => {
        const one = all[at]!;
        for (const [index, { accumulation }] of fields.entries())
          bucket.states[index]!.take(accumulation.input(one.doc, variables));
        bucket.max = one.key;
        at += 1;
      };
      const end = n === buckets ? all.length : Math.min(all.length, at + size);
      while (at < end) take();
      const rounded = rounder?.up(bucket.max as Numeric);
      // What is equal to the last value, or comes below where its end was rounded to, belongs to it too.
      while (
        at < all.length &&
        (equals(bucket.max, all[at]!.key, collate) ||
          (rounded !== undefined && compare(rounded, all[at]!.key, collate) > 0))
      )
        take();
      const next = all[at]?.key;
      if (rounder)
        bucket.max =
          toDouble(rounded!) === 0 && next !== undefined ? rounder.down(next as Numeric) : rounded!;
      else if (next !== undefined) bucket.max = next;
      before = bucket.max;
      yield bucket;
    }
  }

  function* shown(all: readonly Keyed[], variables: Variables): Iterable<Doc> {
    for (const { min, max, states } of cut(all, variables)) {
      const made: Doc = new Map([
        [
          '_id',
          new Map([
            ['min', min],
            ['max', max],
          ]),
        ],
      ]);
      for (const [index, { name }] of fields.entries()) made.set(name, states[index]!.result());
      yield made;
    }
  }

  return function* (rows, variables) {
    const all = yield* inOrder(keyed(weighed(rows, '$bucketAuto'), variables), (left, right) =>
      compare(left.key, right.key, collate),
    );
    yield* paced(shown(all, variables));
  };
};
