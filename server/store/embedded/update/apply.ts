import type { Doc, Value } from '../bson/types.js';
import { badValue, pathNotViable, StoreError } from '../errors.js';
import { checkDepth } from './depth.js';
import { type Leaf, pathOf, type Run } from './leaf.js';
import { isIndex } from './paths.js';
import { field } from './show.js';
import { childrenOf, type Elements, type Fields, mergeOf, type Node } from './tree.js';

/** The most nulls that are put before an element far beyond the end of its array. */
const mostPadding = 1_500_000;

/** The document after the update; the same one when nothing changed. */
export const applyTree = (tree: Fields, doc: Doc, run: Run): Doc => inDocument(tree, doc, run);

/** @returns `current` itself when nothing changed, undefined when nothing stands here (any more) */
function apply(node: Node, current: Value | undefined, run: Run): Value | undefined {
  if (node.kind === 'leaf') return atLeaf(node, current, run);
  if (node.kind === 'elements') return inElements(node, current, run);
  if (current instanceof Map) return inDocument(node, current, run);
  if (Array.isArray(current)) return inArray(node, current, run);
  if (current === undefined) return inNothing(node, run);
  blocked(node, current, run.path.length, run);
  return current;
}

function atLeaf(leaf: Leaf, current: Value | undefined, run: Run): Value | undefined {
  if (leaf.isForInsert && !run.isInsert) return current;
  const after = current === undefined ? leaf.create(run) : leaf.change(current, run);
  if (after !== undefined && !Object.is(after, current)) checkDepth(run.path.length + leaf.depth);
  return after;
}

function inDocument(node: Fields, doc: Doc, run: Run): Doc {
  let result: Doc | null = null;
  for (const [name, child] of childrenOf(node, run.position, run.path)) {
    const current = doc.get(name);
    run.path.push(name);
    const after = noted(child, current, run);
    run.path.pop();
    if (Object.is(after, current)) continue;
    result ??= new Map(doc);
    if (after === undefined) result.delete(name);
    else result.set(name, after);
  }
  return result ?? doc;
}

function inArray(node: Fields, list: Value[], run: Run): Value[] {
  let result: Value[] | null = null;
  for (const [name, child] of childrenOf(node, run.position, run.path)) {
    run.path.push(name);
    if (!isIndex(name)) blocked(child, list, run.path.length - 1, run);
    else {
      const at = Number(name);
      const current: Value | undefined = (result ?? list)[at];
      const after = noted(child, current, run, inPlace);
      if (after !== undefined && !Object.is(after, current)) {
        result ??= [...list];
        pad(result, at);
        result[at] = after;
      }
    }
    run.path.pop();
  }
  return result ?? list;
}

/** An element that goes leaves its place, so that the others keep theirs. */
const inPlace = (after: Value | undefined, before: Value | undefined): Value | undefined =>
  after === undefined && before !== undefined ? null : after;

/** @throws StoreError `CannotBackfillArray` (34) */
function pad(list: Value[], length: number): void {
  if (length - list.length > mostPadding)
    throw new StoreError(34, 'CannotBackfillArray', `can't backfill more than ${mostPadding} elements`);
  while (list.length < length) list.push(null);
}

function inNothing(node: Fields, run: Run): Doc | undefined {
  let made: Doc | undefined;
  for (const [name, child] of childrenOf(node, run.position, run.path)) {
    run.path.push(name);
    const value = apply(child, undefined, run);
    run.path.pop();
    if (value === undefined) continue;
    made ??= new Map();
    made.set(name, value);
  }
  return made;
}

function inElements(node: Elements, current: Value | undefined, run: Run): Value {
  if (current === undefined) throw mustExist(run);
  if (!Array.isArray(current))
    throw badValue(`Cannot apply array updates to non-array element ${field(run.path.at(-1)!, current)}`);
  const picked = pick(node, current);
  const { touched } = run;
  // Of several elements only the array is told, unless but one of them changed.
  if (picked.length > 1) run.touched = null;
  let result: Value[] | null = null;
  const changed: number[] = [];
  for (const [at, names] of picked) {
    run.path.push(String(at));
    const child = mergeOf(node, names, run.path);
    const after = noted(child, current[at], run, inPlace);
    run.path.pop();
    if (after === undefined || Object.is(after, current[at])) continue;
    result ??= [...current];
    result[at] = after;
    changed.push(at);
  }
  run.touched = touched;
  if (touched && picked.length > 1 && changed.length > 0)
    touched.push(changed.length === 1 ? [...run.path, String(changed[0])] : [...run.path]);
  return result ?? current;
}

/** The elements that something is done to, with the names of the filters that pick them. */
function pick(node: Elements, list: readonly Value[]): [number, string[]][] {
  const names = [...node.children.keys()];
  const picked: [number, string[]][] = [];
  for (let at = 0; at < list.length; at += 1) {
    const fitting = names.filter((name) => name === '' || node.filters.get(name)!(list[at]!));
    if (fitting.length > 0) picked.push([at, fitting]);
  }
  return picked;
}

/** As `apply`, telling where something changed if somebody asked; `put` says what stands there in the end. */
function noted(
  node: Node,
  current: Value | undefined,
  run: Run,
  put = (after: Value | undefined, _before: Value | undefined) => after,
): Value | undefined {
  const { touched } = run;
  if (touched !== null && current === undefined) {
    // What is made is told by its topmost field, with all that is in it.
    run.touched = null;
    const made = apply(node, current, run);
    run.touched = touched;
    if (made !== undefined) touched.push([...run.path]);
    return made;
  }
  const after = put(apply(node, current, run), current);
  if (touched === null || node.kind !== 'leaf' || Object.is(after, current)) return after;
  if (Array.isArray(current) && Array.isArray(after) && node.appends?.(current, after))
    for (let at = current.length; at < after.length; at += 1) touched.push([...run.path, String(at)]);
  else touched.push([...run.path]);
  return after;
}

/**
 * A path that goes on where nothing can be below: `obstacle` is neither a document nor an array, or an array that is
 * asked for a name.
 *
 * @param at the part of the path that finds no place
 */
function blocked(node: Node, obstacle: Value, at: number, run: Run): void {
  if (node.kind === 'elements') throw mustExist(run);
  if (node.kind === 'fields') {
    for (const [name, child] of childrenOf(node, run.position, run.path)) {
      run.path.push(name);
      blocked(child, obstacle, at, run);
      run.path.pop();
    }
    return;
  }
  if (node.obstacle === 'pass' || (node.isForInsert && !run.isInsert)) return;
  const [part, element] = [run.path[at]!, field(run.path[at - 1]!, obstacle)];
  if (node.obstacle === 'cannot traverse')
    throw pathNotViable(
      `Cannot use the part (${part}) of (${pathOf(run)}) to traverse the element ({${element}})`,
    );
  if (node.create(run) !== undefined)
    throw pathNotViable(`Cannot create field '${part}' in element {${element}}`);
}

const mustExist = (run: Run) =>
  badValue(`The path '${pathOf(run)}' must exist in the document in order to apply array updates.`);
