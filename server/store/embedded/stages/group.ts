import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Variables } from '../expressions/compile.js';
import { compare, typeName } from '../values/compare.js';
import type { Accumulation, State } from './accumulator.js';
import { accumulators } from './accumulators.js';
import { groupingBy } from './grouping.js';
import { balanceFor } from './memory.js';
import { orderBy, sorting } from './order.js';
import { paced } from './pace.js';
import { expressionOf, type Maker, type Scope, type Stage } from './stage.js';

/** `$group`: documents of one key made into one. */

export interface Field {
  name: string;
  accumulation: Accumulation;
}

/** @throws StoreError when a field does not hold exactly one accumulator */
export function fieldFrom(name: string, given: Value, scope: Scope): Field {
  const operator = given instanceof Map ? given.keys().next().value : undefined;
  if (!(given instanceof Map) || !operator?.startsWith('$'))
    throw location(40234, `The field '${name}' must be an accumulator object`);
  if (name.includes('.')) throw location(40235, `The field name '${name}' cannot contain '.'`);
  if (name.startsWith('$')) throw location(40236, `The field name '${name}' cannot be an operator name`);
  if (given.size !== 1) throw location(40238, `The field '${name}' must specify one accumulator`);
  const make = accumulators.get(operator);
  if (!make) throw location(15952, `unknown group operator '${operator}'`);
  return { name, accumulation: make(given.get(operator)!, scope, operator) };
}

interface Group {
  key: Value;
  states: State[];
}

const noGroup: Doc = new Map();
/** What a group takes besides its key, about. */
const groupBytes = 100;

/** Groups by a key that is computed for each document. */
export function grouping(
  keyOf: (doc: Doc, variables: Variables) => Value,
  fields: readonly Field[],
  { context: { collate } }: Scope,
): Stage {
  return function* (rows, variables) {
    const groups = groupingBy<Group>(collate);
    const held = balanceFor('$group');
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      const key = keyOf(doc, variables);
      const { states } = groups.at(key, () => {
        const group = key instanceof Map ? key : noGroup;
        held.addBytes(groupBytes);
        held.add(key);
        return { key, states: fields.map(({ accumulation }) => accumulation.begin(group, variables)) };
      });
      for (let n = 0; n < fields.length; n += 1) {
        const { accumulation } = fields[n]!;
        const value = accumulation.input(doc, variables);
        const isKept = states[n]!.take(value) !== false;
        if (accumulation.holds && isKept && value !== undefined) held.add(value);
      }
    }
    yield* paced(finished(groups.items(), fields));
  };
}

function* finished(groups: Iterable<Group>, fields: readonly Field[]): Iterable<Doc> {
  for (const { key, states } of groups) {
    const made: Doc = new Map([['_id', key]]);
    for (let n = 0; n < fields.length; n += 1) made.set(fields[n]!.name, states[n]!.result());
    yield made;
  }
}

export const group: Maker = (operand, scope) => {
  if (!(operand instanceof Map)) throw location(15947, "a group's fields must be specified in an object");
  const id = operand.get('_id');
  if (id === undefined) throw location(15955, 'a group specification must include an _id');
  const keyOf = expressionOf(id, scope);
  const fields = [...operand].flatMap(([name, given]) =>
    name === '_id' ? [] : [fieldFrom(name, given, scope)],
  );
  return grouping((doc, variables) => keyOf(doc, variables) ?? null, fields, scope);
};

const counting: Value = new Map([['$sum', new Int32(1)]]);
export const countField = (scope: Scope): Field => fieldFrom('count', counting, scope);

function checkCounted(operand: Value): void {
  if (operand instanceof Map) {
    if (!operand.keys().next().value?.startsWith('$'))
      throw location(
        40147,
        'the sortByCount field must be defined as a $-prefixed path or an expression inside an object',
      );
  } else if (typeof operand === 'string') {
    if (!operand.startsWith('$'))
      throw location(
        40148,
        'the sortByCount field must be defined as a $-prefixed path or an expression inside an object',
      );
  } else
    throw location(
      40149,
      `the sortByCount field must be specified as a string or as an object, not ${typeName(operand)}`,
    );
}

export const sortByCount: Maker = (operand, scope, _name, limit) => {
  checkCounted(operand);
  const keyOf = expressionOf(operand, scope);
  const counted = grouping((doc, variables) => keyOf(doc, variables) ?? null, [countField(scope)], scope);
  const ordered = sorting(
    orderBy('count', (left, right) => compare(right, left)),
    limit,
  );
  return (rows, variables) => ordered(counted(rows, variables), variables);
};
