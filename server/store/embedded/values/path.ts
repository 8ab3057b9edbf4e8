import { type Doc, Opaque, type, type Value } from '../bson/types.js';

/** Dotted paths into documents, as queries, indexes and `distinct` walk them. */

const isIndex = (name: string): boolean => /^(0|[1-9]\d*)$/.test(name);

/**
 * Everything a path reaches, through arrays at every step: what a query tests. The last array is given as itself; its
 * elements are the caller's to look into. `undefined` where a way ends.
 */
export function valuesAt(doc: Doc, path: string[]): (Value | undefined)[] {
  if (path.length === 1) return [doc.get(path[0]!)];
  const found: (Value | undefined)[] = [];
  walk(doc, path, 0, found);
  return found;
}

function walk(value: Value | undefined, path: string[], at: number, found: (Value | undefined)[]): void {
  if (at === path.length) {
    found.push(value);
    return;
  }
  if (value instanceof Map) {
    walk(value.get(path[at]!), path, at + 1, found);
    return;
  }
  if (!Array.isArray(value)) {
    found.push(undefined);
    return;
  }
  const name = path[at]!;
  if (isIndex(name) && Number(name) < value.length) walk(value[Number(name)], path, at + 1, found);
  for (const item of value) if (item instanceof Map) walk(item, path, at, found);
}

/** What a path reaches without a walk through arrays. */
export function getPath(doc: Doc, path: string[]): Value | undefined {
  let at: Value | undefined = doc;
  for (const step of path) at = at instanceof Map ? at.get(step) : undefined;
  return at;
}

/** What an empty array is indexed as: before null, and equal to nothing that a document holds. */
const emptyArray = new Opaque(type.undefined, Buffer.alloc(0));

/**
 * The values under which a document stands in an index: the elements of an array one by one, an empty array as
 * BSON's old `undefined`, what is missing as `undefined`.
 */
export function indexValuesAt(doc: Doc, path: string[]): (Value | undefined)[] {
  const reached = path.length === 1 ? [doc.get(path[0]!)] : reachedByIndex(doc, path);
  if (!reached.some(Array.isArray)) return reached;
  return reached.flatMap((value) =>
    Array.isArray(value) ? (value.length === 0 ? [emptyArray] : value) : [value],
  );
}

/** As `valuesAt`, but an array through which nothing is reached still counts as a way that ends. */
function reachedByIndex(doc: Doc, path: string[]): (Value | undefined)[] {
  const found: (Value | undefined)[] = [];
  walkIndex(doc, path, 0, found);
  return found.length === 0 ? [undefined] : found;
}

function walkIndex(value: Value | undefined, path: string[], at: number, found: (Value | undefined)[]): void {
  if (at === path.length) {
    found.push(value);
    return;
  }
  if (value instanceof Map) {
    walkIndex(value.get(path[at]!), path, at + 1, found);
    return;
  }
  if (!Array.isArray(value)) {
    found.push(undefined);
    return;
  }
  const name = path[at]!;
  if (isIndex(name) && Number(name) < value.length) walkIndex(value[Number(name)], path, at + 1, found);
  for (const item of value) {
    if (item instanceof Map) walkIndex(item, path, at, found);
    else if (!isIndex(name)) found.push(undefined);
  }
}

/** Every value a path reaches, arrays unfolded once: what `distinct` collects. */
export function distinctValuesAt(doc: Doc, path: string[]): Value[] {
  return valuesAt(doc, path).flatMap((value): Value[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value],
  );
}
