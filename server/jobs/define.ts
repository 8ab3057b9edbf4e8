import type * as v from 'valibot';
import { parse } from '../../shared/parse.js';
import type { JobContext, JobKind } from './runner.js';

export interface DefinedJob<Payload> extends JobKind {
  /** Type only: what the payload parses to. */
  readonly payload?: Payload;
}

export interface JobOptions {
  /** Attempts before it is dead. Default 8. */
  attempts?: number;
  /** The wait after the first failure, doubling with each. Default 5 s, at most 1 h. */
  backoffMs?: number;
  backoffMaxMs?: number;
}

/**
 * A kind of job. `handler` may run twice for one job (a process can die between the work and its note), so it must bear
 * it. An AppError whose `retry` is not `same` ends the job at once; everything else is tried again.
 */
export function defineJob<const Schema extends v.GenericSchema>(
  name: string,
  schema: Schema,
  handler: (payload: v.InferOutput<Schema>, context: JobContext) => Promise<void>,
  { attempts = 8, backoffMs = 5_000, backoffMaxMs = 3_600_000 }: JobOptions = {},
): DefinedJob<v.InferOutput<Schema>> {
  return {
    name,
    run: async (payload, context) => handler(parse(schema, payload), context),
    attempts,
    backoffMs,
    backoffMaxMs,
  };
}
