import type { Doc, Value } from '../bson/types.js';
import { badValue, StoreError } from '../errors.js';
import type { Collate } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { elementTest, matchPosition } from './match.js';

/** What `find` and `findAndModify` show of a document. */

export interface ProjectionOptions {
  /** The filter that found the document: what `.$` stands for. */
  filter?: Doc | undefined;
  collate?: Collate | undefined;
  /** Compiles a computed field. */
  expression: (expression: Value) => (doc: Doc) => Value | undefined;
}

/** What is said of one field: shown, left out, computed, or something of the fields below it. */
type Leaf =
  | { kind: 'include' }
  | { kind: 'exclude' }
  | { kind: 'position' }
  | { kind: 'slice'; skip: number; limit: number }
  | { kind: 'element'; test: (item: Value) => boolean }
  | { kind: 'compute'; compute: (doc: Doc) => Value | undefined };
type Node = Leaf | { kind: 'below'; fields: Map<string, Node> };

const location = (code: number, message: string) => new StoreError(code, `Location${code}`, message);

function sliceOf(operand: Value): Leaf {
  const list = Array.isArray(operand) ? operand : [operand];
  const numbers = list.map((one) => (isNumber(one) ? Math.trunc(toDouble(one)) : Number.NaN));
  if (numbers.length === 0 || numbers.length > 2 || numbers.some(Number.isNaN))
    throw location(28724, '$slice takes a number, or an array of two');
  if (numbers.length === 1)
    return { kind: 'slice', skip: Math.min(0, numbers[0]!), limit: Math.abs(numbers[0]!) };
  if (numbers[1]! <= 0) throw location(28724, 'the second argument of $slice must be positive');
  return { kind: 'slice', skip: numbers[0]!, limit: numbers[1]! };
}

function leafOf(name: string, value: Value, options: ProjectionOptions): Node {
  if (typeof value === 'boolean') return { kind: value ? 'include' : 'exclude' };
  if (isNumber(value)) return { kind: toDouble(value) === 0 ? 'exclude' : 'include' };
  if (!(value instanceof Map)) return { kind: 'compute', compute: options.expression(value) };
  const [operator] = value.keys();
  if (operator === undefined) throw location(51270, 'An empty sub-projection is not a valid value.');
  if (!operator.startsWith('$')) {
    const fields = new Map<string, Node>();
    for (const [inner, one] of value)
      put(fields, inner.split('.'), leafOf(`${name}.${inner}`, one, options), `${name}.${inner}`);
    return { kind: 'below', fields };
  }
  if (operator === '$slice' && isFindSlice(value.get('$slice')!)) return sliceOf(value.get('$slice')!);
  if (operator === '$elemMatch') {
    if (name.includes('.')) throw location(31275, 'Cannot use $elemMatch projection on a nested field.');
    return { kind: 'element', test: elementTest(value.get('$elemMatch')!, { collate: options.collate }) };
  }
  if (operator === '$meta') throw badValue('$meta is not supported by this store');
  return { kind: 'compute', compute: options.expression(value) };
}

/** The `$slice` of expressions names its array first. */
const isFindSlice = (operand: Value): boolean =>
  isNumber(operand) || (Array.isArray(operand) && operand.every(isNumber));

function put(fields: Map<string, Node>, path: string[], node: Node, whole: string): void {
  const [name, ...rest] = path as [string, ...string[]];
  const present = fields.get(name);
  if (rest.length === 0) {
    if (present) throw location(31250, `Path collision at ${whole}`);
    fields.set(name, node);
    return;
  }
  if (present && present.kind !== 'below')
    throw location(31249, `Path collision at ${whole} remaining portion ${rest.join('.')}`);
  const below = present ?? { kind: 'below' as const, fields: new Map<string, Node>() };
  fields.set(name, below);
  put(below.fields, rest, node, whole);
}

type Mode = 'inclusion' | 'exclusion';

function modeOf(fields: Map<string, Node>, isTop: boolean): Mode | null {
  let mode: Mode | null = null;
  for (const [name, node] of fields) {
    if (isTop && name === '_id' && node.kind !== 'below') continue;
    const says: Mode | null =
      node.kind === 'below'
        ? modeOf(node.fields, false)
        : node.kind === 'exclude'
          ? 'exclusion'
          : node.kind === 'slice'
            ? null
            : 'inclusion';
    if (says === null) continue;
    if (mode && says !== mode)
      throw mode === 'inclusion'
        ? location(31254, `Cannot do exclusion on field ${name} in inclusion projection`)
        : location(31253, `Cannot do inclusion on field ${name} in exclusion projection`);
    mode = says;
  }
  return mode;
}

