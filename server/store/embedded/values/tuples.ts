import { type Doc, Opaque, type, type Value } from '../bson/types.js';
import { location } from '../errors.js';
import { type Path, pathOf } from './path.js';

/**
 * What documents are indexed and sorted under: a value for each of several paths. A document with an array on the way
 * stands under several such tuples, one for each element, and paths through the same array take the same element.
 */
export type Tuple = (Value | undefined)[];

/** What an empty array is indexed as: before null, and equal to nothing that is asked for. */
const emptyArray = new Opaque(type.undefined, Buffer.alloc(0));

/** Where a path that names an element by its place goes on, whichever element is looked at. */
interface Placed {
  value: Value | undefined;
  next: number;
  isArray: boolean;
}

interface Walk {
  paths: readonly Path[];
  onParallel(left: Path, right: Path): Error;
  found: Tuple[];
}

/** The one tuple of a document without arrays on the paths, which is most of them; null when there are some. */
export function plainTuple(doc: Doc, paths: readonly Path[]): Tuple | null {
  const tuple: Tuple = new Array(paths.length);
  for (let n = 0; n < paths.length; n += 1) {
    const { steps } = paths[n]!;
    let value: Value | undefined = doc.get(steps[0]!);
    for (let at = 1; at < steps.length; at += 1) {
      if (value instanceof Map) value = value.get(steps[at]!);
      else if (Array.isArray(value)) return null;
      else value = undefined;
    }
    if (Array.isArray(value)) return null;
    tuple[n] = value;
  }
  return tuple;
}

/**
 * All tuples of a document, the same ones possibly more than once. What is missing is `undefined`.
 *
 * @throws what `onParallel` makes, when two of the paths go through two arrays
 */
export function tuplesOf(doc: Doc, paths: readonly Path[], onParallel: Walk['onParallel']): Tuple[] {
  const plain = plainTuple(doc, paths);
  if (plain) return [plain];
  const walk: Walk = { paths, onParallel, found: [] };
  expand(walk, doc, new Array<number>(paths.length).fill(0), new Array(paths.length).fill(undefined), []);
  return walk.found;
}

/** Down through documents, to the path's end or to the first array. */
function descend(
  start: Value | undefined,
  { steps }: Path,
  from: number,
): { value: Value | undefined; next: number } {
  let value = start;
  let next = from;
  while (next < steps.length && value instanceof Map) {
    value = value.get(steps[next]!);
    next += 1;
  }
  return next < steps.length && !Array.isArray(value)
    ? { value: undefined, next: steps.length }
    : { value, next };
}

/** `next`: each path's next step; `placed`: the paths of which a place was named in the array around `doc`. */
function expand(
  walk: Walk,
  doc: Doc | null,
  next: number[],
  tuple: Tuple,
  placed: (Placed | undefined)[],
): void {
  const { paths } = walk;
  let array: Value[] | null = null;
  let first = 0;
  let mayUnfold = true;
  const through: number[] = [];
  for (let n = 0; n < paths.length; n += 1) {
    const path = paths[n]!;
    if (next[n]! >= path.steps.length) continue;
    const here = placed[n];
    const has = doc?.has(path.steps[next[n]!]!) === true;
    if (has && here)
      throw location(
        16746,
        `Ambiguous field name found in array (do not use numeric field names in embedded elements in an array), field: '${path.steps[next[n]!]}'`,
      );
    const reached = has
      ? descend(doc!, path, next[n]!)
      : (here ?? { value: undefined, next: path.steps.length });
    if (!has && here?.isArray) mayUnfold = false;
    next[n] = reached.next;
    tuple[n] = reached.value;
    if (!Array.isArray(reached.value)) continue;
    if (array && array !== reached.value) throw walk.onParallel(paths[first]!, path);
    if (!array) first = n;
    array = reached.value;
    through.push(n);
  }
  if (!array) {
    walk.found.push(tuple);
    return;
  }
  if (array.length === 0) unfold(walk, emptyArray, array, next, tuple, through, mayUnfold, []);
  const inside = array.length > 0 ? placesIn(walk, array, next, through) : [];
  for (const item of array) unfold(walk, item, array, next, tuple, through, mayUnfold, inside);
}

function placesIn(
  { paths }: Walk,
  array: Value[],
  next: number[],
  through: number[],
): (Placed | undefined)[] {
  const inside: (Placed | undefined)[] = [];
  for (const n of through) {
    const path = paths[n]!;
    const place = next[n]! < path.steps.length ? path.places[next[n]!]! : -1;
    if (place < 0 || place >= array.length) continue;
    const value = array[place]!;
    inside[n] = { ...descend(value, path, next[n]! + 1), isArray: Array.isArray(value) };
  }
  return inside;
}

function unfold(
  walk: Walk,
  item: Value,
  array: Value[],
  next: number[],
  tuple: Tuple,
  through: number[],
  mayUnfold: boolean,
  inside: (Placed | undefined)[],
): void {
  const copy = [...tuple];
  for (const n of through) if (next[n]! >= walk.paths[n]!.steps.length) copy[n] = mayUnfold ? item : array;
  expand(walk, item instanceof Map ? item : null, [...next], copy, inside);
}

/** The values under which a document stands in an index of one field; what is missing as `undefined`. */
export const indexValuesAt = (doc: Doc, path: readonly string[]): (Value | undefined)[] =>
  tuplesOf(doc, [pathOf(path.join('.'))], (left) => new Error(left.name)).map(([value]) => value);
