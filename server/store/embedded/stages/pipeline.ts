import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import type { PipelineContext, Stage } from './stage.js';
import { stageMakers } from './stages.js';

/** Aggregation pipelines: stages compiled once, rows streamed through them. */

export type { PipelineContext } from './stage.js';

/** @throws StoreError 40323, 40324 and what each stage finds wrong */
export function compilePipeline(pipeline: Doc[], context: PipelineContext): Stage {
  const stages = pipeline.map((stage, at): Stage => {
    if (stage.size !== 1)
      throw new StoreError(
        40323,
        'Location40323',
        'A pipeline stage specification object must contain exactly one field.',
      );
    const [[name, operand]] = [...stage] as [[string, Value]];
    if ((name === '$out' || name === '$merge') && at < pipeline.length)
      throw new StoreError(40601, 'Location40601', `${name} can only be the final stage in the pipeline`);
    const make = stageMakers.get(name);
    if (!make) throw new StoreError(40324, 'Location40324', `Unrecognized pipeline stage name: '${name}'`);
    return make(operand, context, compilePipeline);
  });
  return (rows) => stages.reduce((so, stage) => stage(so), rows);
}

export const isStage = (name: string): boolean => stageMakers.has(name);

export interface Split {
  filter: Doc | undefined;
  sort: Doc | undefined;
  skip: number | undefined;
  limit: number | undefined;
  /** What is left to do. */
  rest: Doc[];
}

/** The first stages that a reading of the collection answers by itself: filter, order, part. */
export function splitPipeline(pipeline: Doc[]): Split {
  const split: Split = {
    filter: undefined,
    sort: undefined,
    skip: undefined,
    limit: undefined,
    rest: pipeline,
  };
  const take = (name: string): Value | undefined => {
    const value = split.rest[0]?.size === 1 ? split.rest[0].get(name) : undefined;
    return value;
  };
  const next = () => {
    split.rest = split.rest.slice(1);
  };
  const filter = take('$match');
  if (filter instanceof Map) {
    split.filter = filter;
    next();
  }
  const sort = take('$sort');
  if (sort instanceof Map && sort.size > 0 && ![...sort.values()].some((one) => one instanceof Map)) {
    split.sort = sort;
    next();
  }
  const skip = wholeNumber(take('$skip'));
  if (skip !== null) {
    split.skip = skip;
    next();
  }
  const limit = wholeNumber(take('$limit'));
  if (limit !== null && limit > 0) {
    split.limit = limit;
    next();
  }
  return split;
}

function wholeNumber(value: Value | undefined): number | null {
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'bigint'
        ? Number(value)
        : Number((value as { value?: number } | undefined)?.value ?? Number.NaN);
  return Number.isInteger(number) && number >= 0 ? number : null;
}
