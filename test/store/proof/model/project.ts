import { type Fields, isFields, type Value } from './order.js';

/** What a find shows of a document, by MongoDB's manual: fields to keep, or fields to leave out. */

type Tree = Map<string, Tree | null>;

function treeOf(paths: string[]): Tree {
  const tree: Tree = new Map();
  for (const path of paths) {
    let at = tree;
    const steps = path.split('.');
    for (const step of steps.slice(0, -1)) {
      const next = at.get(step) ?? new Map();
      at.set(step, next);
      at = next;
    }
    at.set(steps.at(-1)!, null);
  }
  return tree;
}

const gone = Symbol('gone');

/** Beside documents there is nothing of what a path asks for: it goes when fields are kept, and stays when they are not. */
function shownOf(value: Value, tree: Tree | null, isKept: boolean): Value | typeof gone {
  if (tree === null) return isKept ? value : gone;
  if (Array.isArray(value))
    return value.map((item) => shownOf(item, tree, isKept)).filter((item) => item !== gone);
  if (!isFields(value)) return isKept ? gone : value;
  return shownFields(value, tree, isKept);
}

function shownFields(document: Fields, tree: Tree, isKept: boolean): Fields {
  const entries = Object.entries(document).flatMap(([name, value]): [string, Value][] => {
    const inner = tree.get(name);
    if (inner === undefined) return isKept ? [] : [[name, value]];
    const shown = shownOf(value, inner, isKept);
    return shown === gone ? [] : [[name, shown]];
  });
  return Object.fromEntries(entries);
}

export function projected(document: Fields, projection: Record<string, 0 | 1>): Fields {
  const { _id: id, ...fields } = projection;
  const [kind] = Object.values(fields);
  if (kind === undefined && id === undefined) return document;
  const isKept = (kind ?? id) === 1;
  const paths = Object.keys(fields);
  // The id comes along unless it is told not to.
  if (isKept ? id !== 0 : id === 0) paths.push('_id');
  return shownFields(document, treeOf(paths), isKept);
}
