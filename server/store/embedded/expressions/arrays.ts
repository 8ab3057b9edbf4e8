import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { compileSort } from '../query/sort.js';
import { compare, equals, typeName } from '../values/compare.js';
import { add, divide, isNumber, type Numeric, toDouble, toInteger } from '../values/numbers.js';
import { isTruthy } from './conditions.js';
import { elements } from './elements.js';
import {
  type Expression,
  folded,
  isNullish,
  type Operator,
  type Scope,
  type Variables,
} from './expression.js';
import { operandsOf, optional, parametersOf, ranged, required, unary } from './operands.js';
import { assertBindable } from './variables.js';

/** Arrays, and operators that look at several values as one does at an array. */

type Evaluated = Value | undefined;

const whole = (value: Evaluated, what: string, code: number): number => {
  const number = isNumber(value) ? toInteger(value) : null;
  if (number === null || number > 2n ** 31n || number < -(2n ** 31n))
    throw location(code, `${what} must be a 32-bit integer, but is ${typeName(value)}`);
  return Number(number);
};

function at(list: Evaluated, index: Evaluated, name: string): Evaluated {
  if (isNullish(list) || isNullish(index)) return null;
  const all = elements(list, name, 28689);
  const place = whole(index, `${name}'s second argument`, 28691);
  return all[place < 0 ? all.length + place : place];
}

/** A value for each element, which stands in a variable meanwhile. */
function over(
  argument: Value,
  scope: Scope,
  name: string,
  parts: { input: string; inner: string },
  evaluate: (
    list: Value[],
    inner: (item: Value) => Evaluated,
    parameters: Doc,
    variables: Variables,
    doc: Doc,
  ) => Evaluated,
  names: readonly string[],
): Expression {
  const parameters = parametersOf(argument, {
    names: ['as', parts.input, parts.inner, ...names],
    notAnObject: () => location(28646, `${name} only supports an object as its argument`),
    unknown: (parameter) => location(28647, `Unrecognized parameter to ${name}: ${parameter}`),
  });
  const given = parameters.get('as');
  const variable = given === undefined ? 'this' : String(given);
  assertBindable(variable);
  const input = scope.compile(
    required(parameters, parts.input, () => location(28648, `Missing '${parts.input}' parameter to ${name}`)),
  );
  const inner = scope
    .binding([variable])
    .compile(
      required(parameters, parts.inner, () =>
        location(28650, `Missing '${parts.inner}' parameter to ${name}`),
      ),
    );
  return (doc, variables) => {
    const list = input(doc, variables);
    if (isNullish(list)) return null;
    const bound: Variables = new Map(variables);
    const each = (item: Value) => inner(doc, bound.set(variable, item));
    return evaluate(elements(list, name, 28651), each, parameters, variables, doc);
  };
}

const filter: Operator = (argument, scope, name) => {
  const limit = argument instanceof Map ? optional(argument, 'limit', scope) : undefined;
  return over(
    argument,
    scope,
    name,
    { input: 'input', inner: 'cond' },
    (list, test, _, variables, doc) => {
      const most = limit ? limit(doc, variables) : null;
      const count = isNullish(most) ? Number.POSITIVE_INFINITY : whole(most, "$filter's limit", 327391);
      const kept: Value[] = [];
      for (const item of list) {
        if (kept.length >= count) break;
        if (isTruthy(test(item))) kept.push(item);
      }
      return kept;
    },
    ['limit'],
  );
};

const map: Operator = (argument, scope, name) =>
  over(
    argument,
    scope,
    name,
    { input: 'input', inner: 'in' },
    (list, each) => list.map((item) => each(item) ?? null),
    [],
  );

const reduce: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, {
    names: ['input', 'initialValue', 'in'],
    notAnObject: () => location(40075, '$reduce requires an object as an argument'),
    unknown: (parameter) => location(40076, `$reduce found an unknown argument: ${parameter}`),
  });
  const need = (part: string, code: number) =>
    required(parameters, part, () => location(code, `$reduce requires '${part}' to be specified`));
  const input = scope.compile(need('input', 40077));
  const initial = scope.compile(need('initialValue', 40078));
  const inner = scope.binding(['this', 'value']).compile(need('in', 40079));
  return (doc, variables) => {
    const list = input(doc, variables);
    if (isNullish(list)) return null;
    const bound: Variables = new Map(variables);
    return elements(list, name, 40080).reduce<Evaluated>(
      (so, item) => inner(doc, bound.set('value', so).set('this', item)),
      initial(doc, variables),
    );
  };
};

