import { Double, Int32, Timestamp } from 'bson';
import { expect } from 'vitest';
import type { Doc, Value } from '../../../server/store/embedded/bson/types.js';
import { StoreError } from '../../../server/store/embedded/errors.js';
import {
  type CompiledUpdate,
  compileUpdate,
  type UpdateOptions,
} from '../../../server/store/embedded/update/update.js';

/** Documents as tests write them: whole numbers are 32-bit integers unless a `Double` says otherwise. */
export type Plain = { [name: string]: Written };
export type Written = Value | Double | Plain | Written[];

export function value(written: Written): Value {
  if (typeof written === 'number') return Number.isInteger(written) ? new Int32(written) : written;
  if (written instanceof Double) return written.value;
  if (Array.isArray(written)) return written.map(value);
  if (written !== null && typeof written === 'object' && Object.getPrototypeOf(written) === Object.prototype)
    return doc(written as Plain);
  return written as Value;
}

export const doc = (written: Plain): Doc =>
  new Map(Object.entries(written).map(([name, item]) => [name, value(item)]));

/** A document as pairs, since `toEqual` does not look at the order in a Map. */
export function rows(item: Value | undefined): unknown {
  if (item instanceof Map) return [...item].map(([name, inner]) => [name, rows(inner)]);
  return Array.isArray(item) ? item.map(rows) : item;
}

export const now = new Date(1_700_000_000_000);
export const stamp = new Timestamp({ t: 1_700_000_000, i: 1 });

export interface Given {
  arrayFilters?: Plain[];
  collate?: UpdateOptions['collate'];
  position?: number | null;
  isInsert?: boolean;
  touched?: string[][];
}

export const compiled = (update: Plain, given: Given = {}): CompiledUpdate =>
  compileUpdate(doc(update), {
    arrayFilters: given.arrayFilters?.map(doc),
    collate: given.collate,
    now: () => now,
    timestamp: () => stamp,
    pipeline: () => (one) => one,
  });

export const apply = (update: Plain, before: Doc, given: Given = {}): Doc =>
  compiled(update, given).apply(before, {
    isInsert: given.isInsert ?? false,
    position: given.position ?? null,
    touched: given.touched,
  });

/** Says that an update makes `after` of `before`, and leaves `before` as it was. */
export function makes(before: Plain, update: Plain, after: Plain, given: Given = {}): void {
  const original = doc(before);
  const result = apply(update, original, given);
  expect(rows(result)).toEqual(rows(doc(after)));
  expect(rows(original)).toEqual(rows(doc(before)));
}

/** Says that an update changes nothing, so that not even a copy is made. */
export function leaves(before: Plain, update: Plain, given: Given = {}): void {
  const original = doc(before);
  expect(apply(update, original, given)).toBe(original);
}

/** The number, name and message that something is refused with. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof StoreError) return `${error.code} ${error.codeName}: ${error.message}`;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

export const refused = (before: Plain, update: Plain, given: Given = {}): string =>
  refusal(() => apply(update, doc(before), given));
