import type { Doc } from './bson/types.js';

/** An error as MongoDB words it: number, name, and labels that tell a driver what to do. */
export class StoreError extends Error {
  constructor(
    readonly code: number,
    readonly codeName: string,
    message: string,
    /** Fields that go with the answer, `keyPattern` and the like. */
    readonly extra: Readonly<Record<string, unknown>> = {},
    readonly labels: string[] = [],
  ) {
    super(message);
  }
}

export const badValue = (message: string) => new StoreError(2, 'BadValue', message);
export const failedToParse = (message: string) => new StoreError(9, 'FailedToParse', message);
export const typeMismatch = (message: string) => new StoreError(14, 'TypeMismatch', message);
export const overflow = (message: string) => new StoreError(15, 'Overflow', message);
/** An error that MongoDB knows by a number alone; its name is made of the number. */
export const location = (code: number, message: string) => new StoreError(code, `Location${code}`, message);
export const pathNotViable = (message: string) => new StoreError(28, 'PathNotViable', message);
export const conflictingUpdate = (message: string) =>
  new StoreError(40, 'ConflictingUpdateOperators', message);
export const dollarPrefixed = (message: string) => new StoreError(52, 'DollarPrefixedFieldName', message);
export const notSingleValue = (message: string) => new StoreError(54, 'NotSingleValueField', message);
export const emptyFieldName = (message: string) => new StoreError(56, 'EmptyFieldName', message);
export const immutableField = (message: string) => new StoreError(66, 'ImmutableField', message);
export const commandNotFound = (name: string) =>
  new StoreError(59, 'CommandNotFound', `no such command: '${name}'`);
export const writeConflict = () =>
  new StoreError(
    112,
    'WriteConflict',
    'Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or multi-document transaction.',
    {},
    ['TransientTransactionError'],
  );
export const snapshotUnavailable = () =>
  new StoreError(
    246,
    'SnapshotUnavailable',
    'Unable to read from a snapshot due to pending collection catalog changes; please retry the operation.',
    {},
    ['TransientTransactionError'],
  );
export const noSuchTransaction = (number: string) =>
  new StoreError(
    251,
    'NoSuchTransaction',
    `Given transaction number ${number} does not match any in-progress transactions.`,
    {},
    ['TransientTransactionError'],
  );
/** To a statement whose transaction was ended while it ran. */
export const transactionEnded = () =>
  new StoreError(251, 'NoSuchTransaction', 'the transaction of this statement has been aborted', {}, [
    'TransientTransactionError',
  ]);
export const cursorNotFound = (id: string) =>
  new StoreError(43, 'CursorNotFound', `cursor id ${id} not found`);

export function duplicateKey(
  namespace: string,
  index: string,
  keyPattern: Doc,
  keyValue: Doc,
  hasCollation = false,
): StoreError {
  const shown = [...keyValue].map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? `"${value}"` : String(value)}`,
  );
  return new StoreError(
    11000,
    'DuplicateKey',
    `E11000 duplicate key error collection: ${namespace} index: ${index}${hasCollation ? ' collation' : ''} dup key: { ${shown.join(', ')} }`,
    { keyPattern, keyValue },
  );
}
