import { Decimal128, Double, Int32, Long } from 'bson';
import { fitsElement } from './match.js';
import { compare, equal, exact, type Fields, isFields, isNumber, type Value } from './order.js';

/** A document after an update, by MongoDB's manual. */

/** The update is refused, with MongoDB's number for the reason. */
export class Refused extends Error {
  constructor(readonly code: number) {
    super(`refused with ${code}`);
  }
}
/** What the manual leaves open, or this model does: nothing is claimed. */
export class Unclaimed extends Error {}

const viable = 28;
const badValue = 2;
const wrongType = 14;
const conflict = 40;

export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copyOf(item)])) as T;
}

function lookUp(holder: Value, path: string[]): Value {
  const [step, ...rest] = path;
  if (step === undefined) return holder;
  if (Array.isArray(holder)) return /^\d+$/.test(step) ? lookUp(holder[Number(step)], rest) : undefined;
  return isFields(holder) && Object.hasOwn(holder, step) ? lookUp(holder[step], rest) : undefined;
}

/** Names that are numbers would not stay in their order in this model's documents. */
function checkNames(names: string[]): void {
  if (names.some((name) => /^\d+$/.test(name))) throw new Unclaimed('a document with a number for a name');
}

/** Puts a value at a path, making documents on the way. */
function put(holder: Value, path: string[], value: Value): void {
  const [step, ...rest] = path as [string, ...string[]];
  if (Array.isArray(holder)) {
    if (!/^\d+$/.test(step)) throw new Refused(viable);
    const place = Number(step);
    while (holder.length < place) holder.push(null);
    if (rest.length === 0) holder[place] = value;
    else if (place === holder.length) throw new Unclaimed('a path beyond the end of an array');
    else put(holder[place], rest, value);
    return;
  }
  if (!isFields(holder)) throw new Refused(viable);
  if (rest.length === 0) {
    if (!Object.hasOwn(holder, step)) checkNames(path);
    // What is there keeps its place, what is new comes last.
    holder[step] = value;
    return;
  }
  if (!Object.hasOwn(holder, step)) {
    checkNames(path);
    holder[step] = {};
  }
  put(holder[step], rest, value);
}

function takeAway(holder: Value, path: string[]): void {
  const parent = lookUp(holder, path.slice(0, -1));
  const name = path.at(-1)!;
  if (Array.isArray(parent)) {
    if (/^\d+$/.test(name) && Number(name) < parent.length) parent[Number(name)] = null;
  } else if (isFields(parent)) delete parent[name];
}

const [leastInt, mostInt] = [-(2n ** 31n), 2n ** 31n - 1n];
const [leastLong, mostLong] = [-(2n ** 63n), 2n ** 63n - 1n];

function calculate(left: Value, right: Value, operate: 'add' | 'multiply'): Value {
  if (!isNumber(left) || !isNumber(right)) throw new Refused(wrongType);
  if (left instanceof Decimal128 || right instanceof Decimal128) {
    // How a double becomes a decimal is a story of its own.
    if (left instanceof Double || right instanceof Double) throw new Unclaimed('a double and a decimal');
    return decimal(left, right, operate);
  }
  if (left instanceof Double || right instanceof Double) {
    const [a, b] = [Number(left.valueOf()), Number(right.valueOf())];
    return new Double(operate === 'add' ? a + b : a * b);
  }
  const [a, b] = [exact(left), exact(right)];
  if (a.kind !== 'finite' || b.kind !== 'finite') throw new Error('an integer is finite');
  const result = operate === 'add' ? a.over + b.over : a.over * b.over;
  if (result < leastLong || result > mostLong) throw new Refused(badValue);
  const isShort = left instanceof Int32 && right instanceof Int32 && result >= leastInt && result <= mostInt;
  return isShort ? new Int32(Number(result)) : Long.fromBigInt(result);
}

/** Digits and exponent, as far as no rounding is needed. */
function decimal(left: Value, right: Value, operate: 'add' | 'multiply'): Value {
  const parts = [left, right].map((value) => {
    const [, sign = '', whole = '', part = '', exponent = '0'] =
      /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(String(value)) ?? [];
    if (whole === '') throw new Unclaimed('a decimal that is no number');
    return { digits: BigInt(`${sign}${whole}${part}`), exponent: Number(exponent) - part.length };
  });
  const [a, b] = parts as [(typeof parts)[0], (typeof parts)[0]];
  if (a.digits === 0n || b.digits === 0n) throw new Unclaimed('the exponent and sign of a decimal zero');
  const exponent = operate === 'add' ? Math.min(a.exponent, b.exponent) : a.exponent + b.exponent;
  const scaled = ({ digits, exponent: own }: typeof a) => digits * 10n ** BigInt(own - exponent);
  const digits = operate === 'add' ? scaled(a) + scaled(b) : a.digits * b.digits;
  if (digits === 0n || String(digits).length > 34) throw new Unclaimed('a decimal that has to be rounded');
  return Decimal128.fromString(`${digits}E${exponent}`);
}

const listAt = (document: Fields, path: string[], code: number): Value[] | undefined => {
  const value = lookUp(document, path);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new Refused(code);
  return value;
};

const isEach = (operand: Value): operand is Fields => isFields(operand) && Object.hasOwn(operand, '$each');