/** @throws StoreError for a projection that contradicts itself, or that this store does not know */
export function compileProjection(spec: Doc, options: ProjectionOptions): (doc: Doc) => Doc {
  const fields = new Map<string, Node>();
  let positions = 0;
  for (const [name, value] of spec) {
    if (name.startsWith('$'))
      throw location(
        16410,
        `FieldPath field names may not start with '$'. Consider using $getField or $setField.`,
      );
    if (name === '' || name.split('.').includes(''))
      throw location(40352, 'FieldPath must not be empty, nor end with a dot');
    if (name.endsWith('.$')) {
      positions += 1;
      if (positions > 1)
        throw location(31276, 'Cannot specify more than one positional projection per query.');
      put(fields, name.slice(0, -2).split('.'), { kind: 'position' }, name);
    } else put(fields, name.split('.'), leafOf(name, value, options), name);
  }
  const id = fields.get('_id');
  const mode = modeOf(fields, true) ?? (id?.kind === 'include' ? 'inclusion' : 'exclusion');
  if (mode === 'inclusion' && !id && [...fields.values()].some(({ kind }) => kind !== 'slice'))
    fields.set('_id', { kind: 'include' });
  return (doc) => {
    const position = positions > 0 ? positionIn(doc, options) : null;
    const shown = mode === 'inclusion' ? including(doc, fields, doc, position) : excluding(doc, fields);
    const first = shown.get('_id');
    if (first === undefined || shown.keys().next().value === '_id') return shown;
    shown.delete('_id');
    return new Map<string, Value>([['_id', first], ...shown]);
  };
}

function positionIn(doc: Doc, { filter, collate }: ProjectionOptions): number {
  const position = filter ? matchPosition(filter, doc, { collate }) : null;
  if (position === null)
    throw location(
      51246,
      "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
    );
  return position;
}

function including(doc: Doc, fields: Map<string, Node>, root: Doc, position: number | null): Doc {
  const shown: Doc = new Map();
  for (const [name, value] of doc) {
    const node = fields.get(name);
    if (!node || node.kind === 'exclude' || node.kind === 'compute') continue;
    const one = shownOf(value, node, root, position);
    if (one !== undefined) shown.set(name, one);
  }
  for (const [name, node] of fields) {
    if (node.kind === 'compute') {
      const value = node.compute(root);
      if (value !== undefined) shown.set(name, value);
    } else if (node.kind === 'below' && !doc.has(name) && computes(node)) {
      const made = including(new Map(), node.fields, root, position);
      if (made.size > 0) shown.set(name, made);
    }
  }
  return shown;
}

const computes = (node: Node): boolean =>
  node.kind === 'compute' || (node.kind === 'below' && [...node.fields.values()].some(computes));

function shownOf(value: Value, node: Node, root: Doc, position: number | null): Value | undefined {
  switch (node.kind) {
    case 'position':
      if (!Array.isArray(value)) return value;
      return position !== null && position < value.length ? [value[position]!] : undefined;
    case 'slice':
      return sliced(value, node);
    case 'element': {
      if (!Array.isArray(value)) return undefined;
      const found = value.find(node.test);
      return found === undefined ? undefined : [found];
    }
    case 'below':
      return belowOf(value, (inner) => including(inner, node.fields, root, position));
    default:
      return value;
  }
}

function sliced(value: Value, { skip, limit }: { skip: number; limit: number }): Value {
  if (!Array.isArray(value)) return value;
  const start = skip < 0 ? Math.max(0, value.length + skip) : skip;
  return value.slice(start, start + limit);
}

/** Documents below, through arrays; what is neither has no such fields and is not shown. */
function belowOf(value: Value, show: (doc: Doc) => Doc): Value | undefined {
  if (value instanceof Map) return show(value);
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((one): Value[] => {
    const shown = belowOf(one, show);
    return shown === undefined ? [] : [shown];
  });
}

function excluding(doc: Doc, fields: Map<string, Node>): Doc {
  const shown: Doc = new Map();
  for (const [name, value] of doc) {
    const node = fields.get(name);
    if (!node) shown.set(name, value);
    else if (node.kind === 'slice') shown.set(name, sliced(value, node));
    else if (node.kind === 'below') shown.set(name, excludedBelow(value, node.fields));
    else if (node.kind === 'include') shown.set(name, value);
  }
  return shown;
}

function excludedBelow(value: Value, fields: Map<string, Node>): Value {
  if (value instanceof Map) return excluding(value, fields);
  if (Array.isArray(value)) return value.map((one) => excludedBelow(one, fields));
  return value;
}
