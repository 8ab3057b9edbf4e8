import { Int32 } from 'bson';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { compare, equals } from '../values/compare.js';
import { add, divide, isNumber, type Numeric } from '../values/numbers.js';
import { docOf, expressionOf, gathered, type PipelineContext, type Stage } from './stage.js';

/** `$group`: documents of one key made into one. */

interface Accumulator {
  take(value: Value | undefined): void;
  result(): Value | undefined;
}

const isNullish = (value: Value | undefined) => value === undefined || value === null;

function extreme(direction: 1 | -1, context: PipelineContext): Accumulator {
  let best: Value | undefined;
  return {
    take(value) {
      if (isNullish(value)) return;
      if (best === undefined || compare(value, best, context.collate) * direction > 0) best = value;
    },
    result: () => best ?? null,
  };
}

function sum(): Accumulator {
  let total: Numeric = new Int32(0);
  return {
    take(value) {
      if (isNumber(value)) total = add(total, value);
    },
    result: () => total,
  };
}

function average(): Accumulator {
  let total: Numeric = new Int32(0);
  let n = 0;
  return {
    take(value) {
      if (!isNumber(value)) return;
      total = add(total, value);
      n += 1;
    },
    result: () => (n === 0 ? null : divide(total, n)),
  };
}

const accumulators: Record<string, (context: PipelineContext) => Accumulator> = {
  $sum: sum,
  $avg: average,
  $min: (context) => extreme(-1, context),
  $max: (context) => extreme(1, context),
  $count: () => {
    let n = 0;
    return {
      take() {
        n += 1;
      },
      result: () => new Int32(n),
    };
  },
  $first: () => {
    let first: Value | undefined;
    let isEmpty = true;
    return {
      take(value) {
        if (isEmpty) first = value;
        isEmpty = false;
      },
      result: () => first ?? null,
    };
  },
  $last: () => {
    let last: Value | undefined;
    return {
      take(value) {
        last = value;
      },
      result: () => last ?? null,
    };
  },
  $push: () => {
    const list: Value[] = [];
    return { take: (value) => void (value !== undefined && list.push(value)), result: () => list };
  },
  $addToSet: (context) => {
    const list: Value[] = [];
    return {
      take(value) {
        if (value !== undefined && !list.some((one) => equals(one, value, context.collate))) list.push(value);
      },
      result: () => list,
    };
  },
  $mergeObjects: () => {
    const merged: Doc = new Map();
    return {
      take(value) {
        if (value instanceof Map) for (const [name, one] of value) merged.set(name, one);
        else if (!isNullish(value)) throw location(40400, '$mergeObjects requires object inputs');
      },
      result: () => merged,
    };
  },
};

export function group(operand: Value, context: PipelineContext): Stage {
  const spec = docOf(operand, '$group');
  if (!spec.has('_id')) throw location(15955, 'a group specification must include an _id');
  const keyOf = expressionOf(spec.get('_id')!, context);
  const fields = [...spec]
    .filter(([name]) => name !== '_id')
    .map(([name, given]) => {
      if (name.includes('.') || name.startsWith('$'))
        throw location(40235, `The field name '${name}' cannot contain '.' or begin with '$'`);
      if (!(given instanceof Map) || given.size !== 1)
        throw location(40238, `The field '${name}' must specify one accumulator`);
      const [[operator, argument]] = [...given] as [[string, Value]];
      const make = Object.hasOwn(accumulators, operator) ? accumulators[operator]! : undefined;
      if (!make) throw location(15952, `unknown group operator '${operator}'`);
      return { name, make, compute: operator === '$count' ? () => null : expressionOf(argument, context) };
    });
  return function* (rows) {
    const groups = new Map<string, { key: Value; states: Accumulator[] }[]>();
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      const key = keyOf(doc) ?? null;
      const bucket = bucketOf(key, context);
      const rivals = groups.get(bucket) ?? [];
      if (rivals.length === 0) groups.set(bucket, rivals);
      let found = rivals.find((one) => equals(one.key, key, context.collate));
      if (!found) {
        found = { key, states: fields.map(({ make }) => make(context)) };
        rivals.push(found);
      }
      for (const [at, { compute }] of fields.entries()) found.states[at]!.take(compute(doc));
    }
    for (const rivals of groups.values())
      for (const { key, states } of rivals)
        yield new Map<string, Value>([
          ['_id', key],
          ...fields.map(({ name }, at): [string, Value] => [name, states[at]!.result() ?? null]),
        ]);
  };
}

/** A first division of keys: equal keys are always in one bucket. */
function bucketOf(key: Value, context: PipelineContext): string {
  if (typeof key === 'string') return context.collate ? 'text' : `s${key}`;
  if (isNumber(key)) return 'number';
  if (key instanceof Map || Array.isArray(key)) return 'composed';
  return encode({ key }).toString('latin1');
}

export function sortByCount(operand: Value, context: PipelineContext): Stage {
  const counted = group(
    new Map<string, Value>([
      ['_id', operand],
      ['count', new Map([['$sum', new Int32(1)]])],
    ]),
    context,
  );
  return function* (rows) {
    yield* (yield* gathered(counted(rows))).sort((left, right) =>
      compare(right.get('count'), left.get('count')),
    );
  };
}