function concat(lists: Evaluated[], name: string): Evaluated {
  if (lists.some(isNullish)) return null;
  return lists.flatMap((list) => elements(list, name, 28664));
}

function slice([list, first, second]: Evaluated[], name: string): Evaluated {
  if (isNullish(list) || isNullish(first) || (second !== undefined && isNullish(second))) return null;
  const all = elements(list, name, 28724);
  const start = whole(first, 'the second argument to $slice', 28725);
  if (second === undefined) return start < 0 ? all.slice(start) : all.slice(0, start);
  const count = whole(second, 'the third argument to $slice', 28727);
  if (count <= 0) throw location(28729, 'Third argument to $slice must be positive');
  const from = start < 0 ? Math.max(0, all.length + start) : start;
  return all.slice(from, from + count);
}

function range([start, end, step = new Int32(1)]: Evaluated[]): Evaluated {
  const [from, to, by] = [
    whole(start, '$range start', 34443),
    whole(end, '$range end', 34445),
    whole(step, '$range step', 34447),
  ];
  if (by === 0) throw location(34449, '$range requires a non-zero step value');
  const list: Value[] = [];
  for (let value = from; by > 0 ? value < to : value > to; value += by) list.push(new Int32(value));
  return list;
}

const indexOf: Operator = ranged(2, 4, ([list, wanted, start, end], name, { collate }) => {
  if (isNullish(list)) return null;
  const all = elements(list, name, 40090);
  const from = start === undefined ? 0 : whole(start, 'start', 40096);
  const to = end === undefined ? all.length : whole(end, 'end', 40096);
  if (from < 0 || to < 0)
    throw location(40097, '$indexOfArray requires nonnegative starting and ending indexes');
  const place = all.findIndex((item, index) => index >= from && index < to && equals(item, wanted, collate));
  return new Int32(place);
});

const zip: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, {
    names: ['inputs', 'useLongestLength', 'defaults'],
    notAnObject: () => location(34460, '$zip only supports an object as an argument'),
    unknown: (parameter) => location(34464, `$zip found an unknown argument: ${parameter}`),
  });
  const inputs = scope.compile(
    required(parameters, 'inputs', () => location(34465, '$zip requires at least one input array')),
  );
  const defaults = optional(parameters, 'defaults', scope);
  const isLongest = parameters.get('useLongestLength') === true;
  return (doc, variables) => {
    const given = elements(inputs(doc, variables), name, 34461);
    if (given.some(isNullish)) return null;
    const lists = given.map((one) => elements(one, name, 34468));
    const fill = defaults ? elements(defaults(doc, variables), name, 34462) : [];
    const lengths = lists.map((list) => list.length);
    const length = lengths.length === 0 ? 0 : isLongest ? Math.max(...lengths) : Math.min(...lengths);
    return Array.from({ length }, (_, index) => lists.map((list, nth) => list[index] ?? fill[nth] ?? null));
  };
};

const sortArray: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, {
    names: ['input', 'sortBy'],
    notAnObject: () => location(2942500, '$sortArray requires an object as an argument'),
    unknown: (parameter) => location(2942501, `$sortArray found an unknown argument: ${parameter}`),
  });
  const input = scope.compile(
    required(parameters, 'input', () => location(2942502, "$sortArray requires 'input' to be specified")),
  );
  const by = required(parameters, 'sortBy', () =>
    location(2942503, "$sortArray requires 'sortBy' to be specified"),
  );
  const direction = isNumber(by) ? toDouble(by) : 1;
  const byFields = by instanceof Map ? compileSort(by, scope.collate) : null;
  return (doc, variables) => {
    const list = input(doc, variables);
    if (isNullish(list)) return null;
    const asDoc = (value: Value): Doc => (value instanceof Map ? value : new Map());
    return [...elements(list, name, 2942504)].sort((left, right) =>
      byFields ? byFields(asDoc(left), asDoc(right)) : compare(left, right, scope.collate) * direction,
    );
  };
};

function toObject(list: Evaluated, name: string): Evaluated {
  if (isNullish(list)) return null;
  const made: Doc = new Map();
  for (const item of elements(list, name, 40386)) {
    const [key, value] = Array.isArray(item)
      ? item
      : item instanceof Map
        ? [item.get('k'), item.get('v')]
        : [];
    if (typeof key !== 'string' || value === undefined)
      throw location(
        40394,
        '$arrayToObject requires pairs: arrays of two, or objects of k and v, whose key is a string',
      );
    made.set(key, value);
  }
  return made;
}

