import * as v from 'valibot';
import { AppError, type ErrorCode } from './errors.js';

/**
 * Parses outside data by a schema. Unknown keys are refused where the schema is strict.
 * @throws AppError with `code` (default `bad_request`) naming the first field that does not fit.
 */
export function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  code: ErrorCode = 'bad_request',
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new AppError(code, { field: v.getDotPath(issue) ?? '', problem: issue.message.slice(0, 200) });
}
