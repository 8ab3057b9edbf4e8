import type { Doc, Value } from '../bson/types.js';

/** Dotted paths into documents, as queries walk them. */

export interface Path {
  readonly name: string;
  readonly steps: readonly string[];
  /** The same steps as places in an array; -1 for names that are none (`01` is a name). */
  readonly places: readonly number[];
}

const placeOf = (step: string): number => (/^(0|[1-9]\d{0,9})$/.test(step) ? Number(step) : -1);

export function pathOf(name: string): Path {
  const steps = name.split('.');
  return { name, steps, places: steps.map(placeOf) };
}

type Test = (value: Value | undefined) => boolean;

/** What `reach` answers besides a place: no value passed the test; one did, and no array was searched for it. */
export const nowhere = -2;
export const outside = -1;

/**
 * Looks for a value at a path that passes a test, through arrays at every step, in MongoDB's order: an array's elements
 * before the array itself, and of an element first what its own fields lead to, then what its place does. What a place
 * in the path names is looked at as it is, and not into.
 *
 * @param isWhole arrays at the path's end are looked at as they are only
 * @returns the place in the outermost array that was searched; `outside`, `nowhere`
 */
export function reach(doc: Doc, path: Path, isWhole: boolean, test: Test, from = 0): number {
  const { steps } = path;
  let value: Value | undefined = doc.get(steps[from]!);
  for (let at = from + 1; at < steps.length; at += 1) {
    if (value instanceof Map) value = value.get(steps[at]!);
    else if (Array.isArray(value)) return reachThrough(value, path, at, isWhole, test);
    else return test(undefined) ? outside : nowhere;
  }
  if (!isWhole && Array.isArray(value)) {
    for (let at = 0; at < value.length; at += 1) if (test(value[at])) return at;
  }
  return test(value) ? outside : nowhere;
}

function reachThrough(array: Value[], path: Path, at: number, isWhole: boolean, test: Test): number {
  const place = path.places[at]!;
  const isLast = at === path.steps.length - 1;
  for (let here = 0; here < array.length; here += 1) {
    const item = array[here]!;
    if (item instanceof Map && reach(item, path, isWhole, test, at) !== nowhere) return here;
    if (here !== place) continue;
    if (isLast) {
      if (test(item)) return outside;
      continue;
    }
    const further =
      item instanceof Map
        ? reach(item, path, isWhole, test, at + 1)
        : Array.isArray(item)
          ? reachThrough(item, path, at + 1, isWhole, test)
          : nowhere;
    if (further !== nowhere) return further;
  }
  return nowhere;
}

/** Everything a path reaches, arrays at its end as themselves; `undefined` where a way ends. */
export function valuesAt(doc: Doc, path: readonly string[] | Path): (Value | undefined)[] {
  const found: (Value | undefined)[] = [];
  reach(doc, 'steps' in path ? path : pathOf(path.join('.')), true, (value) => {
    found.push(value);
    return false;
  });
  return found;
}

/** What a path reaches without a walk through arrays. */
export function getPath(doc: Doc, path: readonly string[]): Value | undefined {
  let at: Value | undefined = doc;
  for (const step of path) at = at instanceof Map ? at.get(step) : undefined;
  return at;
}

/** Every value a path reaches, arrays unfolded once: what `distinct` collects. */
export function distinctValuesAt(doc: Doc, path: readonly string[]): Value[] {
  return valuesAt(doc, path).flatMap((value): Value[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value],
  );
}
