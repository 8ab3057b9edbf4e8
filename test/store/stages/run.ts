import { Double, Int32 } from 'bson';
import type { Doc, Value } from '../../../server/store/embedded/bson/types.js';
import { StoreError } from '../../../server/store/embedded/errors.js';
import { compileFilter } from '../../../server/store/embedded/query/match.js';
import { compilePipeline, type PipelineContext } from '../../../server/store/embedded/stages/pipeline.js';

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

/** A value as tests write it. */
export function shown(item: Value | undefined): unknown {
  if (item instanceof Map) return Object.fromEntries([...item].map(([name, one]) => [name, shown(one)]));
  if (Array.isArray(item)) return item.map(shown);
  if (item instanceof Int32) return item.value;
  if (typeof item === 'number') return Number.isInteger(item) ? new Double(item) : item;
  return item;
}

export interface Given {
  collate?: PipelineContext['collate'];
  /** What other collections hold. */
  collections?: Record<string, Plain[]>;
  /** `let` of the command. */
  variables?: Plain;
  context?: Partial<PipelineContext>;
}

/** Each reading of another collection, as it was asked for. */
export interface Asked {
  collection: string;
  filter: unknown;
}

export const now = new Date('2026-03-04T05:06:07Z');

export function contextOf({ collate, collections = {}, variables = {}, context }: Given, asked: Asked[]) {
  const held = new Map(Object.entries(collections).map(([name, list]) => [name, list.map(doc)]));
  const made: PipelineContext = {
    collate,
    db: 'test',
    variables: new Map<string, Value | undefined>([['NOW', now], ...doc(variables)]),
    *read(_db, collection, filter) {
      asked.push({ collection, filter: filter && shown(filter) });
      const matches = compileFilter(filter ?? new Map());
      for (const one of held.get(collection) ?? []) if (matches(one)) yield one;
    },
    ...context,
  };
  return made;
}

export function runDocs(
  pipeline: Plain[],
  docs: readonly Doc[],
  given: Given = {},
  asked: Asked[] = [],
): Doc[] {
  const run = compilePipeline(pipeline.map(doc), contextOf(given, asked));
  return [...run(docs)].filter((row) => row !== null);
}

/** What comes out of a pipeline, as tests write it. */
export const run = (
  pipeline: Plain[],
  docs: Plain[] = [],
  given: Given = {},
  asked: Asked[] = [],
): unknown[] => runDocs(pipeline, docs.map(doc), given, asked).map(shown);

/** The number of the error that a pipeline is refused with. */
export function refused(pipeline: Plain[], docs: Plain[] = [{}], given: Given = {}): number {
  try {
    run(pipeline, docs, given);
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
  throw new Error('nothing was refused');
}
