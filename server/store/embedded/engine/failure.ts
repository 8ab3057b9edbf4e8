import { Int32 } from 'bson';
import type { Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import { StoreError } from '../errors.js';

/** Errors as answers, with the labels by which drivers know what to do next. */

/** After these a write may be sent again: nothing says that it happened. */
const retryable = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);
/** After these the whole transaction may be run again. */
const transient = new Set([24, 112, 246, 251, 267, ...retryable]);

/**
 * The labels MongoDB puts on an error of this command; `given` ones stand for them. What `failCommand` makes up never
 * reached a stream: whether that may be resumed is not said.
 */
export function addLabels(
  error: StoreError,
  command: Doc,
  given: string[] | null,
  isMadeUp: boolean,
): StoreError {
  if (given) return relabelled(error, given);
  const labels = new Set(error.labels);
  const inTransaction = command.get('autocommit') === false;
  const name = command.keys().next().value ?? '';
  const isEnd = name === 'commitTransaction' || name === 'abortTransaction';
  if (inTransaction && !isEnd && transient.has(error.code)) labels.add('TransientTransactionError');
  if (inTransaction && name === 'commitTransaction' && [24, 112, 246, 251, 267].includes(error.code))
    labels.add('TransientTransactionError');
  if (command.has('txnNumber') && (!inTransaction || isEnd) && retryable.has(error.code))
    labels.add('RetryableWriteError');
  if (!inTransaction && error.code === 112 && !command.has('txnNumber'))
    labels.delete('TransientTransactionError');
  const isStream = command.has('getMore') || command.has('aggregate');
  if (isStream && !isMadeUp && resumable.has(error.code)) labels.add('ResumableChangeStreamError');
  return relabelled(error, [...labels]);
}

/** After these a change stream goes on from its token. */
const resumable = new Set([
  6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436,
]);

const relabelled = (error: StoreError, labels: string[]): StoreError =>
  new StoreError(error.code, error.codeName, error.message, error.extra, labels);

export const answerOf = (error: StoreError): Plain => ({
  ok: 0,
  errmsg: error.message,
  code: new Int32(error.code),
  codeName: error.codeName,
  ...(error.extra as Plain),
  ...(error.labels.length > 0 && { errorLabels: error.labels }),
});
