import type { Doc, Value } from '../bson/types.js';
import { badValue, location, StoreError } from '../errors.js';
import type { Collate } from '../values/compare.js';
import { compare } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { field, show } from '../values/show.js';
import { elementTest } from './match.js';
import { checkFieldPath } from './sort.js';

/** What a projection says, read from its specification. */

export interface ProjectionOptions {
  /** The filter that found the document: what `.$` stands for. Without one the projection is a pipeline's. */
  filter?: Doc | undefined;
  collate?: Collate | undefined;
  /** Compiles a computed field. */
  expression: (expression: Value) => (doc: Doc) => Value | undefined;
}

/** What is said of one field: shown, left out, computed, or something of the fields below it. */
export type Leaf =
  | { kind: 'include' }
  | { kind: 'exclude' }
  | { kind: 'position' }
  | { kind: 'slice'; skip: number | null; limit: number }
  | { kind: 'element'; test: (item: Value) => boolean }
  | { kind: 'compute'; compute: (doc: Doc) => Value | undefined };
export interface Branch {
  kind: 'below';
  fields: Map<string, Node>;
}
export type Node = Leaf | Branch;

export interface Projection {
  root: Branch;
  isInclusion: boolean;
  /** The field whose array shows the element that the filter matched. */
  positional: string[] | null;
  slices: { path: string[]; skip: number | null; limit: number }[];
}

interface Reading {
  options: ProjectionOptions;
  isFind: boolean;
  isInclusion: boolean | null;
  positional: string[] | null;
  hasElement: boolean;
  slices: Projection['slices'];
  /** What is said of `_id`, which may go with either kind. */
  id: boolean | null;
}

const branch = (): Branch => ({ kind: 'below', fields: new Map() });

function put(at: Branch, path: string, node: Node): void {
  let parent = at;
  const steps = path.split('.');
  for (const [n, step] of steps.entries()) {
    const present = parent.fields.get(step);
    if (n === steps.length - 1) {
      if (present) throw location(31250, `Path collision at ${path}`);
      parent.fields.set(step, node);
      return;
    }
    if (present && present.kind !== 'below')
      throw location(31249, `Path collision at ${path} remaining portion ${steps.slice(1).join('.')}`);
    const below = present ?? branch();
    parent.fields.set(step, below);
    parent = below;
  }
}

function setKind(reading: Reading, isInclusion: boolean, error: StoreError): void {
  if (reading.isInclusion !== null && reading.isInclusion !== isInclusion) throw error;
  reading.isInclusion = isInclusion;
}

/** Where `$` stands in a name: null where it does not. */
function positionIn(name: string): { before: string; after: string } | null {
  const between = name.indexOf('.$.');
  if (between >= 0) return { before: name.slice(0, between), after: name.slice(between + 3) };
  if (name.endsWith('.$')) return { before: name.slice(0, -2), after: '' };
  return name === '$' ? { before: '', after: '' } : null;
}

/** Whether a filter asks anything of a field or of what is below it. */
const asksFor = (filter: Doc, wanted: string): boolean =>
  [...filter].some(([name, operand]) =>
    name.startsWith('$')
      ? Array.isArray(operand) && operand.some((one) => one instanceof Map && asksFor(one, wanted))
      : name.split('.')[0] === wanted,
  );

function readPosition(reading: Reading, parent: string[], name: string): void {
  const { before, after } = positionIn(name)!;
  const { filter } = reading.options;
  if (reading.positional)
    throw location(31276, 'Cannot specify more than one positional projection per query.');
  if (reading.hasElement) throw location(31256, 'Cannot specify positional operator and $elemMatch.');
  if (!filter) throw location(51050, 'Projections with a positional operator require a matcher');
  if (!asksFor(filter, parent[0] ?? before.split('.')[0]!))
    throw location(31277, `Positional projection '${name}' does not match the query document.`);
  if (after !== '' || name.endsWith('.$.'))
    throw location(
      31394,
      `As of 4.4, it's illegal to specify positional operator in the middle of a path. Positional projection may only be used at the end, for example: a.b.$. If the query previously used a form like a.b.$.d, remove the parts following the '$' and the results will be equivalent.`,
    );
  checkFieldPath(before);
  reading.positional = [...parent, ...before.split('.')];
}

function readFlag(reading: Reading, at: Branch, parent: string[], name: string, isShown: boolean): void {
  const isId = parent.length === 0 && name === '_id';
  if (isShown && positionIn(name)) {
    readPosition(reading, parent, name);
    put(at, positionIn(name)!.before, { kind: 'include' });
  } else {
    checkFieldPath(name);
    put(at, name, { kind: isShown ? 'include' : 'exclude' });
  }
  if (isId) {
    reading.id = isShown;
    return;
  }
  const error = isShown
    ? location(31253, `Cannot do inclusion on field ${name} in exclusion projection`)
    : location(31254, `Cannot do exclusion on field ${name} in inclusion projection`);
  setKind(reading, isShown, error);
}

const whole = (value: Value): number =>
  Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(toDouble(value)) || 0));

