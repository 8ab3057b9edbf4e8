import type { Doc, Value } from '../bson/types.js';
import { badValue, failedToParse, StoreError } from '../errors.js';
import { compileFilter } from '../query/match.js';
import type { Collate } from '../values/compare.js';
import type { Filters } from './tree.js';

/**
 * The filters of an update by the names under which its paths use them: each asks for one name, which stands for an
 * element of an array.
 *
 * @throws StoreError `FailedToParse` (9) for a filter of no name, of two, or of another's; `BadValue` (2) for a name
 *   that is none, or a condition that is none
 */
export function compileArrayFilters(filters: readonly Doc[], collate: Collate | undefined): Filters {
  const compiled = new Map<string, (item: Value) => boolean>();
  for (const filter of filters) {
    const [name, matches] = parsing(() => [nameOf(filter), compileFilter(filter, { collate })] as const);
    if (name === null)
      throw failedToParse('Cannot use an expression without a top-level field name in arrayFilters');
    if (compiled.has(name))
      throw failedToParse(`Found multiple array filters with the same top-level field name ${name}`);
    compiled.set(name, (item) => matches(new Map([[name, item]])));
  }
  return compiled;
}

function parsing<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(
      error.code,
      error.codeName,
      `Error parsing array filter :: caused by :: ${error.message}`,
    );
  }
}

function nameOf(filter: Doc): string | null {
  const names = new Set(topNames(filter));
  const [name, other] = names;
  if (name === undefined) return null;
  if (other !== undefined)
    throw failedToParse(`Expected a single top-level field name, found '${name}' and '${other}'`);
  if (!/^[a-z][a-zA-Z0-9]*$/.test(name))
    throw badValue(
      `The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${name}'`,
    );
  return name;
}

function* topNames(filter: Doc): Generator<string> {
  for (const [key, condition] of filter) {
    if (!key.startsWith('$')) yield key.split('.', 1)[0]!;
    else if (Array.isArray(condition))
      for (const part of condition) if (part instanceof Map) yield* topNames(part);
  }
}
