import * as v from 'valibot';
import { AppError, type ErrorCode } from './errors.js';
import { limits } from './limits.js';
import { problemOf } from './problems.js';

/**
 * Parses outside data by a schema. Unknown keys are refused where the schema is strict.
 * @throws AppError with `code` (default `bad_request`); `field` is the path of the first that does not fit
 *   (`fields.name`), `problem` says why. Neither repeats a value that was sent.
 */
export function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  code: ErrorCode = 'bad_request',
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true, message: problemOf });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new AppError(code, {
    field: (v.getDotPath(issue) ?? '').slice(0, limits.nameCodePoints).toWellFormed(),
    problem: issue.message,
  });
}