/** `$firstN` and its kin. */
const several =
  (take: (list: Value[], count: number, scope: Scope) => Value[]): Operator =>
  (argument, scope, name) => {
    const parameters = parametersOf(argument, {
      names: ['n', 'input'],
      notAnObject: () => location(5787801, `${name} requires an object`),
      unknown: (parameter) => location(5787901, `Unknown argument for ${name}: ${parameter}`),
    });
    const count = scope.compile(required(parameters, 'n', () => location(5787906, `Missing value for 'n'`)));
    const input = scope.compile(
      required(parameters, 'input', () => location(5787907, `Missing value for 'input'`)),
    );
    return (doc, variables) => {
      const n = whole(count(doc, variables), "'n'", 5787902);
      if (n <= 0) throw location(5787908, `'n' must be greater than 0, found ${n}`);
      return take(elements(input(doc, variables), name, 5788200), n, scope);
    };
  };

const present = (list: Value[]) => list.filter((item) => !isNullish(item));

/** What `$sum` and its kin look at: several operands, or the elements of one array. */
const gathering =
  (evaluate: (values: Evaluated[], scope: Scope) => Evaluated): Operator =>
  (argument, scope) => {
    const operands = operandsOf(argument, scope);
    return folded((doc, variables) => {
      const values = operands.map((operand) => operand(doc, variables));
      const [only] = values;
      return evaluate(values.length === 1 && Array.isArray(only) ? only : values, scope);
    }, operands);
  };

const total = (values: Evaluated[]): Numeric =>
  values.filter((value): value is Numeric => isNumber(value)).reduce<Numeric>(add, new Int32(0));

function best(values: Evaluated[], direction: 1 | -1, { collate }: Scope): Evaluated {
  let found: Evaluated;
  for (const value of values)
    if (!isNullish(value) && (found === undefined || compare(value, found, collate) * direction > 0))
      found = value;
  return found ?? null;
}

function deviation(values: Evaluated[], isSample: boolean): Evaluated {
  const numbers = values.filter((value): value is Numeric => isNumber(value)).map(toDouble);
  if (numbers.length < (isSample ? 2 : 1)) return null;
  const mean = numbers.reduce((so, value) => so + value, 0) / numbers.length;
  const squares = numbers.reduce((so, value) => so + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (numbers.length - (isSample ? 1 : 0)));
}

export const arrays: Record<string, Operator> = {
  $arrayElemAt: ranged(2, 2, ([list, index], name) => at(list, index, name)),
  $first: gatherFirst(0),
  $last: gatherFirst(-1),
  $concatArrays: ranged(0, 100_000, concat),
  $filter: filter,
  $map: map,
  $reduce: reduce,
  $in: ranged(2, 2, ([wanted, list], name, { collate }) =>
    elements(list, name, 40081).some((item) => equals(item, wanted, collate)),
  ),
  $indexOfArray: indexOf,
  $isArray: unary((value) => Array.isArray(value)),
  $range: ranged(2, 3, range),
  $reverseArray: unary((list, name) => (isNullish(list) ? null : [...elements(list, name, 34435)].reverse())),
  $size: unary((list, name) => new Int32(elements(list, name, 17124).length)),
  $slice: ranged(2, 3, slice),
  $zip: zip,
  $sortArray: sortArray,
  $arrayToObject: unary(toObject),
  $objectToArray: unary((value) => {
    if (isNullish(value)) return null;
    if (!(value instanceof Map))
      throw location(40390, `$objectToArray requires a document input, found: ${typeName(value)}`);
    return [...value].map(
      ([k, v]): Doc =>
        new Map<string, Value>([
          ['k', k],
          ['v', v],
        ]),
    );
  }),
  $firstN: several((list, n) => list.slice(0, n)),
  $lastN: several((list, n) => list.slice(-n)),
  $maxN: several((list, n, { collate }) =>
    present(list)
      .sort((left, right) => compare(right, left, collate))
      .slice(0, n),
  ),
  $minN: several((list, n, { collate }) =>
    present(list)
      .sort((left, right) => compare(left, right, collate))
      .slice(0, n),
  ),
  $sum: gathering(total),
  $avg: gathering((values) => {
    const count = values.filter(isNumber).length;
    return count === 0 ? null : divide(total(values), new Int32(count));
  }),
  $max: gathering((values, scope) => best(values, 1, scope)),
  $min: gathering((values, scope) => best(values, -1, scope)),
  $stdDevPop: gathering((values) => deviation(values, false)),
  $stdDevSamp: gathering((values) => deviation(values, true)),
};

function gatherFirst(index: 0 | -1): Operator {
  return unary((list, name) => (isNullish(list) ? null : elements(list, name, 28689).at(index)));
}
