import { badValue, emptyFieldName } from '../errors.js';
import { compare } from '../values/compare.js';

/** Whether a part of a path can name an element of an array. */
export const isIndex = (part: string): boolean => /^\d+$/.test(part);

/** `$[]` and `$[name]`: all elements of an array, or those that a filter picks. */
export const isIdentifier = (part: string): boolean => part.startsWith('$[') && part.endsWith(']');

/** The name in `$[name]`, empty in `$[]`. */
export const identifierOf = (part: string): string => part.slice(2, -1);

/**
 * The parts of an update's path.
 *
 * @throws StoreError `EmptyFieldName` (56) for an empty part, `BadValue` (2) for a `$` that is first or is not alone
 */
export function parsePath(path: string): string[] {
  if (path === '') throw emptyFieldName('An empty update path is not valid.');
  const parts = path.split('.');
  let positions = 0;
  for (const part of parts) {
    if (part === '')
      throw emptyFieldName(`The update path '${path}' contains an empty field name, which is not allowed.`);
    if (part === '$') positions += 1;
  }
  if (positions > 1) throw badValue(`Too many positional (i.e. '$') elements found in path '${path}'`);
  if (parts[0] === '$')
    throw badValue(`Cannot have positional (i.e. '$') element in the first position in path '${path}'`);
  if (isIdentifier(parts[0]!))
    throw badValue(
      `Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '${path}'`,
    );
  return parts;
}

const isPlainNumber = (name: string): boolean => /^(?:0$|[1-9])/.test(name);

/** The order in which an update visits fields, and so adds new ones: numbers by their size, names by their code points. */
export function compareNames(left: string, right: string): number {
  if (!isPlainNumber(left) || !isPlainNumber(right)) return compare(left, right);
  // Names that only begin like numbers go by their length too: any order will do, if it is one.
  return left.length - right.length || compare(left, right);
}

/** Whether one path leads to the other, or they are the same. */
export function overlap(left: readonly string[], right: readonly string[]): boolean {
  const least = Math.min(left.length, right.length);
  for (let at = 0; at < least; at += 1) if (left[at] !== right[at]) return false;
  return true;
}
