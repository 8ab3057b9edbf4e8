import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { typeName } from '../values/compare.js';
import { getPath } from '../values/path.js';
import { show } from '../values/show.js';
import { withValue } from './paths.js';
import { pathFrom } from './spec.js';
import type { Maker } from './stage.js';

/** `$unwind`: a row for each element of an array. */

interface Unwinding {
  path: string[];
  index: string[] | null;
  /** Whether a row stays that has nothing to unwind. */
  keeps: boolean;
}

function read(operand: Value): Unwinding {
  if (typeof operand === 'string') return { path: prefixed(operand), index: null, keeps: false };
  if (!(operand instanceof Map))
    throw location(
      15981,
      `expected either a string or an object as specification for $unwind stage, got ${typeName(operand)}`,
    );
  let path: string[] | null = null;
  let index: string[] | null = null;
  let keeps = false;
  for (const [name, value] of operand) {
    if (name === 'path') {
      if (typeof value !== 'string')
        throw location(28808, `expected a string as the path for $unwind stage, got ${typeName(value)}`);
      path = prefixed(value);
    } else if (name === 'preserveNullAndEmptyArrays') {
      if (typeof value !== 'boolean')
        throw location(
          28809,
          `expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage, got ${typeName(value)}`,
        );
      keeps = value;
    } else if (name === 'includeArrayIndex') index = indexFrom(value);
    else throw location(28811, `unrecognized option to $unwind stage: ${name}`);
  }
  if (!path) throw location(28812, 'no path specified to $unwind stage');
  return { path, index, keeps };
}

function prefixed(path: string): string[] {
  if (!path.startsWith('$'))
    throw location(28818, `path option to $unwind stage should be prefixed with a '$': ${path}`);
  return pathFrom(path.slice(1));
}

function indexFrom(value: Value): string[] {
  if (typeof value !== 'string' || value === '')
    throw location(
      28810,
      `expected a non-empty string for the includeArrayIndex option to $unwind stage, got ${typeof value === 'string' ? show(value) : typeName(value)}`,
    );
  if (value.startsWith('$'))
    throw location(
      28822,
      `includeArrayIndex option to $unwind stage should not be prefixed with a '$': ${value}`,
    );
  return pathFrom(value);
}

export const unwind: Maker = (operand) => {
  const { path, index, keeps } = read(operand);
  const indexed = (doc: Doc, at: bigint | null): Doc => (index ? withValue(doc, index, at) : doc);

  function* unwound(doc: Doc): Iterable<Doc> {
    const value = getPath(doc, path);
    if (!Array.isArray(value)) {
      if (keeps || (value !== undefined && value !== null)) yield indexed(doc, null);
    } else if (value.length === 0) {
      if (keeps) yield indexed(withValue(doc, path, undefined), null);
    } else {
      for (let at = 0; at < value.length; at += 1)
        yield indexed(withValue(doc, path, value[at]!), BigInt(at));
    }
  }

  return function* (rows) {
    for (const doc of rows) {
      if (doc === null) yield null;
      else yield* unwound(doc);
    }
  };
};
