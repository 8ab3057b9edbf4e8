import type { Doc, Value } from '../bson/types.js';
import type { Collate } from '../values/compare.js';
import { type Path, pathOf, reach } from '../values/path.js';
import { groupingBy } from './grouping.js';
import type { Rows } from './stage.js';

/** A collection that is read once and then found in by the values of a field, where no index can be asked. */
export interface HashJoin {
  /** Documents that hold one of the values there, each once, in the collection's order. */
  find(values: readonly Value[]): Doc[];
}

interface Held {
  doc: Doc;
  at: number;
}

/** As many documents as are held at once. */
const most = 100_000;

/** @returns null when there are too many of them */
export function* hashed(
  rows: Rows,
  field: string,
  collate: Collate | undefined,
): Generator<null, HashJoin | null> {
  const path = pathOf(field);
  const held = groupingBy<Held[]>(collate);
  let at = 0;
  for (const doc of rows) {
    if (doc === null) {
      yield null;
      continue;
    }
    const one = { doc, at };
    at += 1;
    if (at > most) return null;
    for (const value of keysOf(doc, path)) {
      const list = held.at(value, () => []);
      if (list.at(-1) !== one) list.push(one);
    }
  }
  return {
    find(values) {
      const found = new Set(values.flatMap((value) => held.get(value) ?? []));
      return [...found].sort((left, right) => left.at - right.at).map(({ doc }) => doc);
    },
  };
}

/** Every value that a filter by the field would be asked of. */
function keysOf(doc: Doc, path: Path): Value[] {
  const keys: Value[] = [];
  reach(doc, path, false, (value) => {
    keys.push(value ?? null);
    return false;
  });
  return keys;
}
