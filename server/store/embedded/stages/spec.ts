import type { Doc, Value } from '../bson/types.js';
import { location, StoreError, typeMismatch } from '../errors.js';
import { checkFieldPath } from '../query/sort.js';
import { typeName } from '../values/compare.js';
import { isNumber, toDouble, toInteger } from '../values/numbers.js';
import { field, show } from '../values/show.js';

/** Reading what a stage is given, refused in MongoDB's words. */

/** Says of an error where it came about. */
export function within<Result>(what: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(
      error.code,
      error.codeName,
      `${what} :: caused by :: ${error.message}`,
      error.extra,
      error.labels,
    );
  }
}

/** The steps of a dotted path. */
export function pathFrom(name: string): string[] {
  checkFieldPath(name);
  return name.split('.');
}

export const missingField = (stage: string, name: string): StoreError =>
  location(40414, `BSON field '${stage}.${name}' is missing but a required field`);

export const wrongType = (stage: string, name: string, value: Value, expected: string): StoreError =>
  typeMismatch(
    `BSON field '${stage}.${name}' is the wrong type '${typeName(value)}', expected type '${expected}'`,
  );

/** Holds a specification to the fields a stage knows. */
export function checkFields(
  spec: Doc,
  stage: string,
  known: readonly string[],
  required: readonly string[] = [],
): void {
  for (const name of spec.keys())
    if (!known.includes(name)) throw location(40415, `BSON field '${stage}.${name}' is an unknown field.`);
  for (const name of required) if (!spec.has(name)) throw missingField(stage, name);
}

export function optionalDoc(spec: Doc, stage: string, name: string): Doc | undefined {
  const value = spec.get(name);
  if (value !== undefined && !(value instanceof Map)) throw wrongType(stage, name, value, 'object');
  return value;
}

export function optionalText(spec: Doc, stage: string, name: string): string | undefined {
  const value = spec.get(name);
  if (value !== undefined && typeof value !== 'string') throw wrongType(stage, name, value, 'string');
  return value;
}

export function optionalTexts(spec: Doc, stage: string, name: string): string[] | undefined {
  const value = spec.get(name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrongType(stage, name, value, 'array');
  return value.map((one, n) => {
    if (typeof one !== 'string') throw wrongType(stage, `${name}.${n}`, one, 'string');
    return one;
  });
}

/** The whole number a stage such as `$limit` is given. */
export function count(stage: string, operand: Value, code: number): number {
  const refuse = (why: string) =>
    location(code, `invalid argument to ${stage} stage: ${why}: ${field(stage, operand)}`);
  if (!isNumber(operand)) throw refuse('Expected a number in');
  const whole = toInteger(operand);
  if (whole === null)
    throw refuse(
      Number.isNaN(toDouble(operand)) ? 'Expected an integer, but found NaN in' : 'Expected an integer',
    );
  if (whole < 0n) throw refuse('Expected a non-negative number in');
  if (whole > 2n ** 63n - 1n) throw refuse('Cannot represent as a 64-bit integer');
  return Number(whole);
}

/** The stages of a pipeline within a stage. */
export function stagesFrom(value: Value | undefined, refuse: (shown: string) => StoreError): Doc[] {
  if (!Array.isArray(value)) throw refuse(show(value));
  return value.map((one) => {
    if (!(one instanceof Map)) throw refuse(show(value));
    return one;
  });
}
