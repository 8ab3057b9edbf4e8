import type { Value } from '../bson/types.js';
import { badValue, conflictingUpdate } from '../errors.js';
import type { Leaf } from './leaf.js';
import { compareNames, identifierOf, isIdentifier } from './paths.js';

/**
 * The paths of an update as a tree, so that each place is visited once, in one order, and no two operators meet at a
 * place or one below the other.
 */
export type Node = Leaf | Fields | Elements;

/** What is done to fields of a document, or to elements of an array by their numbers. */
export interface Fields {
  readonly kind: 'fields';
  readonly children: Map<string, Node>;
  /** What is done to the element that the query matched, whichever that is. */
  positional: Node | null;
  /** The children in order, for each position that was met; '' when there is none. */
  readonly ordered: Map<string, readonly Child[]>;
}

export type Child = readonly [name: string, node: Node];

/** What is done to all elements of an array, under '', or to those that a filter picks, under its name. */
export interface Elements {
  readonly kind: 'elements';
  readonly children: Map<string, Node>;
  readonly filters: Filters;
  /** What is done to an element that several of them pick, by their names. */
  readonly merged: Map<string, Node>;
}

export type Filters = ReadonlyMap<string, (item: Value) => boolean>;

export const fields = (): Fields => ({
  kind: 'fields',
  children: new Map(),
  positional: null,
  ordered: new Map(),
});

const elements = (filters: Filters): Elements => ({
  kind: 'elements',
  children: new Map(),
  filters,
  merged: new Map(),
});

/**
 * Puts an operator at the end of a path.
 *
 * @returns the names of the filters that the path uses
 * @throws StoreError `ConflictingUpdateOperators` (40) where another stands on the way, `BadValue` (2) for an
 *   identifier without a filter
 */
export function plant(root: Fields, path: readonly string[], leaf: Leaf, filters: Filters): string[] {
  const conflictAt = (length: number) =>
    conflictingUpdate(
      `Updating the path '${path.join('.')}' would create a conflict at '${path.slice(0, length).join('.')}'`,
    );
  let node: Fields | Elements = root;
  for (let at = 0; at < path.length - 1; at += 1) {
    const kind = isIdentifier(path[at + 1]!) ? 'elements' : 'fields';
    let next = childOf(node, path[at]!, path);
    if (next === undefined) {
      next = kind === 'fields' ? fields() : elements(filters);
      setChild(node, path[at]!, next);
    } else if (next.kind === 'leaf' || next.kind !== kind) throw conflictAt(at + 1);
    node = next;
  }
  const last = path.at(-1)!;
  if (childOf(node, last, path) !== undefined) throw conflictAt(path.length);
  setChild(node, last, leaf);
  return path.filter(isIdentifier).map(identifierOf);
}

function childOf(node: Fields | Elements, part: string, path: readonly string[]): Node | undefined {
  if (node.kind === 'fields') return part === '$' ? (node.positional ?? undefined) : node.children.get(part);
  const identifier = identifierOf(part);
  if (identifier !== '' && !node.filters.has(identifier))
    throw badValue(`No array filter found for identifier '${identifier}' in path '${path.join('.')}'`);
  return node.children.get(identifier);
}

function setChild(node: Fields | Elements, part: string, child: Node): void {
  if (node.kind === 'elements') node.children.set(identifierOf(part), child);
  else if (part === '$') node.positional = child;
  else node.children.set(part, child);
}

/**
 * The children in the order in which they are visited, the one at the matched position among them.
 *
 * @param path where the node stands, for the conflict that an explicit number and `$` may turn out to be
 * @throws StoreError `BadValue` (2) when the query matched no element
 */
export function childrenOf(node: Fields, position: string | null, path: readonly string[]): readonly Child[] {
  const key = node.positional ? position : '';
  if (key === null) throw badValue('The positional operator did not find the match needed from the query.');
  const known = node.ordered.get(key);
  if (known) return known;
  const children = new Map(node.children);
  if (node.positional) {
    const rival = children.get(key);
    children.set(key, rival ? merge(rival, node.positional, [...path, key]) : node.positional);
  }
  const ordered = [...children].sort(([left], [right]) => compareNames(left, right));
  node.ordered.set(key, ordered);
  return ordered;
}

/** What is done to an element that the filters of these names pick. */
export function mergeOf(node: Elements, names: readonly string[], path: readonly string[]): Node {
  if (names.length === 1) return node.children.get(names[0]!)!;
  const key = names.join();
  let result = node.merged.get(key);
  if (!result) {
    result = names.map((name) => node.children.get(name)!).reduce((left, right) => merge(left, right, path));
    node.merged.set(key, result);
  }
  return result;
}

/** @throws StoreError `ConflictingUpdateOperators` (40) when both are done to one place */
function merge(left: Node, right: Node, path: readonly string[]): Node {
  if (left.kind === 'fields' && right.kind === 'fields') {
    const both = fields();
    mergeChildren(both.children, left.children, right.children, path, (name) => name);
    both.positional =
      left.positional && right.positional
        ? merge(left.positional, right.positional, [...path, '$'])
        : (left.positional ?? right.positional);
    return both;
  }
  if (left.kind === 'elements' && right.kind === 'elements') {
    const both = elements(left.filters);
    mergeChildren(both.children, left.children, right.children, path, (name) => `$[${name}]`);
    return both;
  }
  throw conflictingUpdate(`Update created a conflict at '${path.join('.')}'`);
}

function mergeChildren(
  into: Map<string, Node>,
  left: ReadonlyMap<string, Node>,
  right: ReadonlyMap<string, Node>,
  path: readonly string[],
  partOf: (name: string) => string,
): void {
  for (const [name, node] of left) into.set(name, node);
  for (const [name, node] of right) {
    const rival = into.get(name);
    into.set(name, rival ? merge(rival, node, [...path, partOf(name)]) : node);
  }
}
