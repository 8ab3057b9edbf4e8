import { Binary, BSONRegExp, Code, Decimal128, Int32, ObjectId, Timestamp } from 'bson';
import { type Doc, Opaque, type Value } from './types.js';

/** How many bytes a value takes in BSON, without its type and name. */
export function sizeOf(value: Value): number {
  switch (typeof value) {
    case 'string':
      return 5 + Buffer.byteLength(value);
    case 'number':
    case 'bigint':
      return 8;
    case 'boolean':
      return 1;
  }
  if (value === null) return 0;
  if (value instanceof Map) return sizeOfDocument(value);
  if (Array.isArray(value)) return sizeOfArray(value);
  if (value instanceof Int32) return 4;
  if (value instanceof ObjectId) return 12;
  if (value instanceof Date || value instanceof Timestamp) return 8;
  if (value instanceof Decimal128) return 16;
  if (value instanceof Binary) return 5 + value.position;
  if (value instanceof BSONRegExp)
    return 2 + Buffer.byteLength(value.pattern) + Buffer.byteLength(value.options);
  if (value instanceof Code) return 5 + Buffer.byteLength(String(value.code));
  return value instanceof Opaque ? value.bytes.length : 0;
}

function sizeOfDocument(doc: Doc): number {
  let size = 5;
  for (const [name, value] of doc) size += 2 + Buffer.byteLength(name) + sizeOf(value);
  return size;
}

function sizeOfArray(list: readonly Value[]): number {
  let size = 5;
  for (const [at, value] of list.entries()) size += 2 + String(at).length + sizeOf(value);
  return size;
}
