import type { Doc, Value } from '../bson/types.js';
import { location, type StoreError } from '../errors.js';
import { type Expression, folded, isNullish, type Operator, type Scope } from './expression.js';

/** The operands of `{ $name: [a, b] }`, or the one of `{ $name: a }`. */
export function operandsOf(argument: Value, scope: Scope): Expression[] {
  return (Array.isArray(argument) ? argument : [argument]).map((one) => scope.compile(one));
}

function counted(argument: Value, scope: Scope, name: string, count: number): Expression[] {
  const operands = operandsOf(argument, scope);
  if (operands.length !== count)
    throw location(
      16020,
      `Expression ${name} takes exactly ${count} arguments. ${operands.length} were passed in.`,
    );
  return operands;
}

type Evaluated = Value | undefined;

/** An operator of one operand that looks at nothing but its value. */
export function unary(evaluate: (value: Evaluated, name: string, scope: Scope) => Evaluated): Operator {
  return (argument, scope, name) => {
    const [operand] = counted(argument, scope, name, 1) as [Expression];
    return folded((doc, variables) => evaluate(operand(doc, variables), name, scope), [operand]);
  };
}

/** An operator of two operands that looks at nothing but their values. */
export function binary(
  evaluate: (first: Evaluated, second: Evaluated, name: string, scope: Scope) => Evaluated,
): Operator {
  return (argument, scope, name) => {
    const [first, second] = counted(argument, scope, name, 2) as [Expression, Expression];
    return folded(
      (doc, variables) => evaluate(first(doc, variables), second(doc, variables), name, scope),
      [first, second],
    );
  };
}

/** An operator of between `least` and `most` operands that looks at nothing but their values. */
export function ranged(
  least: number,
  most: number,
  evaluate: (values: Evaluated[], name: string, scope: Scope) => Evaluated,
): Operator {
  return (argument, scope, name) => {
    const operands = least === most ? counted(argument, scope, name, least) : operandsOf(argument, scope);
    if (operands.length < least || operands.length > most)
      throw location(
        28667,
        `Expression ${name} takes at least ${least} arguments, and at most ${most}, but ${operands.length} were passed in.`,
      );
    return folded(
      (doc, variables) =>
        evaluate(
          operands.map((operand) => operand(doc, variables)),
          name,
          scope,
        ),
      operands,
    );
  };
}

/**
 * An operator of any number of operands that is null as soon as one of them is: those after it are not looked at.
 * `check` refuses a value of a wrong type, in the order of the operands.
 */
export function untilNull(
  check: (value: Value, name: string, index: number) => void,
  evaluate: (values: Value[], name: string, scope: Scope) => Evaluated,
): Operator {
  return (argument, scope, name) => {
    const operands = operandsOf(argument, scope);
    return folded((doc, variables) => {
      const values: Value[] = [];
      for (const operand of operands) {
        const value = operand(doc, variables);
        if (isNullish(value)) return null;
        check(value, name, values.length);
        values.push(value);
      }
      return evaluate(values, name, scope);
    }, operands);
  };
}

/** How an operator refuses parameters: MongoDB gives each of them its own numbers. */
export interface ParameterRules {
  names: readonly string[];
  notAnObject: () => StoreError;
  unknown: (parameter: string) => StoreError;
}

/** The parameters of `{ $name: { a: ..., b: ... } }`. */
export function parametersOf(argument: Value, rules: ParameterRules): Doc {
  if (!(argument instanceof Map)) throw rules.notAnObject();
  for (const parameter of argument.keys())
    if (!rules.names.includes(parameter)) throw rules.unknown(parameter);
  return argument;
}

export function required(parameters: Doc, name: string, refusal: () => StoreError): Value {
  const value = parameters.get(name);
  if (value === undefined) throw refusal();
  return value;
}

/** The parameter compiled, or `undefined` when it was not given. */
export function optional(parameters: Doc, name: string, scope: Scope): Expression | undefined {
  const value = parameters.get(name);
  return value === undefined ? undefined : scope.compile(value);
}
