import type { Binary, BSONRegExp, Code, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';

/**
 * A document as it is worked on: a Map, so that names like `1` or `__proto__` are names like any other and the order of
 * fields is the order they were written in. Documents are values: nobody changes one that was given to them.
 */
export type Doc = Map<string, Value>;

/** A double is a `number`, a 64-bit integer a `bigint`, a 32-bit one an `Int32`: no type is ever lost or guessed. */
export type Value =
  | string
  | boolean
  | null
  | number
  | bigint
  | Int32
  | Decimal128
  | Date
  | ObjectId
  | Binary
  | BSONRegExp
  | Timestamp
  | Code
  | MinKey
  | MaxKey
  | Opaque
  | Value[]
  | Doc;

/** BSON's own number of each type, as it stands on the wire. */
export const type = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  pointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  scopedCode: 0x0f,
  int: 0x10,
  timestamp: 0x11,
  long: 0x12,
  decimal: 0x13,
  minKey: 0xff,
  maxKey: 0x7f,
} as const;

/**
 * What is kept, compared and given back but never looked into: BSON's deprecated types, and dates outside of what
 * JavaScript's hold.
 */
export class Opaque {
  constructor(
    readonly type: number,
    readonly bytes: Buffer,
  ) {}
}

/** A document with the bytes it came as: it is stored as it came. */
export class Sent extends Map<string, Value> {
  constructor(readonly bytes: Buffer) {
    super();
  }
}

/** A document that is bytes already: the encoder copies it. */
export class Raw {
  constructor(readonly bytes: Buffer) {}
}
