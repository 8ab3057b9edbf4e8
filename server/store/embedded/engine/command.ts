import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import { typeName } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';

/** Reading a command's fields: what is of the wrong type is refused in MongoDB's words, never guessed at. */

export const nameOf = (command: Doc): string => command.keys().next().value ?? '';

const wrongType = (field: string, value: Value, expected: string) =>
  new StoreError(
    14,
    'TypeMismatch',
    `BSON field '${field}' is the wrong type '${typeName(value)}', expected type '${expected}'`,
  );

export function text(command: Doc, field: string): string {
  const value = command.get(field);
  if (typeof value === 'string') return value;
  if (value === undefined) throw missing(field);
  throw wrongType(field, value, 'string');
}

export const missing = (field: string) =>
  new StoreError(40414, 'Location40414', `BSON field '${field}' is missing but a required field`);

export function optionalText(command: Doc, field: string): string | undefined {
  return command.has(field) ? text(command, field) : undefined;
}

/** A document, if there is one; an empty one is given as it is. */
export function optionalDoc(command: Doc, field: string): Doc | undefined {
  const value = command.get(field);
  if (value === undefined || value === null) return undefined;
  if (value instanceof Map) return value;
  throw wrongType(field, value, 'object');
}

export const doc = (command: Doc, field: string): Doc => optionalDoc(command, field) ?? new Map();

export function requiredDoc(command: Doc, field: string): Doc {
  const value = optionalDoc(command, field);
  if (!value) throw missing(field);
  return value;
}

export function optionalNumber(command: Doc, field: string): number | undefined {
  const value = command.get(field);
  if (value === undefined || value === null) return undefined;
  if (!isNumber(value)) throw wrongType(field, value, 'long');
  return toDouble(value);
}

export const number = (command: Doc, field: string, fallback: number): number =>
  optionalNumber(command, field) ?? fallback;

/** A count: no number below zero. As MongoDB's own reading, one that is none is 0, and one too large the largest. */
export function count(command: Doc, field: string, fallback: number): number {
  const value = number(command, field, fallback);
  if (!(value >= 0))
    throw new StoreError(
      51024,
      'Location51024',
      `BSON field '${field}' value must be >= 0, actual value '${value}'`,
    );
  return Number.isNaN(value) ? 0 : Math.min(Math.trunc(value), Number.MAX_SAFE_INTEGER);
}

/** Booleans, and numbers, which MongoDB takes for them. */
export function flag(command: Doc, field: string, fallback = false): boolean {
  const value = command.get(field);
  if (value === undefined || value === null) return fallback;
  if (typeof value === 'boolean') return value;
  if (isNumber(value)) return toDouble(value) !== 0;
  throw wrongType(field, value, 'bool');
}

export function list(command: Doc, field: string): Value[] {
  const value = command.get(field);
  if (Array.isArray(value)) return value;
  if (value === undefined) throw missing(field);
  throw wrongType(field, value, 'array');
}

export function docs(command: Doc, field: string): Doc[] {
  return list(command, field).map((one, at) => {
    if (one instanceof Map) return one;
    throw wrongType(`${field}.${at}`, one, 'object');
  });
}

export function long(command: Doc, field: string): bigint {
  const value = command.get(field);
  if (typeof value === 'bigint') return value;
  if (value === undefined) throw missing(field);
  const whole = isNumber(value) ? Math.trunc(toDouble(value)) : Number.NaN;
  if (!Number.isFinite(whole)) throw wrongType(field, value, 'long');
  return BigInt(whole);
}

/** What any command may carry. */
const generic = new Set([
  '$db',
  '$clusterTime',
  '$readPreference',
  '$configServerState',
  'lsid',
  'txnNumber',
  'autocommit',
  'startTransaction',
  'stmtId',
  'stmtIds',
  'readConcern',
  'writeConcern',
  'maxTimeMS',
  'maxTimeMSOpOnly',
  'comment',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
  'databaseVersion',
  'shardVersion',
  '$audit',
  '$client',
  'help',
]);

/** @throws StoreError 40415 for a field that the command does not have */
export function allow(command: Doc, name: string, fields: ReadonlySet<string>): void {
  for (const field of command.keys())
    if (!fields.has(field) && !generic.has(field) && field !== nameOf(command))
      throw new StoreError(40415, 'Location40415', `BSON field '${name}.${field}' is an unknown field.`);
}
