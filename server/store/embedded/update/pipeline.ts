import type { Doc } from '../bson/types.js';
import { StoreError } from '../errors.js';
import { checkDepth, depthOf } from './depth.js';
import { replaced } from './replacement.js';

/** The stages that make one document of one. */
const allowed = new Set(['$set', '$addFields', '$unset', '$project', '$replaceRoot', '$replaceWith']);

/**
 * An update computed from the document itself.
 *
 * @param compile the stages as one function; it refuses what is no stage at all
 * @throws StoreError `InvalidOptions` (72) for a stage that an update has no use for
 */
export function compilePipelineUpdate(
  stages: Doc[],
  compile: (stages: Doc[]) => (doc: Doc) => Doc,
): (doc: Doc) => Doc {
  for (const stage of stages) {
    const name = stage.keys().next().value;
    if (stage.size === 1 && name !== undefined && !allowed.has(name)) refuse(stage, name, compile);
  }
  const run = compile(stages);
  return (doc) => {
    const after = replaced(doc, run(doc));
    if (after !== doc) checkDepth(depthOf(after));
    return after;
  };
}

/** A stage that does not exist is told as such; of one that does it does not matter whether it could run. */
function refuse(stage: Doc, name: string, compile: (stages: Doc[]) => unknown): never {
  try {
    compile([stage]);
  } catch (error) {
    if (error instanceof StoreError && error.code === unknownStage) throw error;
  }
  throw new StoreError(72, 'InvalidOptions', `${name} is not allowed to be used within an update`);
}

const unknownStage = 40324;
