import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';

/** @throws StoreError when MongoDB would not have the name as a part of a path */
export function assertFieldName(name: string): void {
  if (name === '') throw location(15998, 'FieldPath field names may not be empty strings.');
  if (name.startsWith('$'))
    throw location(
      16410,
      `FieldPath field names may not start with '$'. Consider using $getField or $setField. Got '${name}'`,
    );
  if (name.includes('\0')) throw location(16411, "FieldPath field names may not contain '\\0'.");
  if (name.includes('.'))
    throw location(
      16412,
      `FieldPath field names may not contain '.'. Consider using $getField or $setField. Got '${name}'`,
    );
}

/** The names of a dotted path. */
export function partsOf(path: string): string[] {
  if (path.endsWith('.')) throw location(40353, "FieldPath must not end with a '.'.");
  const parts = path.split('.');
  for (const part of parts) assertFieldName(part);
  return parts;
}

/**
 * What stands at a path, for expressions: an array on the way becomes an array of what its documents hold there. Numbers
 * are names here, never positions, and arrays directly within arrays are passed over.
 */
export function valueAt(value: Value | undefined, parts: readonly string[], from: number): Value | undefined {
  let current = value;
  for (let index = from; index < parts.length; index += 1) {
    if (Array.isArray(current)) return valuesWithin(current, parts, index);
    if (!(current instanceof Map)) return undefined;
    current = (current as Doc).get(parts[index]!);
  }
  return current;
}

function valuesWithin(list: readonly Value[], parts: readonly string[], from: number): Value[] {
  const found: Value[] = [];
  for (const element of list) {
    const value = element instanceof Map ? valueAt(element, parts, from) : undefined;
    if (value !== undefined) found.push(value);
  }
  return found;
}
