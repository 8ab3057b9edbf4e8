import { Double, Int32, Long } from 'bson';
import { badValue, StoreError } from './errors.js';
import { compileFilter } from './match.js';
import { compare, type Doc, equals, isDocument, isNumber, numeric } from './values.js';

const isOperatorUpdate = (update: Doc) => Object.keys(update)[0]?.startsWith('$') === true;

/** A copy that can be changed without touching what it came from. */
function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T;
  if (!isDocument(value)) return value;
  const result: Doc = {};
  for (const [name, item] of Object.entries(value)) result[name] = copy(item);
  return result as T;
}

/** The object that holds the last step of a path, made on the way when `make`. */
function parentOf(doc: Doc, path: string[], make: boolean): { parent: Doc | unknown[]; name: string } | null {
  let parent: Doc | unknown[] = doc;
  for (const name of path.slice(0, -1)) {
    const container = parent as Doc;
    const next = Object.hasOwn(container, name) ? container[name] : undefined;
    if (isDocument(next) || Array.isArray(next)) {
      parent = next;
      continue;
    }
    if (!make) return null;
    if (next !== undefined)
      throw new StoreError(28, 'PathNotViable', `Cannot create field in element {${name}: ...}`);
    container[name] = {};
    parent = container[name] as Doc;
  }
  return { parent, name: path.at(-1)! };
}

const get = (doc: Doc, path: string[]): unknown => {
  const place = parentOf(doc, path, false);
  return place && Object.hasOwn(place.parent, place.name) ? (place.parent as Doc)[place.name] : undefined;
};

function set(doc: Doc, path: string[], value: unknown): void {
  const { parent, name } = parentOf(doc, path, true)!;
  if (Array.isArray(parent)) {
    if (!/^\d{1,6}$/.test(name))
      throw new StoreError(28, 'PathNotViable', `Cannot create field '${name}' in an array`);
    while (parent.length < Number(name)) parent.push(null);
  }
  (parent as Doc)[name] = value;
}

/** Integers stay integers and grow to 64 bits; with a double the sum is a double. */
function arithmetic(
  left: unknown,
  right: unknown,
  operate: (a: bigint, b: bigint) => bigint,
  real: (a: number, b: number) => number,
): unknown {
  const isReal = (value: unknown) =>
    value instanceof Double || (typeof value === 'number' && !Number.isInteger(value));
  if (isReal(left) || isReal(right)) return new Double(real(Number(numeric(left)), Number(numeric(right))));
  const result = operate(BigInt(numeric(left)), BigInt(numeric(right)));
  if (result > 0x7fffffffffffffffn || result < -0x8000000000000000n)
    throw badValue('Failed to apply arithmetic: the result does not fit 64 bits');
  const isLong =
    left instanceof Long || right instanceof Long || result > 0x7fffffffn || result < -0x80000000n;
  return isLong ? Long.fromBigInt(result) : new Int32(Number(result));
}

function needNumber(value: unknown, operator: string): unknown {
  if (!isNumber(value))
    throw new StoreError(14, 'TypeMismatch', `Cannot apply ${operator} to a value of non-numeric type`);
  return value;
}

const arrayAt = (doc: Doc, path: string[]): unknown[] => {
  const value = get(doc, path);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badValue(`The field '${path.join('.')}' must be an array`);
  return value;
};

const each = (operand: unknown): { items: unknown[]; modifiers: Doc } =>
  isDocument(operand) && '$each' in operand
    ? { items: operand.$each as unknown[], modifiers: operand }
    : { items: [operand], modifiers: {} };

type Operator = (doc: Doc, path: string[], operand: unknown, isInsert: boolean, now: Date) => void;

