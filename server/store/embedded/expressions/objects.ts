import { Binary, Int32, Timestamp } from 'bson';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import { typeName } from '../values/compare.js';
import { constantOf, isNullish, type Operator, type Scope, type Variables } from './expression.js';
import { operandsOf, optional, parametersOf, required, unary } from './operands.js';
import { assertBindable } from './variables.js';

/** Documents: merged, read and written by names that no path can say. */

const mergeObjects: Operator = (argument, scope) => {
  const operands = operandsOf(argument, scope);
  return (doc, variables) => {
    const values = operands.map((operand) => operand(doc, variables));
    const [only] = values;
    const merged: Doc = new Map();
    for (const value of values.length === 1 && Array.isArray(only) ? only : values) {
      if (isNullish(value)) continue;
      if (!(value instanceof Map))
        throw location(
          40400,
          `$mergeObjects requires object inputs, but input is of type ${typeName(value)}`,
        );
      for (const [name, one] of value) merged.set(name, one);
    }
    return merged;
  };
};

/** A name must be known when the expression is compiled. */
function constantName(value: Value, scope: Scope, name: string, codes: [number, number]): string {
  const known = constantOf(scope.compile(value));
  if (!known) throw location(codes[0], `${name} requires 'field' to be a constant`);
  if (typeof known.value !== 'string')
    throw location(codes[1], `${name} requires 'field' to evaluate to type String`);
  return known.value;
}

const getField: Operator = (argument, scope, name) => {
  const isShort = !(argument instanceof Map) || argument.keys().next().value?.startsWith('$') === true;
  const parameters: Doc = isShort
    ? new Map([['field', argument]])
    : parametersOf(argument as Doc, {
        names: ['field', 'input'],
        notAnObject: () => location(3041700, '$getField requires an object'),
        unknown: (parameter) => location(3041701, `$getField found an unknown argument: ${parameter}`),
      });
  const field = constantName(
    required(parameters, 'field', () => location(3041702, "$getField requires 'field'")),
    scope,
    name,
    [5654600, 5654602],
  );
  const input = parameters.has('input') ? optional(parameters, 'input', scope) : undefined;
  return (doc, variables) => {
    const source = input ? input(doc, variables) : doc;
    if (isNullish(source)) return source === undefined ? undefined : null;
    return source instanceof Map ? source.get(field) : undefined;
  };
};

function setter(
  parameters: Doc,
  scope: Scope,
  name: string,
  value: ReturnType<Scope['compile']>,
): ReturnType<Scope['compile']> {
  const field = constantName(
    required(parameters, 'field', () => location(4161102, `${name} requires 'field' to be specified`)),
    scope,
    name,
    [4161106, 4161107],
  );
  const input = scope.compile(
    required(parameters, 'input', () => location(4161109, `${name} requires 'input' to be specified`)),
  );
  return (doc, variables) => {
    const source = input(doc, variables);
    if (isNullish(source)) return null;
    if (!(source instanceof Map))
      throw location(4161105, `${name} requires 'input' to evaluate to type Object`);
    const made = new Map(source);
    const given = value(doc, variables);
    if (given === undefined) made.delete(field);
    else made.set(field, given);
    return made;
  };
}

const rules = (name: string, names: string[]) => ({
  names,
  notAnObject: () => location(4161100, `${name} only supports an object as its argument`),
  unknown: (parameter: string) => location(4161101, `${name} found an unknown argument: ${parameter}`),
});

const setField: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, rules(name, ['field', 'input', 'value']));
  const value = scope.compile(
    required(parameters, 'value', () => location(4161103, "$setField requires 'value' to be specified")),
  );
  return setter(parameters, scope, name, value);
};

const unsetField: Operator = (argument, scope, name) =>
  setter(parametersOf(argument, rules(name, ['field', 'input'])), scope, name, () => undefined);

const letIn: Operator = (argument, scope) => {
  const parameters = parametersOf(argument, {
    names: ['vars', 'in'],
    notAnObject: () => location(16874, '$let only supports an object as its argument'),
    unknown: (parameter) => location(16875, `Unrecognized parameter to $let: ${parameter}`),
  });
  const given = required(parameters, 'vars', () => location(16876, "Missing 'vars' parameter to $let"));
  if (!(given instanceof Map)) throw location(10065, 'invalid parameter: expected an object (vars)');
  const bound = [...given].map(([name, value]) => {
    assertBindable(name);
    return [name, scope.compile(value)] as const;
  });
  const inner = scope
    .binding(bound.map(([name]) => name))
    .compile(required(parameters, 'in', () => location(16877, "Missing 'in' parameter to $let")));
  return (doc, variables) => {
    const within: Variables = new Map(variables);
    for (const [name, value] of bound) within.set(name, value(doc, variables));
    return inner(doc, within);
  };
};

const refused = (): Operator => (_argument, _scope, name) => {
  throw new StoreError(
    168,
    'InvalidPipelineOperator',
    `${name} runs code of its own, which this store does not`,
  );
};

function ofTimestamp(part: (value: Timestamp) => number): Operator {
  return unary((value, name) => {
    if (isNullish(value)) return null;
    if (!(value instanceof Timestamp))
      throw location(5687301, `${name} requires a timestamp argument, found: ${typeName(value)}`);
    return BigInt(part(value));
  });
}

export const objects: Record<string, Operator> = {
  $mergeObjects: mergeObjects,
  $getField: getField,
  $setField: setField,
  $unsetField: unsetField,
  $let: letIn,
  $bsonSize: unary((value) => {
    if (isNullish(value)) return null;
    if (!(value instanceof Map))
      throw location(31393, `$bsonSize requires a document input, found: ${typeName(value)}`);
    return new Int32(encode(value).length);
  }),
  $binarySize: unary((value) => {
    if (isNullish(value)) return null;
    if (typeof value === 'string') return new Int32(Buffer.byteLength(value));
    if (value instanceof Binary) return new Int32(value.position);
    throw location(51276, `$binarySize requires a string or BinData argument, found: ${typeName(value)}`);
  }),
  $function: refused(),
  $accumulator: refused(),
  $toHashedIndexKey: refused(),
  $meta: refused(),
  $tsSecond: ofTimestamp((value) => value.getHighBitsUnsigned()),
  $tsIncrement: ofTimestamp((value) => value.getLowBitsUnsigned()),
};
