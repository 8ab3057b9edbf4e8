import { sizeOf } from '../bson/size.js';
import type { Value } from '../bson/types.js';
import { StoreError } from '../errors.js';

/** What a stage holds at once is bounded as in MongoDB, whose stages write to disk when they outgrow it. These do not. */
const mostHeldBytes = 100 * 1024 * 1024;

/** What is on the balance, and the answer when that is too much. */
export interface Balance {
  add(value: Value): void;
  addBytes(bytes: number): void;
}

/** @returns a balance that throws StoreError `QueryExceededMemoryLimitNoDiskUseAllowed` (292) */
export function balanceFor(what: string): Balance {
  let held = 0;
  const addBytes = (bytes: number): void => {
    held += bytes;
    if (held > mostHeldBytes)
      throw new StoreError(
        292,
        'QueryExceededMemoryLimitNoDiskUseAllowed',
        `${what} exceeded memory limit of ${mostHeldBytes} bytes, and this store does not use the disk for it`,
      );
  };
  return { addBytes, add: (value) => addBytes(sizeOf(value)) };
}
