import { Int32 } from 'bson';
import type { Value } from '../bson/types.js';
import { badValue, typeMismatch } from '../errors.js';
import { typeName } from '../values/compare.js';
import { add, isNumber, multiply, type Numeric } from '../values/numbers.js';
import { identical } from './identical.js';
import type { MakeLeaf, Run } from './leaf.js';
import { field, idOf } from './show.js';

/** Operators that compute: `$inc`, `$mul`, `$bit`. */

const creates = { kind: 'leaf', obstacle: 'cannot create', depth: 0 } as const;

const isWhole = (value: Value): value is bigint | Int32 =>
  typeof value === 'bigint' || value instanceof Int32;

interface Arithmetic {
  readonly name: string;
  readonly verb: string;
  compute(left: Numeric, right: Numeric): Numeric;
  /** What is made of the operand where there is no number yet. */
  begin(operand: Numeric): Numeric;
}

const arithmetic =
  ({ name, verb, compute, begin }: Arithmetic): MakeLeaf =>
  (operand, path) => {
    if (!isNumber(operand))
      throw typeMismatch(`Cannot ${verb} with non-numeric argument: {${field(path, operand)}}`);
    return {
      ...creates,
      change: (current, run) => {
        if (!isNumber(current))
          throw typeMismatch(
            `Cannot apply ${name} to a value of non-numeric type. {${idOf(run.root)}} has the field '${run.path.at(-1)}' of non-numeric type ${typeName(current)}`,
          );
        const result = compute(current, operand);
        // Whole numbers whose result is none outgrew 64 bits: nothing may be lost of them.
        if (typeof result === 'number' && isWhole(current) && isWhole(operand))
          throw badValue(
            `Failed to apply ${name} operations to current value (${shownSafely(current)}) for document {${idOf(run.root)}}`,
          );
        return identical(result, current) ? current : result;
      },
      create: () => begin(operand),
    };
  };

const shownSafely = (value: bigint | Int32): string =>
  `(${typeof value === 'bigint' ? 'NumberLong' : 'NumberInt'})${value.toString()}`;

export const inc = arithmetic({ name: '$inc', verb: 'increment', compute: add, begin: (operand) => operand });
export const mul = arithmetic({
  name: '$mul',
  verb: 'multiply',
  compute: multiply,
  begin: (operand) => multiply(new Int32(0), operand),
});

type Bits = (left: bigint, right: bigint) => bigint;

const bitOperations = new Map<string, Bits>([
  ['and', (left, right) => left & right],
  ['or', (left, right) => left | right],
  ['xor', (left, right) => left ^ right],
]);

export const bit: MakeLeaf = (operand) => {
  if (!(operand instanceof Map))
    throw badValue(
      `The $bit modifier is not compatible with a ${typeName(operand)}. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}`,
    );
  const steps = [...operand].map(([name, value]) => bitStep(name, value));
  if (steps.length === 0)
    throw badValue(
      'You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}',
    );
  const compute = (start: bigint | Int32) => steps.reduce((value, step) => step(value), start);
  return {
    ...creates,
    change: (current, run) => {
      if (!isWhole(current)) throw notWhole(current, run);
      const result = compute(current);
      return identical(result, current) ? current : result;
    },
    create: () => compute(new Int32(0)),
  };
};

function bitStep(name: string, value: Value): (current: bigint | Int32) => bigint | Int32 {
  const operation = bitOperations.get(name);
  if (!operation)
    throw badValue(
      `The $bit modifier only supports 'and', 'or', and 'xor', not '${name}' which is an unknown operator: {${field(name, value)}}`,
    );
  if (!isWhole(value))
    throw badValue(
      `The $bit modifier field must be an Integer(32/64 bit); a '${typeName(value)}' is not supported here: {${field(name, value)}}`,
    );
  return (current) => {
    const result = operation(wholeOf(current), wholeOf(value));
    return current instanceof Int32 && value instanceof Int32 ? new Int32(Number(result)) : result;
  };
}

const wholeOf = (value: bigint | Int32): bigint => (typeof value === 'bigint' ? value : BigInt(value.value));

const notWhole = (current: Value, run: Run) =>
  badValue(
    `Cannot apply $bit to a value of non-integral type.${idOf(run.root)} has the field ${run.path.at(-1)} of non-integer type ${typeName(current)}`,
  );
