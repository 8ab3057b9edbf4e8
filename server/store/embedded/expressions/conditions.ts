import { Decimal128, Int32 } from 'bson';
import type { Value } from '../bson/types.js';
import { location } from '../errors.js';
import { elements } from './elements.js';
import { constant, type Expression, folded, isNullish, type Operator, type Scope } from './expression.js';
import { operandsOf, parametersOf, ranged, required, unary } from './operands.js';

/** What counts as true: anything but false, zero, null and missing. An empty string, an empty array and NaN are true. */
export function isTruthy(value: Value | undefined): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'bigint') return value !== 0n;
  if (value instanceof Int32) return value.value !== 0;
  if (value instanceof Decimal128) return !/^-?0+(\.0+)?(E|$)/.test(value.toString());
  return !isNullish(value);
}

/** `$and` and `$or`: the operands after the one that decides are not looked at. */
const deciding =
  (decision: boolean): Operator =>
  (argument, scope) => {
    const operands = operandsOf(argument, scope);
    return folded((doc, variables) => {
      for (const operand of operands) if (isTruthy(operand(doc, variables)) === decision) return decision;
      return !decision;
    }, operands);
  };

const choose = (test: Expression, then: Expression, otherwise: Expression): Expression =>
  folded(
    (doc, variables) => (isTruthy(test(doc, variables)) ? then(doc, variables) : otherwise(doc, variables)),
    [test, then, otherwise],
  );

function cond(argument: Value, scope: Scope, name: string): Expression {
  if (!(argument instanceof Map)) {
    const operands = operandsOf(argument, scope);
    const [test, then, otherwise] = operands;
    if (operands.length === 3) return choose(test!, then!, otherwise!);
    throw location(16020, `Expression ${name} takes exactly 3 arguments. ${operands.length} were passed in.`);
  }
  const parameters = parametersOf(argument, {
    names: ['if', 'then', 'else'],
    notAnObject: () => location(17080, "Missing 'if' parameter to $cond"),
    unknown: (parameter) => location(17083, `Unrecognized parameter to $cond: ${parameter}`),
  });
  const part = (parameter: string, code: number) =>
    scope.compile(
      required(parameters, parameter, () => location(code, `Missing '${parameter}' parameter to $cond`)),
    );
  return choose(part('if', 17080), part('then', 17081), part('else', 17082));
}

function ifNull(argument: Value, scope: Scope): Expression {
  const operands = operandsOf(argument, scope);
  if (operands.length < 2)
    throw location(1257300, `$ifNull needs at least two arguments, had: ${operands.length}`);
  return folded((doc, variables) => {
    let value: Value | undefined;
    for (const operand of operands) {
      value = operand(doc, variables);
      if (!isNullish(value)) break;
    }
    return value;
  }, operands);
}

interface Branch {
  test: Expression;
  result: Expression;
}

function switchCase(argument: Value, scope: Scope): Expression {
  const parameters = parametersOf(argument, {
    names: ['branches', 'default'],
    notAnObject: () => location(40060, '$switch requires an object as an argument'),
    unknown: (parameter) => location(40067, `$switch found an unknown argument: ${parameter}`),
  });
  const list = parameters.get('branches') ?? [];
  if (!Array.isArray(list)) throw location(40061, "$switch expected an array for 'branches'");
  const branches = list.map((one) => branchOf(one, scope));
  if (branches.length === 0) throw location(40068, '$switch requires at least one branch.');
  const fallback = parameters.has('default') ? scope.compile(parameters.get('default')!) : undefined;
  return folded(
    (doc, variables) => {
      for (const { test, result } of branches)
        if (isTruthy(test(doc, variables))) return result(doc, variables);
      if (fallback) return fallback(doc, variables);
      throw location(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    },
    [...branches.flatMap(({ test, result }) => [test, result]), fallback],
  );
}

function branchOf(argument: Value, scope: Scope): Branch {
  const parameters = parametersOf(argument, {
    names: ['case', 'then'],
    notAnObject: () => location(40062, '$switch expected each branch to be an object'),
    unknown: (parameter) => location(40063, `$switch found an unknown argument to a branch: ${parameter}`),
  });
  const test = required(parameters, 'case', () =>
    location(40064, "$switch requires each branch have a 'case' expression"),
  );
  const then = required(parameters, 'then', () =>
    location(40065, "$switch requires each branch have a 'then' expression."),
  );
  return { test: scope.compile(test), result: scope.compile(then) };
}

const literal: Operator = (argument) => constant(argument);

export const conditions: Record<string, Operator> = {
  $and: deciding(false),
  $or: deciding(true),
  $not: unary((value) => !isTruthy(value)),
  $cond: cond,
  $ifNull: ifNull,
  $switch: switchCase,
  $literal: literal,
  $const: literal,
  // Elements of one array, which for these two may not be null.
  $allElementsTrue: ranged(1, 1, ([list], name) => elements(list, name, 17040).every(isTruthy)),
  $anyElementTrue: ranged(1, 1, ([list], name) => elements(list, name, 17041).some(isTruthy)),
};