const operators = new Map<string, Operator>([
  ['$set', (doc, path, operand) => set(doc, path, copy(operand))],
  ['$setOnInsert', (doc, path, operand, isInsert) => isInsert && set(doc, path, copy(operand))],
  [
    '$unset',
    (doc, path) => {
      const place = parentOf(doc, path, false);
      if (!place || !Object.hasOwn(place.parent, place.name)) return;
      if (Array.isArray(place.parent)) place.parent[Number(place.name)] = null;
      else delete place.parent[place.name];
    },
  ],
  [
    '$inc',
    (doc, path, operand) => {
      const old = get(doc, path);
      needNumber(operand, '$inc');
      set(
        doc,
        path,
        old === undefined
          ? operand
          : arithmetic(
              needNumber(old, '$inc'),
              operand,
              (a, b) => a + b,
              (a, b) => a + b,
            ),
      );
    },
  ],
  [
    '$mul',
    (doc, path, operand) => {
      const old = get(doc, path) ?? new Int32(0);
      set(
        doc,
        path,
        arithmetic(
          needNumber(old, '$mul'),
          needNumber(operand, '$mul'),
          (a, b) => a * b,
          (a, b) => a * b,
        ),
      );
    },
  ],
  ['$min', (doc, path, operand) => keepBetter(doc, path, operand, (difference) => difference < 0)],
  ['$max', (doc, path, operand) => keepBetter(doc, path, operand, (difference) => difference > 0)],
  ['$currentDate', (doc, path, _operand, _isInsert, now) => set(doc, path, now)],
  [
    '$rename',
    (doc, path, operand) => {
      const value = get(doc, path);
      if (value === undefined) return;
      operators.get('$unset')!(doc, path, '', false, new Date(0));
      set(doc, String(operand).split('.'), value);
    },
  ],
  [
    '$push',
    (doc, path, operand) => {
      const { items, modifiers } = each(operand);
      const list = [...arrayAt(doc, path)];
      const position = modifiers.$position === undefined ? list.length : Number(numeric(modifiers.$position));
      list.splice(position, 0, ...copy(items));
      if (modifiers.$sort !== undefined) sortArray(list, modifiers.$sort);
      if (modifiers.$slice === undefined) return set(doc, path, list);
      const length = Number(numeric(modifiers.$slice));
      set(doc, path, length < 0 ? list.slice(length) : list.slice(0, length));
    },
  ],
  [
    '$addToSet',
    (doc, path, operand) => {
      const list = [...arrayAt(doc, path)];
      for (const item of each(operand).items)
        if (!list.some((present) => equals(present, item))) list.push(copy(item));
      set(doc, path, list);
    },
  ],
  [
    '$pull',
    (doc, path, operand) => {
      if (get(doc, path) === undefined) return;
      const isCondition = isDocument(operand);
      const onValue = isCondition && Object.keys(operand)[0]?.startsWith('$');
      const matches = !isCondition
        ? (item: unknown) => equals(item, operand)
        : onValue
          ? (item: unknown) => compileFilter({ value: operand })({ value: item })
          : (item: unknown) => isDocument(item) && compileFilter(operand)(item);
      set(
        doc,
        path,
        arrayAt(doc, path).filter((item) => !matches(item)),
      );
    },
  ],
  [
    '$pullAll',
    (doc, path, operand) => {
      if (get(doc, path) === undefined) return;
      set(
        doc,
        path,
        arrayAt(doc, path).filter((item) => !(operand as unknown[]).some((gone) => equals(gone, item))),
      );
    },
  ],
  [
    '$pop',
    (doc, path, operand) => {
      if (get(doc, path) === undefined) return;
      const list = [...arrayAt(doc, path)];
      if (Number(numeric(operand)) < 0) list.shift();
      else list.pop();
      set(doc, path, list);
    },
  ],
]);

function keepBetter(
  doc: Doc,
  path: string[],
  operand: unknown,
  isBetter: (difference: number) => boolean,
): void {
  const old = get(doc, path);
  if (old === undefined || isBetter(compare(operand, old))) set(doc, path, copy(operand));
}

function sortArray(list: unknown[], spec: unknown): void {
  if (isNumber(spec)) {
    const direction = Number(numeric(spec));
    list.sort((left, right) => compare(left, right) * direction);
    return;
  }
  const order = compileSort(spec as Doc);
  list.sort((left, right) => order(left as Doc, right as Doc));
}

