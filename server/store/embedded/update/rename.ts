import type { Doc, Value } from '../bson/types.js';
import { badValue, pathNotViable } from '../errors.js';
import { equals } from '../values/compare.js';
import { checkDepth, depthOf } from './depth.js';
import type { Leaf, Run } from './leaf.js';
import { isIdentifier, isIndex, overlap, parsePath } from './paths.js';
import { gone } from './set.js';
import { field, idOf } from './show.js';

/**
 * `$rename` is two leaves: one takes the field away where it was, one puts it where it goes. Nothing else can touch
 * either place, so both read the document as it was, whichever of them is visited first.
 */
export interface Rename {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly source: Leaf;
  readonly target: Leaf;
}

/** @throws StoreError `BadValue` (2) */
export function compileRename(path: string, operand: Value): Rename {
  const from = parsePath(path);
  if (typeof operand !== 'string')
    throw badValue(`The 'to' field for $rename must be a string: ${field(path, operand)}`);
  const to = parsePath(operand);
  if (operand.includes('\0'))
    throw badValue("The 'to' field for $rename cannot contain an embedded null byte");
  if (path === operand)
    throw badValue(`The source and target field for $rename must differ: ${field(path, operand)}`);
  if (overlap(from, to))
    throw badValue(
      `The source and target field for $rename must not be on the same path: ${field(path, operand)}`,
    );
  if (from.some(isDynamic)) throw badValue(`The source field for $rename may not be dynamic: ${path}`);
  if (to.some(isDynamic)) throw badValue(`The destination field for $rename may not be dynamic: ${operand}`);
  return {
    from,
    to,
    source: gone,
    target: targetOf(from, to),
  };
}

const isDynamic = (part: string): boolean => part === '$' || isIdentifier(part);

function targetOf(from: readonly string[], to: readonly string[]): Leaf {
  const renamed = (run: Run): Value | undefined => {
    const value = sourceIn(run.root, from);
    if (value === undefined) return undefined;
    refuseArrayOn(run.root, from, 'source');
    refuseArrayOn(run.root, to, 'destination');
    checkDepth(to.length + depthOf(value));
    return value;
  };
  return {
    kind: 'leaf',
    obstacle: 'cannot create',
    depth: 0,
    change: (current, run) => {
      const value = renamed(run);
      return value === undefined || equals(value, current) ? current : value;
    },
    create: renamed,
  };
}

/** The value to rename; a path through what has no fields is refused, although it leads nowhere. */
function sourceIn(root: Doc, path: readonly string[]): Value | undefined {
  let at: Value | undefined = root;
  for (let step = 0; step < path.length; step += 1) {
    const part = path[step]!;
    if (at instanceof Map) at = at.get(part);
    else if (Array.isArray(at) && isIndex(part)) at = at[Number(part)];
    else if (at === undefined) return undefined;
    else
      throw pathNotViable(
        `cannot use the part (${path[step - 1]} of ${path.join('.')}) to traverse the element ({${field(path[step - 1]!, at)}})`,
      );
  }
  return at;
}

function refuseArrayOn(root: Doc, path: readonly string[], what: 'source' | 'destination'): void {
  let at: Value | undefined = root;
  for (let step = 0; step < path.length - 1; step += 1) {
    at = at instanceof Map ? at.get(path[step]!) : undefined;
    if (Array.isArray(at))
      throw badValue(
        `The ${what} field cannot be an array element, '${path.join('.')}' in doc with ${idOf(root)} has an array field called '${path[step]}'`,
      );
  }
}
