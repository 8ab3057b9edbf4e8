import type { Timestamp } from 'bson';
import type { Doc } from '../bson/types.js';
import { failedToParse } from '../errors.js';
import type { Collate } from '../values/compare.js';
import { compileArrayFilters } from './array-filters.js';
import { compileOperators } from './operators.js';
import { compilePipelineUpdate } from './pipeline.js';
import { compileReplacement } from './replacement.js';

export { seed } from './seed.js';

export interface UpdateOptions {
  readonly arrayFilters?: Doc[] | undefined;
  readonly collate?: Collate | undefined;
  /** What `$currentDate` gives, asked for each time it is needed. */
  readonly now: () => Date;
  readonly timestamp: () => Timestamp;
  /** Compiles the stages of an update by pipeline. */
  readonly pipeline: (stages: Doc[]) => (doc: Doc) => Doc;
}

export interface UpdateContext {
  /** Whether the document is being made by an upsert. */
  readonly isInsert: boolean;
  /** The element of the array that the query matched first. */
  readonly position: number | null;
  /** Takes the paths that operators changed, for `describe`; other kinds of updates leave it empty. */
  readonly touched?: string[][] | undefined;
}

export interface CompiledUpdate {
  readonly isReplacement: boolean;
  /**
   * @returns the document as it is afterwards; the very same when nothing changes
   * @throws StoreError for what cannot be done to this document, which stays as it was
   */
  apply(doc: Doc, context: UpdateContext): Doc;
}

/**
 * An update of any of the three kinds, told apart as MongoDB does: a list is a pipeline, a document whose first field
 * begins with `$` has operators, any other takes a document's place.
 *
 * @throws StoreError for what is wrong with the update whatever document it meets
 */
export function compileUpdate(update: Doc | Doc[], options: UpdateOptions): CompiledUpdate {
  const filters = compileArrayFilters(options.arrayFilters ?? [], options.collate);
  const refuseFilters = (style: string): void => {
    if (filters.size > 0) throw failedToParse(`arrayFilters may not be specified for ${style}-style updates`);
  };
  if (Array.isArray(update)) {
    refuseFilters('pipeline');
    const run = compilePipelineUpdate(update, options.pipeline);
    return { isReplacement: false, apply: run };
  }
  if (!update.keys().next().value?.startsWith('$')) {
    refuseFilters('replacement');
    const replace = compileReplacement(update, options.timestamp);
    return {
      isReplacement: true,

      apply: (doc, { isInsert }) => replace(doc, isInsert),
    };
  }
  const run = compileOperators(update, filters, options);
  return {
    isReplacement: false,
    apply: (doc, { isInsert, position, touched }) =>
      run(doc, {
        root: doc,
        isInsert,
        position: position === null ? null : String(position),
        path: [],
        touched: touched ?? null,
      }),
  };
}
