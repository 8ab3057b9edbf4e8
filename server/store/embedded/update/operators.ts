import type { Doc, Value } from '../bson/types.js';
import { failedToParse, immutableField } from '../errors.js';
import { typeName } from '../values/compare.js';
import { applyTree } from './apply.js';
import { bit, inc, mul } from './arithmetic.js';
import { addToSet, pop, pull, pullAll } from './arrays.js';
import type { Leaf, MakeLeaf, Run, Settings } from './leaf.js';
import { checkTopName } from './names.js';
import { parsePath } from './paths.js';
import { push } from './push.js';
import { compileRename } from './rename.js';
import { currentDate, max, min, set, setOnInsert, unset } from './set.js';
import { field, show } from './show.js';
import { type Fields, type Filters, fields, plant } from './tree.js';

const operators = new Map<string, MakeLeaf>([
  ['$set', set],
  ['$setOnInsert', setOnInsert],
  ['$unset', unset],
  ['$inc', inc],
  ['$mul', mul],
  ['$min', min],
  ['$max', max],
  ['$currentDate', currentDate],
  ['$bit', bit],
  ['$push', push],
  ['$addToSet', addToSet],
  ['$pull', pull],
  ['$pullAll', pullAll],
  ['$pop', pop],
]);

/**
 * An update of operators, read once and done to any number of documents.
 *
 * @throws StoreError for what is wrong with the update itself; what is wrong with it for a document, when applied
 */
export function compileOperators(
  update: Doc,
  filters: Filters,
  settings: Settings,
): (doc: Doc, run: Run) => Doc {
  const tree = fields();
  const used = new Set<string>();
  const idPaths: string[] = [];
  const put = (path: readonly string[], leaf: Leaf) => {
    for (const identifier of plant(tree, path, leaf, filters)) used.add(identifier);
    if (path[0] === '_id') idPaths.push(path.join('.'));
  };
  for (const [operator, paths] of update)
    for (const [path, operand] of pathsOf(operator, paths)) {
      if (operator === '$rename') {
        const rename = compileRename(path, operand);
        put(rename.from, rename.source);
        put(rename.to, rename.target);
      } else {
        const parts = parsePath(path);
        put(parts, operators.get(operator)!(operand, path, settings));
      }
    }
  for (const identifier of filters.keys())
    if (!used.has(identifier))
      throw failedToParse(
        `The array filter for identifier '${identifier}' was not used in the update ${show(update)}`,
      );
  return checked(tree, idPaths[0]);
}

function pathsOf(operator: string, paths: Value): Doc {
  if (operator !== '$rename' && !operators.has(operator))
    throw failedToParse(
      `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
    );
  if (!(paths instanceof Map))
    throw failedToParse(
      `Modifiers operate on fields but we found type ${typeName(paths)} instead. For example: {$mod: {<field>: ...}} not {${field(operator, paths)}}`,
    );
  return paths;
}

/** What no operator may do: change an `_id`, or put a `$` at the top of a document that is there. */
function checked(tree: Fields, idPath: string | undefined): (doc: Doc, run: Run) => Doc {
  const dollars = [...tree.children.keys()].filter((name) => name.startsWith('$'));
  if (idPath === undefined && dollars.length === 0) return (doc, run) => applyTree(tree, doc, run);
  return (doc, run) => {
    const after = applyTree(tree, doc, run);
    if (after === doc) return after;
    if (idPath !== undefined && doc.has('_id') && !Object.is(after.get('_id'), doc.get('_id')))
      throw immutableField(
        `Performing an update on the path '${idPath}' would modify the immutable field '_id'`,
      );
    if (!run.isInsert)
      for (const name of dollars)
        if (after.has(name) && !Object.is(after.get(name), doc.get(name))) checkTopName(after, name);
    return after;
  };
}
