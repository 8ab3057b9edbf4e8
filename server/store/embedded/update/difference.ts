import { sizeOf } from '../bson/size.js';
import type { Doc, Value } from '../bson/types.js';
import { identical } from './identical.js';

/** A part of a path: an element's number, or a field's name, whatever it looks like. */
export type Part = string | number;

/** One thing that changed. */
export type Change =
  | { readonly kind: 'set'; readonly path: readonly Part[]; readonly value: Value }
  | { readonly kind: 'remove'; readonly path: readonly Part[] }
  | { readonly kind: 'truncate'; readonly path: readonly Part[]; readonly length: number };

interface Difference {
  readonly changes: Change[];
  /** About how many bytes it takes to say, as MongoDB reckons. */
  size: number;
}

/**
 * What turns one document into another. A field that has moved is set anew. What is not shorter than the value it
 * describes is told by that value.
 */
export const changesBetween = (before: Doc, after: Doc): Change[] => ofDocuments(before, after).changes;

const sizes = { document: 5, array: 9, section: 8, truncation: 7, name: 2 } as const;

function ofDocuments(before: Doc, after: Doc): Difference {
  const difference: Difference = { changes: [], size: sizes.document };
  const sections = new Set<string>();
  const inSection = (section: string) => {
    if (!sections.has(section)) difference.size += sizes.section;
    sections.add(section);
  };
  const removed = new Set<string>();
  const [olds, news] = [[...before], [...after]];
  let at = 0;
  for (const [name, value] of olds) {
    const next = news[at];
    if (next === undefined || next[0] !== name) {
      removed.add(name);
      continue;
    }
    at += 1;
    if (identical(value, next[1])) continue;
    if (addInner(difference, name, value, next[1])) difference.size += 1;
    else inSection('update');
  }
  for (const [name, value] of news.slice(at)) {
    removed.delete(name);
    addWhole(difference, name, value);
    inSection('insert');
  }
  for (const name of removed) {
    difference.changes.push({ kind: 'remove', path: [name] });
    difference.size += sizes.name + Buffer.byteLength(name) + 1;
    inSection('delete');
  }
  return difference;
}

function ofArrays(before: readonly Value[], after: readonly Value[]): Difference {
  const difference: Difference = { changes: [], size: sizes.array };
  for (const [at, value] of after.entries()) {
    const old = before[at];
    difference.size += 1;
    if (old === undefined) addWhole(difference, at, value);
    else if (!identical(old, value)) addInner(difference, at, old, value);
    else difference.size -= 1;
  }
  if (before.length > after.length) {
    difference.changes.push({ kind: 'truncate', path: [], length: after.length });
    difference.size += sizes.truncation;
  }
  return difference;
}

/** @returns whether what changed inside was told, and not the whole value */
function addInner(to: Difference, part: Part, before: Value, after: Value): boolean {
  const inner =
    before instanceof Map && after instanceof Map
      ? ofDocuments(before, after)
      : Array.isArray(before) && Array.isArray(after)
        ? ofArrays(before, after)
        : null;
  if (inner === null || inner.size >= sizeOf(after)) {
    addWhole(to, part, after);
    return false;
  }
  for (const change of inner.changes) to.changes.push({ ...change, path: [part, ...change.path] });
  to.size += sizes.name + Buffer.byteLength(String(part)) + inner.size;
  return true;
}

function addWhole(to: Difference, part: Part, value: Value): void {
  to.changes.push({ kind: 'set', path: [part], value });
  to.size += sizes.name + Buffer.byteLength(String(part)) + sizeOf(value);
}
