import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { typeName } from '../values/compare.js';
import { isNumber, toDouble, toInteger } from '../values/numbers.js';
import { counted } from './accumulator.js';
import { count as countFrom } from './spec.js';
import { filterOf, type Maker, type Stage } from './stage.js';

/** Stages that pass rows on as they are, some of them, or how many they were. */

export const match: Maker = (operand, scope) => {
  if (!(operand instanceof Map)) throw location(15959, 'the match filter must be an expression in an object');
  const matches = filterOf(operand, scope);
  return function* (rows, variables) {
    for (const doc of rows) if (doc === null || matches(doc, variables)) yield doc;
  };
};

/** @throws StoreError for what is no limit */
export function limitFrom(operand: Value): number {
  const most = countFrom('$limit', operand, 5_107_201);
  if (most === 0) throw location(15958, 'the limit must be positive');
  return most;
}

export const skipFrom = (operand: Value): number => countFrom('$skip', operand, 5_107_200);

export const limit: Maker = (operand) => {
  const most = limitFrom(operand);
  return function* (rows) {
    let taken = 0;
    for (const doc of rows) {
      yield doc;
      if (doc === null) continue;
      taken += 1;
      if (taken === most) return;
    }
  };
};

export const skip: Maker = (operand) => {
  const left = skipFrom(operand);
  return function* (rows) {
    let passed = 0;
    for (const doc of rows) {
      if (doc !== null && passed < left) passed += 1;
      else yield doc;
    }
  };
};

function checkCountField(operand: Value): asserts operand is string {
  if (typeof operand !== 'string') throw location(40156, 'the count field must be a non-empty string');
  if (operand === '') throw location(40157, 'the count field must be a non-empty string');
  if (operand.startsWith('$')) throw location(40158, 'the count field cannot be a $-prefixed path');
  if (operand.includes('\0')) throw location(40159, 'the count field cannot contain a null byte');
  if (operand.includes('.')) throw location(40160, "the count field cannot contain '.'");
  if (operand === '_id') throw location(9_039_800, "the count field cannot be '_id'");
}

export const count: Maker = (operand) => {
  checkCountField(operand);
  return function* (rows) {
    let passed = 0;
    for (const doc of rows) {
      if (doc === null) yield null;
      else passed += 1;
    }
    if (passed > 0) yield new Map([[operand, counted(passed)]]);
  };
};

function sizeFrom(operand: Value): number {
  if (!(operand instanceof Map)) throw location(28745, 'the $sample stage specification must be an object');
  for (const name of operand.keys())
    if (name !== 'size') throw location(28748, `unrecognized option to $sample: ${name}`);
  const size = operand.get('size');
  if (size === undefined) throw location(28749, '$sample stage must specify a size');
  if (!isNumber(size))
    throw location(28746, `size argument to $sample must be a number, not ${typeName(size)}`);
  const most = Number(toInteger(size) ?? Math.trunc(toDouble(size)));
  if (!(most > 0)) throw location(28747, 'size argument to $sample must be a positive integer');
  return most;
}

const below = (end: number): number => Math.floor(Math.random() * end);

/** So many rows by chance, each as likely as any other; only these are held. */
export const sample: Maker = (operand): Stage => {
  const most = sizeFrom(operand);
  return function* (rows) {
    const drawn: Doc[] = [];
    let seen = 0;
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      seen += 1;
      if (drawn.length < most) drawn.push(doc);
      else {
        const place = below(seen);
        if (place < most) drawn[place] = doc;
      }
    }
    for (let at = drawn.length - 1; at > 0; at -= 1) {
      const other = below(at + 1);
      [drawn[at], drawn[other]] = [drawn[other]!, drawn[at]!];
    }
    yield* drawn;
  };
};
