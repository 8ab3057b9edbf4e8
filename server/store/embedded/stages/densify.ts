import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location } from '../errors.js';
import { isNullish } from '../expressions/expression.js';
import { compileSort } from '../query/sort.js';
import { compare, equals, typeName } from '../values/compare.js';
import { isNumber } from '../values/numbers.js';
import { getPath } from '../values/path.js';
import { type DensifyRange, rangeFrom } from './densify-range.js';
import { groupingBy } from './grouping.js';
import { inOrder } from './order.js';
import { paced } from './pace.js';
import { withValue } from './paths.js';
import { checkFields, missingField, optionalDoc, optionalText, optionalTexts, pathFrom } from './spec.js';
import { type Maker, weighed } from './stage.js';

/** `$densify`: rows for the values that are missing from a sequence. */

interface Densifying {
  path: string[];
  field: string;
  partitions: string[][];
  range: DensifyRange;
}

function read(operand: Value): Densifying {
  if (!(operand instanceof Map))
    throw failedToParse(`The $densify stage specification must be an object, found ${typeName(operand)}`);
  checkFields(operand, '$densify', ['field', 'partitionByFields', 'range'], ['field', 'range']);
  const field = optionalText(operand, '$densify', 'field');
  if (field === undefined) throw missingField('$densify', 'field');
  const range = rangeFrom(optionalDoc(operand, '$densify', 'range')!);
  const names = optionalTexts(operand, '$densify', 'partitionByFields') ?? [];
  const path = pathFrom(field);
  if (names.some((name) => name === field || name.startsWith(`${field}.`) || field.startsWith(`${name}.`)))
    throw location(
      8_993_000,
      "BSON field '$densify.partitionByFields' contains the field that is being densified",
    );
  if (range.bounds === 'partition' && names.length === 0)
    throw location(
      5_733_408,
      "One cannot specify the bounds as 'partition' without specifying a non-empty array of partitionByFields. You may have meant to specify 'full' bounds.",
    );
  return { path, field, partitions: names.map(pathFrom), range };
}

const mostGenerated = 500_000;

/** One sequence of rows: where it has come to, on the steps that are counted from where it began. */
interface Sequence {
  fields: Doc;
  last: Value | null;
}

export const densify: Maker = (operand, { context }) => {
  const { path, field, partitions, range } = read(operand);
  const { bounds, next, before, isOnStep } = range;
  const { collate } = context;
  // The whole range is gone through once for all partitions, in the order of the field alone.
  const sortBy: Doc = new Map(
    [...(bounds === 'full' ? [] : partitions.map((one) => one.join('.'))), field].map((name) => [
      name,
      new Int32(1),
    ]),
  );
  const order = compileSort(sortBy, collate);

  function placeOf(doc: Doc): Value | null {
    const value = getPath(doc, path);
    if (isNullish(value)) return null;
    if (!isNumber(value) && !(value instanceof Date))
      throw location(5_733_201, 'Densify field type must be numeric or a date');
    if (range.unit !== null && !(value instanceof Date))
      throw location(6_053_600, 'Encountered numeric densify value in collection when step has a date unit.');
    if (range.unit === null && value instanceof Date)
      throw location(
        6_053_601,
        'Encountered date densify value in collection when step does not have a date unit.',
      );
    return value;
  }

  const keyOf = (doc: Doc): Value[] => partitions.map((one) => getPath(doc, one) ?? null);

  function fieldsOf(doc: Doc): Doc {
    return partitions.reduce<Doc>((so, one) => {
      const value = getPath(doc, one);
      return value === undefined ? so : withValue(so, one, value);
    }, new Map());
  }

  return function* (rows) {
    const sorted = yield* inOrder(weighed(rows, '$densify'), order);
    const sequences = groupingBy<Sequence>(collate);
    let generated = 0;
    let least: Value | null = null;
    let greatest: Value | null = null;

    function* upTo(sequence: Sequence, end: Value): Iterable<Doc> {
      for (let value = next(sequence.last!); compare(value, end) < 0; value = next(value)) {
        generated += 1;
        if (generated > mostGenerated)
          throw location(
            5_897_900,
            `Generated ${generated} documents in $densify, which is over the limit of ${mostGenerated}. Increase the 'internalQueryMaxAllowedDensifyDocs' parameter to allow more generated documents`,
          );
        sequence.last = value;
        yield withValue(sequence.fields, checked(sequence.fields, path), value);
      }
    }

    function* dense(): Iterable<Doc> {
      for (const doc of sorted) {
        const value = placeOf(doc);
        if (value !== null) yield* missingBefore(doc, value);
        yield doc;
      }
      yield* missingAfter();
    }

    function* missingBefore(doc: Doc, value: Value): Iterable<Doc> {
      const sequence = sequences.at(keyOf(doc), () => ({ fields: fieldsOf(doc), last: null }));
      if (typeof bounds === 'string') {
        least ??= value;
        greatest = value;
        // Every partition begins where the first one did; with bounds of its own, where it does.
        sequence.last ??= bounds === 'full' && !equals(value, least) ? before(least) : null;
        if (sequence.last === null) sequence.last = value;
        else yield* reach(sequence, value, value);
        return;
      }
      if (compare(value, bounds.from) < 0) return;
      sequence.last ??= before(bounds.from);
      yield* reach(sequence, value, compare(value, bounds.to) < 0 ? value : bounds.to);
    }

    function* reach(sequence: Sequence, value: Value, end: Value): Iterable<Doc> {
      yield* upTo(sequence, end);
      if (equals(value, next(sequence.last!))) sequence.last = value;
    }

    function* missingAfter(): Iterable<Doc> {
      if (typeof bounds !== 'string') {
        if (partitions.length === 0) sequences.at([], () => ({ fields: new Map(), last: null }));
        for (const sequence of sequences.items()) {
          sequence.last ??= before(bounds.from);
          yield* upTo(sequence, bounds.to);
        }
      } else if (bounds === 'full' && partitions.length > 0 && greatest !== null) {
        const end = isOnStep(greatest, least!) ? next(greatest) : greatest;
        for (const sequence of sequences.items()) yield* upTo(sequence, end);
      }
    }

    yield* paced(dense());
  };
};

/** @throws StoreError when a generated row would have to overwrite what tells its partition */
function checked(fields: Doc, path: string[]): string[] {
  let at: Value | undefined = fields;
  for (const [n, step] of path.entries()) {
    at = at instanceof Map ? at.get(step) : undefined;
    if (Array.isArray(at)) throw location(5_733_307, '$densify cannot generate fields nested inside arrays');
    if (at !== undefined && !(at instanceof Map) && n < path.length - 1)
      throw location(5_733_308, '$densify cannot overwrite non-object values with objects');
  }
  return path;
}