function pushed(list: Value[], operand: Value): Value[] {
  const { $each, $position, $slice, $sort } = (isEach(operand) ? operand : { $each: [operand] }) as {
    $each: Value[];
    $position?: Int32;
    $slice?: Int32;
    $sort?: Int32;
  };
  const at = $position ? $position.value : list.length;
  // Counted from the end when below zero.
  const place = at < 0 ? Math.max(0, list.length + at) : Math.min(at, list.length);
  const items = [...list.slice(0, place), ...$each.map(copyOf), ...list.slice(place)];
  if ($sort) {
    items.sort((left, right) => compare(left, right) * $sort.value);
    if (items.some((item, n) => n > 0 && isNumber(item) && equal(item, items[n - 1])))
      throw new Unclaimed('the order of what is equal');
  }
  if (!$slice) return items;
  if ($slice.value === 0) return [];
  return $slice.value > 0 ? items.slice(0, $slice.value) : items.slice($slice.value);
}

function isPulled(item: Value, operand: Value): boolean {
  if (!isFields(operand)) return equal(item, operand);
  return fitsElement(item, operand);
}

function applyOne(document: Fields, operator: string, path: string[], operand: Value): void {
  switch (operator) {
    case '$set':
      put(document, path, copyOf(operand));
      return;
    case '$unset':
      takeAway(document, path);
      return;
    case '$inc':
    case '$mul': {
      const old = lookUp(document, path);
      if (old === undefined) {
        // Zero times whatever it is: its type, and no number where it is none.
        put(document, path, operator === '$inc' ? operand : calculate(new Int32(0), operand, 'multiply'));
      } else put(document, path, calculate(old, operand, operator === '$inc' ? 'add' : 'multiply'));
      return;
    }
    case '$min':
    case '$max': {
      const old = lookUp(document, path);
      const isBetter = old === undefined || compare(operand, old) * (operator === '$min' ? -1 : 1) > 0;
      if (isBetter) put(document, path, copyOf(operand));
      return;
    }
    case '$rename': {
      const old = lookUp(document, path);
      if (old === undefined) {
        // Nothing to rename is no error, but a way that cannot be gone is.
        const parent = lookUp(document, path.slice(0, -1));
        if (parent !== undefined && !isFields(parent)) throw new Refused(viable);
        return;
      }
      const target = (operand as string).split('.');
      if (lookUp(document, target) !== undefined)
        throw new Unclaimed('where a name that was there stands afterwards');
      takeAway(document, path);
      put(document, target, old);
      return;
    }
    case '$push': {
      const list = listAt(document, path, badValue);
      put(document, path, pushed(list ?? [], operand));
      return;
    }
    case '$addToSet': {
      const list = [...(listAt(document, path, badValue) ?? [])];
      for (const item of isEach(operand) ? (operand.$each as Value[]) : [operand])
        if (!list.some((one) => equal(one, item))) list.push(copyOf(item));
      put(document, path, list);
      return;
    }
    case '$pull': {
      const list = listAt(document, path, badValue);
      if (list)
        put(
          document,
          path,
          list.filter((item) => !isPulled(item, operand)),
        );
      return;
    }
    case '$pullAll': {
      const list = listAt(document, path, badValue);
      const gone = operand as Value[];
      if (list)
        put(
          document,
          path,
          list.filter((item) => !gone.some((one) => equal(item, one))),
        );
      return;
    }
    case '$pop': {
      const list = listAt(document, path, wrongType);
      if (list) put(document, path, (operand as Int32).value < 0 ? list.slice(1) : list.slice(0, -1));
      return;
    }
    default:
      throw new Error(`an update operator that the model does not know: ${operator}`);
  }
}

const isPrefix = (one: string[], other: string[]) => one.every((step, at) => other[at] === step);

/** Fields come in the order of their names; numbers by their value. */
function comparePaths(left: string[], right: string[]): number {
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const [a, b] = [left[at]!, right[at]!];
    if (a === b) continue;
    if (/^\d+$/.test(a) && /^\d+$/.test(b)) return Number(a) - Number(b);
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return left.length - right.length;
}

interface Change {
  operator: string;
  path: string[];
  operand: Value;
}

const changesIn = (update: Fields): Change[] =>
  Object.entries(update).flatMap(([operator, fields]) =>
    Object.entries(fields as Fields).map(([field, operand]) => ({
      operator,
      path: field.split('.'),
      operand,
    })),
  );

/** Whether two changes of an update are about one place: then it is refused whatever it would be applied to. */
export function isConflicting(update: Fields): boolean {
  const touched = changesIn(update).flatMap(({ operator, path, operand }) =>
    operator === '$rename' ? [path, (operand as string).split('.')] : [path],
  );
  return touched.some((one, at) =>
    touched.slice(at + 1).some((other) => isPrefix(one, other) || isPrefix(other, one)),
  );
}

/** @throws Refused, Unclaimed */
export function updated(document: Fields, update: Fields): Fields {
  if (isConflicting(update)) throw new Refused(conflict);
  const result = copyOf(document);
  const placeOf = ({ operator, path, operand }: Change) =>
    operator === '$rename' ? (operand as string).split('.') : path;
  const inOrder = changesIn(update).toSorted((left, right) => comparePaths(placeOf(left), placeOf(right)));
  for (const { operator, path, operand } of inOrder) applyOne(result, operator, path, operand);
  return result;
}
