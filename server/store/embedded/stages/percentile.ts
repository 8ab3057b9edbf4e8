import type { Doc, Value } from '../bson/types.js';
import { badValue, location } from '../errors.js';
import { constantOf } from '../expressions/expression.js';
import { compareNumbers, isNumber, toDouble } from '../values/numbers.js';
import { show } from '../values/show.js';
import type { Accumulation, AccumulatorMaker } from './accumulator.js';
import { checkFields, wrongType } from './spec.js';
import { expressionOf, type Scope } from './stage.js';

/**
 * `$percentile` and `$median`. MongoDB estimates them; that an estimate is the value itself is allowed: each is the
 * least number that so great a share of all are not above.
 */

const message = "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: ";

function sharesFrom(value: Value, scope: Scope): number[] {
  const given = constantOf(expressionOf(value, scope));
  if (!given)
    throw location(
      7_750_300,
      `The $percentile 'p' field must be an array of constant values, but found value: ${show(value)}.`,
    );
  if (!Array.isArray(given.value) || given.value.length === 0)
    throw location(7_750_301, `${message}${show(given.value)}`);
  return given.value.map((share) => {
    if (!isNumber(share)) throw location(7_750_302, `${message}${show(share)}`);
    const number = toDouble(share);
    if (!(number >= 0 && number <= 1)) throw location(7_750_303, `${message}${show(share)}`);
    return number;
  });
}

function checkMethod(argument: Doc, name: string): void {
  const method = argument.get('method')!;
  if (typeof method !== 'string') throw wrongType(name, 'method', method, 'string');
  if (method !== 'approximate')
    throw badValue("Currently only 'approximate' can be used as percentile 'method'.");
}

const rank = (count: number, share: number): number =>
  share >= 1 ? count - 1 : Math.max(0, Math.ceil(count * share) - 1);

function quantiles(
  input: Value,
  scope: Scope,
  shares: number[],
  shown: (values: Value[]) => Value,
): Accumulation {
  return {
    input: expressionOf(input, scope),
    begin() {
      const numbers: number[] = [];
      let isSorted = true;
      return {
        take(value) {
          if (!isNumber(value)) return;
          numbers.push(toDouble(value));
          isSorted = false;
        },
        result() {
          if (!isSorted) numbers.sort(compareNumbers);
          isSorted = true;
          return shown(shares.map((share) => numbers[rank(numbers.length, share)] ?? null));
        },
      };
    },
    needsGroup: false,
  };
}

export const percentile: AccumulatorMaker = (argument, scope, name) => {
  if (!(argument instanceof Map))
    throw location(7_429_703, `specification must be an object; found ${show(argument)}`);
  checkFields(argument, name, ['input', 'p', 'method'], ['input', 'p', 'method']);
  checkMethod(argument, name);
  return quantiles(argument.get('input')!, scope, sharesFrom(argument.get('p')!, scope), (values) => values);
};

export const median: AccumulatorMaker = (argument, scope, name) => {
  if (!(argument instanceof Map))
    throw location(7_436_100, `specification must be an object; found ${show(argument)}`);
  checkFields(argument, name, ['input', 'method'], ['input', 'method']);
  checkMethod(argument, name);
  return quantiles(argument.get('input')!, scope, [0.5], ([value]) => value ?? null);
};
