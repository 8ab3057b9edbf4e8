import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { constant } from '../expressions/expression.js';
import { compileSort } from '../query/sort.js';
import { show } from '../values/show.js';
import type { AccumulatorMaker } from './accumulator.js';
import { keeping } from './several.js';
import { wrongType } from './spec.js';
import { expressionOf } from './stage.js';
import { topOf } from './top.js';

/** Accumulators that keep what stands first, or last, in an order of their own. */

interface Ranked {
  key: Doc;
  output: Value;
}

/** Of documents only what they are ordered by is held. */
const ranking =
  (isTop: boolean, isSingle: boolean): AccumulatorMaker =>
  (argument, scope, name) => {
    if (!(argument instanceof Map))
      throw location(5_788_001, `specification must be an object; found ${show(argument)}`);
    const known = isSingle ? ['output', 'sortBy'] : ['n', 'output', 'sortBy'];
    for (const field of argument.keys())
      if (!known.includes(field)) throw location(5_788_002, `Unknown argument to ${name} '${field}'`);
    if (!isSingle && !argument.has('n')) throw location(5_788_003, "Missing value for 'n'");
    if (!argument.has('output')) throw location(5_788_004, "Missing value for 'output'");
    const sortBy = argument.get('sortBy');
    if (sortBy === undefined) throw location(5_788_005, "Missing value for 'sortBy'");
    if (!(sortBy instanceof Map)) throw wrongType(name, 'sortBy', sortBy, 'object');
    const { collate } = scope.context;
    // Read for what is wrong with it; the keys that are compared bear numbers for names.
    compileSort(sortBy, collate);
    const keys = [...sortBy.keys()].map((path) => expressionOf(`$${path}`, scope));
    const order = compileSort(
      new Map([...sortBy.values()].map((direction, n) => [String(n), direction])),
      collate,
    );
    const byKey = (left: Ranked, right: Ranked) => order(left.key, right.key);
    const output = expressionOf(argument.get('output')!, scope);
    const n = isSingle ? constant(new Int32(1)) : expressionOf(argument.get('n')!, scope);
    return {
      input(doc, variables) {
        const key: Doc = new Map();
        for (const [at, compute] of keys.entries()) {
          const value = compute(doc, variables);
          if (value !== undefined) key.set(String(at), value);
        }
        return new Map<string, Value>([
          ['key', key],
          ['output', output(doc, variables) ?? null],
        ]);
      },
      ...keeping(n, (most) => {
        const kept = topOf<Ranked>(most, isTop ? byKey : (left, right) => byKey(right, left));
        return {
          take(value) {
            const given = value as Doc;
            kept.add({ key: given.get('key') as Doc, output: given.get('output')! });
          },
          result() {
            const list = kept
              .items()
              .sort(byKey)
              .map((one) => one.output);
            return isSingle ? (list[0] ?? null) : list;
          },
        };
      }),
    };
  };

export const top = ranking(true, true);
export const topN = ranking(true, false);
export const bottom = ranking(false, true);
export const bottomN = ranking(false, false);