/** How documents compare under a sort specification. An array counts by its least (or greatest) element. */
export function compileSort(spec: Doc): (left: Doc, right: Doc) => number {
  const parts = Object.entries(spec).map(([field, direction]) => ({
    path: field.split('.'),
    direction: Number(numeric(direction)),
  }));
  const keyAt = (doc: Doc, path: string[], direction: number): unknown => {
    const value = get(doc, path);
    if (!Array.isArray(value)) return value ?? null;
    return value.reduce(
      (best: unknown, item) => (best === undefined || compare(item, best) * direction < 0 ? item : best),
      undefined,
    );
  };
  return (left, right) => {
    for (const { path, direction } of parts) {
      const difference = compare(keyAt(left, path, direction), keyAt(right, path, direction)) * direction;
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

/**
 * @returns the document as it is after the update; `doc` itself is left alone
 * @throws StoreError for operators this store does not know, conflicts, a changed _id
 */
export function applyUpdate(doc: Doc, update: Doc, isInsert: boolean, now: Date): Doc {
  if (Array.isArray(update)) throw badValue('updates by pipeline are not supported');
  if (!isOperatorUpdate(update)) {
    const { _id, ...rest } = update;
    if (doc._id !== undefined && _id !== undefined && !equals(doc._id, _id)) throw immutableId();
    return { ...(doc._id === undefined && _id === undefined ? {} : { _id: doc._id ?? _id }), ...copy(rest) };
  }
  const result = copy(doc);
  const touched: string[] = [];
  for (const [operator, fields] of Object.entries(update)) {
    const apply = operators.get(operator);
    if (!apply) throw failedOperator(operator);
    for (const [field, operand] of Object.entries(fields as Doc)) {
      const rival = touched.find(
        (other) => other === field || other.startsWith(`${field}.`) || field.startsWith(`${other}.`),
      );
      if (rival !== undefined)
        throw new StoreError(
          40,
          'ConflictingUpdateOperators',
          `Updating the path '${field}' would create a conflict at '${rival}'`,
        );
      touched.push(field);
      if (field.includes('$')) throw badValue(`positional updates are not supported: ${field}`);
      apply(result, field.split('.'), operand, isInsert, now);
    }
  }
  if (doc._id !== undefined && !equals(doc._id, result._id)) throw immutableId();
  return result;
}

const immutableId = () =>
  new StoreError(
    66,
    'ImmutableField',
    "Performing an update on the path '_id' would modify the immutable field '_id'",
  );
const failedOperator = (name: string) =>
  new StoreError(9, 'FailedToParse', `Unknown modifier: ${name}. Expected a valid update modifier`);

/** What an upsert begins with: the fields its filter holds to one value. */
export function seedOf(filter: Doc): Doc {
  const seed: Doc = {};
  for (const [key, condition] of Object.entries(filter)) {
    if (key === '$and') for (const part of condition as Doc[]) Object.assign(seed, seedOf(part));
    if (key.startsWith('$')) continue;
    if (!isDocument(condition) || !Object.keys(condition)[0]?.startsWith('$'))
      set(seed, key.split('.'), condition);
    else if ('$eq' in condition) set(seed, key.split('.'), condition.$eq);
    else if (Array.isArray(condition.$in) && condition.$in.length === 1)
      set(seed, key.split('.'), condition.$in[0]);
  }
  return seed;
}

/** Inclusion or exclusion of fields, dotted paths included. */
export function project(doc: Doc, projection: Doc | undefined): Doc {
  const fields = Object.entries(projection ?? {}).map(([field, value]) => ({
    path: field.split('.'),
    isIn: isNumber(value) ? Number(numeric(value)) !== 0 : Boolean(value),
  }));
  if (fields.length === 0) return doc;
  const isInclusion =
    fields.some(({ path, isIn }) => isIn && path[0] !== '_id') || fields.every(({ isIn }) => isIn);
  if (!isInclusion) {
    const result = copy(doc);
    for (const { path } of fields) operators.get('$unset')!(result, path, '', false, new Date(0));
    return result;
  }
  const result: Doc = {};
  const keepsId = !fields.some(({ path, isIn }) => path[0] === '_id' && !isIn);
  if (keepsId && doc._id !== undefined) result._id = doc._id;
  for (const { path, isIn } of fields) {
    if (!isIn || path[0] === '_id') continue;
    include(doc, result, path);
  }
  return result;
}

function include(from: Doc, to: Doc, [name, ...rest]: string[]): void {
  if (name === undefined || !Object.hasOwn(from, name)) return;
  const value = from[name];
  if (rest.length === 0) to[name] = value;
  else if (isDocument(value)) {
    to[name] ??= {};
    include(value, to[name] as Doc, rest);
  } else if (Array.isArray(value)) {
    to[name] = value.filter(isDocument).map((item) => {
      const inner: Doc = {};
      include(item, inner, rest);
      return inner;
    });
  }
}