/** Find's own `$slice`, a number or two; null when it can only be the expression of that name. */
function sliceOf(operand: Value): { skip: number | null; limit: number } | StoreError {
  if (isNumber(operand)) return { skip: null, limit: whole(operand) };
  if (!Array.isArray(operand))
    return location(31273, '$slice only supports numbers and [skip, limit] arrays');
  const [skip, limit] = operand;
  if (operand.length !== 2) return location(31272, '$slice array argument should be of form [skip, limit]');
  if (!isNumber(skip))
    return location(31257, `$slice expects the skip argument to be a number, got ${show(skip)}`);
  if (!isNumber(limit))
    return location(31258, `$slice expects the limit argument to be a number, got ${show(limit)}`);
  if (whole(limit) <= 0) return location(31259, `$slice limit must be positive, got ${whole(limit)}`);
  return { skip: whole(skip), limit: whole(limit) };
}

function compute(reading: Reading, at: Branch, name: string, expression: Value, operator: string): void {
  if (reading.isInclusion === false)
    throw location(31252, 'Cannot use expression other than $meta in exclusion projection');
  reading.isInclusion = true;
  try {
    put(at, name, { kind: 'compute', compute: reading.options.expression(expression) });
  } catch (error) {
    const isUnknown =
      error instanceof StoreError && error.code === 168 && error.message.includes(`'${operator}'`);
    throw isUnknown ? location(31325, `Unknown expression ${operator}`) : error;
  }
}

function readElement(reading: Reading, at: Branch, parent: string[], name: string, operand: Value): void {
  if (!(operand instanceof Map))
    throw location(31274, `elemMatch: Invalid argument, object required, but got ${show(operand)}`);
  if (reading.positional) throw location(31255, 'Cannot specify positional operator and $elemMatch.');
  if (parent.length > 0 || name.includes('.'))
    throw location(31275, 'Cannot use $elemMatch projection on a nested field.');
  put(at, name, { kind: 'element', test: elementTest(operand, { collate: reading.options.collate }) });
  reading.hasElement = true;
}

function readOperator(
  reading: Reading,
  at: Branch,
  parent: string[],
  name: string,
  value: Doc,
  operator: string,
): void {
  const operand = value.get(operator)!;
  if (operator === '$meta') throw badValue('$meta is not supported by this store');
  if (operator === '$elemMatch') {
    if (!reading.isFind)
      throw new StoreError(168, 'InvalidPipelineOperator', 'Cannot use $elemMatch in this context');
    readElement(reading, at, parent, name, operand);
    return;
  }
  const slice = operator === '$slice' && reading.isFind ? sliceOf(operand) : null;
  if (slice && !(slice instanceof StoreError)) {
    put(at, name, { kind: 'slice', ...slice });
    reading.slices.push({ path: [...parent, ...name.split('.')], ...slice });
    return;
  }
  try {
    compute(reading, at, name, value, operator);
  } catch (error) {
    if (!slice || !(error instanceof StoreError)) throw error;
    throw new StoreError(
      error.code,
      error.codeName,
      `Invalid $slice syntax. The given syntax ${show(value)} did not match the find() syntax because :: ${slice.codeName}: ${slice.message} :: The given syntax did not match the expression $slice syntax. :: caused by :: ${error.message}`,
    );
  }
}

function readDocument(reading: Reading, at: Branch, parent: string[], name: string, value: Doc): void {
  checkFieldPath(name);
  if (value.size === 0)
    throw location(51270, `An empty sub-projection is not a valid value. Found empty object at path ${name}`);
  const [operator] = value.keys();
  if (value.size === 1 && operator!.startsWith('$')) {
    readOperator(reading, at, parent, name, value, operator!);
    return;
  }
  const below = branch();
  put(at, name, below);
  const path = [...parent, ...name.split('.')];
  for (const [inner, one] of value) readField(reading, below, path, inner, one);
}

function readField(reading: Reading, at: Branch, parent: string[], name: string, value: Value): void {
  const isPositional = positionIn(name) !== null;
  if (isPositional && !reading.isFind)
    throw location(31324, 'Cannot use positional projection in aggregation projection');
  if (value instanceof Map) {
    if (isPositional)
      throw location(31271, 'positional projection cannot be used with an expression or sub object');
    readDocument(reading, at, parent, name, value);
  } else if (typeof value === 'boolean') readFlag(reading, at, parent, name, value);
  else if (isNumber(value)) readFlag(reading, at, parent, name, compare(value, 0) !== 0);
  else {
    if (isPositional) throw location(31308, 'positional projection cannot be used with a literal');
    checkFieldPath(name);
    put(at, name, { kind: 'compute', compute: reading.options.expression(value) });
    setKind(
      reading,
      true,
      location(31310, `Cannot use an expression ${field(name, value)} in an exclusion projection`),
    );
  }
}

/** What a projection is that neither shows nor hides a field by name. */
function kindOf({ isInclusion, slices, hasElement, id }: Reading): boolean {
  if (isInclusion !== null) return isInclusion;
  if (slices.length > 0) return id === true;
  return hasElement || id === true;
}

/** @throws StoreError for a projection that contradicts itself, or that this store does not know */
export function readProjection(spec: Doc, options: ProjectionOptions): Projection {
  const reading: Reading = {
    options,
    isFind: options.filter !== undefined,
    isInclusion: null,
    positional: null,
    hasElement: false,
    slices: [],
    id: null,
  };
  const root = branch();
  for (const [name, value] of spec) readField(reading, root, [], name, value);
  const isInclusion = kindOf(reading);
  if (isInclusion && !root.fields.has('_id')) root.fields.set('_id', { kind: 'include' });
  if (!isInclusion && reading.id) root.fields.delete('_id');
  return { root, isInclusion, positional: reading.positional, slices: reading.slices };
}
