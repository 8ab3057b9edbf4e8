import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { compilePosition } from './match.js';
import { type Branch, type Node, type ProjectionOptions, readProjection } from './projection-spec.js';

/** What `find`, `findAndModify` and `$project` show of a document. */

export type { ProjectionOptions } from './projection-spec.js';

/**
 * Fields that are shown keep the document's order, computed ones follow in the projection's. Without `options.filter` it
 * is read as `$project` reads it: without `.$`, `$elemMatch` and find's own `$slice`.
 *
 * @throws StoreError for a projection that contradicts itself, or that this store does not know; and for a document of
 *   which the filter matched no element that `.$` could stand for
 */
export function compileProjection(spec: Doc, options: ProjectionOptions): (doc: Doc) => Doc {
  const { root, isInclusion, positional, slices } = readProjection(spec, options);
  const computes = makes(root);
  const place = positional
    ? compilePosition(options.filter!, { collate: options.collate, expression: holds })
    : null;
  return (doc) => {
    let shown = isInclusion ? including(doc, root) : excluding(doc, root);
    if (computes) addComputed(shown, root, doc, isInclusion);
    if (positional) shown = positioned(shown, positional, place!(doc));
    for (const { path, skip, limit } of slices)
      shown = changedAt(shown, path, 0, (value) => sliced(value, skip, limit)) as Doc;
    return shown;
  };
}

const holds = () => () => true;

/** Whether something is computed here or below. */
const makes = (node: Node): boolean =>
  node.kind === 'below'
    ? [...node.fields.values()].some(makes)
    : node.kind === 'compute' || node.kind === 'element';

function including(doc: Doc, { fields }: Branch): Doc {
  const shown: Doc = new Map();
  for (const [name, value] of doc) {
    const node = fields.get(name);
    if (!node) continue;
    if (node.kind === 'include' || node.kind === 'slice') shown.set(name, value);
    else if (node.kind === 'below') {
      const below = includedBelow(value, node);
      if (below !== undefined) shown.set(name, below);
    }
  }
  return shown;
}

/** Documents below, through arrays; what is neither has no such fields and is not shown. */
function includedBelow(value: Value, node: Branch): Value | undefined {
  if (value instanceof Map) return including(value, node);
  if (!Array.isArray(value)) return undefined;
  return value.map((one) => includedBelow(one, node)).filter((one) => one !== undefined);
}

function excluding(doc: Doc, { fields }: Branch): Doc {
  const shown: Doc = new Map();
  for (const [name, value] of doc) {
    const node = fields.get(name);
    if (node?.kind === 'exclude') continue;
    shown.set(name, node?.kind === 'below' ? excludedBelow(value, node) : value);
  }
  return shown;
}

function excludedBelow(value: Value, node: Branch): Value {
  if (value instanceof Map) return excluding(value, node);
  if (Array.isArray(value)) return value.map((one) => excludedBelow(one, node));
  return value;
}

/** Adds what is computed to what is shown of a document. `root` is the document that was found. */
function addComputed(shown: Doc, { fields }: Branch, root: Doc, isInclusion: boolean): void {
  for (const [name, node] of fields) {
    if (node.kind === 'compute') set(shown, name, node.compute(root));
    else if (node.kind === 'element') {
      const found = elementOf(root.get(name), node.test);
      // Among fields that are shown it stands last; where all are shown it stays where it was.
      if (isInclusion || found === undefined) shown.delete(name);
      set(shown, name, found);
    } else if (node.kind === 'below' && makes(node))
      shown.set(name, computedBelow(shown.get(name), node, root));
  }
}

function set(shown: Doc, name: string, value: Value | undefined): void {
  if (value !== undefined) shown.set(name, value);
}

function elementOf(value: Value | undefined, test: (item: Value) => boolean): Value[] | undefined {
  const found = Array.isArray(value) ? value.find(test) : undefined;
  return found === undefined ? undefined : [found];
}

/** Each document of an array gets the computed fields; what is no document is replaced by one. */
function computedBelow(value: Value | undefined, node: Branch, root: Doc): Value {
  if (Array.isArray(value)) return value.map((one) => computedBelow(one, node, root));
  const shown: Doc = value instanceof Map ? new Map(value) : new Map();
  addComputed(shown, node, root, true);
  return shown;
}

/** A document changed at a path, through arrays; the same where it has nothing there. */
function changedAt(value: Value, path: string[], at: number, change: (value: Value) => Value): Value {
  if (at === path.length) return change(value);
  if (Array.isArray(value)) return value.map((one) => changedAt(one, path, at, change));
  if (!(value instanceof Map)) return value;
  const below = value.get(path[at]!);
  return below === undefined ? value : new Map(value).set(path[at]!, changedAt(below, path, at + 1, change));
}

function sliced(value: Value, skip: number | null, limit: number): Value {
  if (!Array.isArray(value)) return value;
  if (skip === null) return limit < 0 ? value.slice(limit) : value.slice(0, limit);
  const start = skip < 0 ? Math.max(0, value.length + skip) : skip;
  return value.slice(start, start + limit);
}

/** Of the first array on the path only the element that was matched. */
function positioned(value: Doc, path: string[], place: number | null): Doc {
  const change = (at: Value, step: number): Value => {
    if (Array.isArray(at)) {
      if (place === null) throw noElement();
      if (place >= at.length)
        throw location(
          51247,
          "Executor error during find command :: caused by :: positional operator '.$' element mismatch",
        );
      return [at[place]!];
    }
    if (step === path.length || !(at instanceof Map)) return at;
    const below = at.get(path[step]!);
    return below === undefined ? at : new Map(at).set(path[step]!, change(below, step + 1));
  };
  return change(value, 0) as Doc;
}

const noElement = () =>
  location(
    51246,
    "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
  );
