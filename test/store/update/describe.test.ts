import { Int32 } from 'bson';
import fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import type { Doc, Value } from '../../../server/store/embedded/bson/types.js';
import { StoreError } from '../../../server/store/embedded/errors.js';
import { type Description, describe } from '../../../server/store/embedded/update/describe.js';
import { apply, doc, type Given, type Plain, rows, value } from './run.js';

const told = ({ updatedFields, removedFields, truncatedArrays, disambiguatedPaths }: Description) => ({
  updatedFields: rows(updatedFields),
  removedFields,
  truncatedArrays: rows(truncatedArrays),
  disambiguatedPaths: rows(disambiguatedPaths),
});

interface Expected {
  updated?: Plain;
  removed?: string[];
  truncated?: Plain[];
  paths?: Plain;
}

const expected = ({ updated = {}, removed = [], truncated = [], paths = {} }: Expected) => ({
  updatedFields: rows(doc(updated)),
  removedFields: removed,
  truncatedArrays: rows(value(truncated)),
  disambiguatedPaths: rows(doc(paths)),
});

const compared = (before: Plain, after: Plain, tells: Expected) =>
  expect(told(describe(doc(before), doc(after)))).toEqual(expected(tells));

const updated = (before: Plain, update: Plain, tells: Expected, given: Given = {}) => {
  const touched: string[][] = [];
  const original = doc(before);
  const after = apply(update, original, { ...given, touched });
  expect(told(describe(original, after, touched))).toEqual(expected(tells));
};

/** Long enough that what changed beside it is shorter to tell than the whole. */
const long = 'x'.repeat(200);

group('Two documents compared', () => {
  it('tell what is new, other and gone', () => {
    compared({ _id: 1, a: 1, b: 2 }, { _id: 1, a: 5, c: 3 }, { updated: { a: 5, c: 3 }, removed: ['b'] });
    compared({ a: 1 }, { a: 1n }, { updated: { a: 1n } });
  });

  it('tell what is inside by its path, unless the whole is shorter', () => {
    compared({ a: { b: 1, c: long } }, { a: { b: 2, c: long } }, { updated: { 'a.b': 2 } });
    compared({ a: { b: 1, c: long } }, { a: { c: long } }, { removed: ['a.b'] });
    compared({ a: { b: 1 } }, { a: { b: 2 } }, { updated: { a: { b: 2 } } });
  });

  it('tell elements of arrays by number, and the end that is gone', () => {
    compared(
      { a: [1, long, 3, 4] },
      { a: [2, long] },
      { updated: { 'a.0': 2 }, truncated: [{ field: 'a', newSize: 2 }] },
    );
    compared({ a: [long] }, { a: [long, 5, { b: 1 }] }, { updated: { 'a.1': 5, 'a.2': { b: 1 } } });
    compared(
      { array: ['foo', { a: 'bar' }, 1, 2, 3] },
      { array: ['foo', { a: 'bar' }] },
      { truncated: [{ field: 'array', newSize: 2 }] },
    );
  });

  it('tell apart what reads in two ways', () => {
    compared(
      { a: { '0': 1, l: long }, b: [1, long], 'c.d': 1, '5': 1 },
      { a: { '0': 2, l: long }, b: [2, long], 'c.d': 2, '5': 2 },
      {
        updated: { '5': 2, 'a.0': 2, 'b.0': 2, 'c.d': 2 },
        paths: { 'a.0': ['a', '0'], 'c.d': ['c.d'] },
      },
    );
  });

  it('tell fields that moved anew', () => {
    compared({ a: 1, b: 2 }, { b: 2, a: 1 }, { updated: { a: 1 } });
  });
});

group('An update by operators', () => {
  it('tells the places it touched, and no others', () => {
    updated(
      { a: { b: 1 }, c: 1 },
      { $set: { 'a.b': 2 }, $unset: { c: '' } },
      { updated: { 'a.b': 2 }, removed: ['c'] },
    );
    updated({ a: { b: 1 } }, { $set: { a: { b: 2, c: long } } }, { updated: { a: { b: 2, c: long } } });
    updated({ a: 1 }, { $set: { a: 1, b: 1 } }, { updated: { b: 1 } });
    updated({ a: 1 }, { $rename: { a: 'b' } }, { updated: { b: 1 }, removed: ['a'] });
  });

  it('tells what it made by the topmost field', () => {
    updated({}, { $set: { 'a.b.c': 1, 'a.d': 2 } }, { updated: { a: { b: { c: 1 }, d: 2 } } });
    updated({ a: {} }, { $set: { 'a.b.c': 1, 'a.d': 2 } }, { updated: { 'a.b': { c: 1 }, 'a.d': 2 } });
  });

  it('tells arrays whole, unless only their end is new', () => {
    updated({ a: [1, 2] }, { $push: { a: 3 } }, { updated: { 'a.2': 3 } });
    updated({ a: [1] }, { $push: { a: { $each: [2, 3] } } }, { updated: { 'a.1': 2, 'a.2': 3 } });
    updated({ a: [1, 2] }, { $push: { a: { $each: [3], $slice: -2 } } }, { updated: { a: [2, 3] } });
    updated({ a: [1, 2] }, { $pop: { a: 1 } }, { updated: { a: [1] } });
    updated({ a: [1, 2] }, { $pull: { a: 1 } }, { updated: { a: [2] } });
    updated({ a: [1, 2] }, { $unset: { 'a.0': '' } }, { updated: { 'a.0': null } });
    updated({ a: [null, 2] }, { $unset: { 'a.0': '' }, $set: { b: 1 } }, { updated: { b: 1 } });
  });

  it('tells one filtered element by its number, several by their array', () => {
    const given = { arrayFilters: [{ 'x.b': { $gte: 2 } }] };
    const update = { $set: { 'a.$[x].c': 1 } };
    updated({ a: [{ b: 1 }, { b: 2 }] }, update, { updated: { 'a.1.c': 1 } }, given);
    updated({ a: [{ b: 2, c: 1 }, { b: 2 }] }, update, { updated: { 'a.1': { b: 2, c: 1 } } }, given);
    updated(
      { a: [{ b: 2 }, { b: 2 }] },
      update,
      {
        updated: {
          a: [
            { b: 2, c: 1 },
            { b: 2, c: 1 },
          ],
        },
      },
      given,
    );
  });

  it('tells apart fields and elements of the same name', () => {
    updated(
      { a: { '1': 1 } },
      { $set: { 'a.1': 2 } },
      { updated: { 'a.1': 2 }, paths: { 'a.1': ['a', '1'] } },
    );
    updated(
      { a: [{ '1': 1 }] },
      { $set: { 'a.0.1': 2 } },
      { updated: { 'a.0.1': 2 }, paths: { 'a.0.1': ['a', 0, '1'] } },
    );
    updated({ a: [1] }, { $set: { 'a.0': 2 } }, { updated: { 'a.0': 2 } });
  });
});

/** What a reader does who keeps a copy by the descriptions alone. */
function follow(
  before: Doc,
  { updatedFields, removedFields, truncatedArrays, disambiguatedPaths }: Description,
): Doc {
  const partsOf = (name: string) =>
    (disambiguatedPaths.get(name) as Value[] | undefined)?.map((part) =>
      part instanceof Int32 ? String(part.value) : String(part),
    ) ?? name.split('.');
  const edit = (
    at: Value | undefined,
    path: string[],
    last: (owner: Doc | Value[], name: string) => void,
  ): Value => {
    const copy = Array.isArray(at) ? [...at] : new Map(at instanceof Map ? at : []);
    const [name, ...rest] = path as [string, ...string[]];
    // What was skipped on the way to a new element is null.
    if (Array.isArray(copy)) while (copy.length < Number(name)) copy.push(null);
    if (rest.length === 0) last(copy, name);
    else if (Array.isArray(copy)) copy[Number(name)] = edit(copy[Number(name)], rest, last);
    else copy.set(name, edit(copy.get(name), rest, last));
    return copy;
  };
  let doc: Value = before;
  for (const one of truncatedArrays as Map<string, Value>[])
    doc = edit(doc, partsOf(String(one.get('field'))), (owner, name) => {
      const length = (one.get('newSize') as Int32).value;
      if (Array.isArray(owner)) owner[Number(name)] = (owner[Number(name)] as Value[]).slice(0, length);
      else owner.set(name, (owner.get(name) as Value[]).slice(0, length));
    });
  for (const name of removedFields)
    doc = edit(doc, partsOf(name), (owner, last) => owner instanceof Map && owner.delete(last));
  for (const [name, item] of updatedFields)
    doc = edit(doc, partsOf(name), (owner, last) => {
      if (Array.isArray(owner)) owner[Number(last)] = item;
      else owner.set(last, item);
    });
  return doc as Doc;
}

/** Descriptions do not tell the order of fields. */
function sorted(item: Value): unknown {
  if (Array.isArray(item)) return item.map(sorted);
  if (!(item instanceof Map)) return item;
  return [...item]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, inner]) => [name, sorted(inner)]);
}

group('A description', () => {
  const name = fc.constantFrom('a', 'b', '0', '1', 'c.d', '', '__proto__', 'long');
  const { document } = fc.letrec((tie) => ({
    item: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.constantFrom(null, 'x', 1n, 0.5, true, long, new Int32(7)),
      fc.array(tie('item'), { maxLength: 4 }),
      tie('document'),
    ),
    document: fc
      .uniqueArray(fc.tuple(name, tie('item')), { selector: ([key]) => key, maxLength: 5 })
      .map((entries) => new Map(entries)),
  }));
  const documents = document as fc.Arbitrary<Doc>;

  it('is enough to make one document of the other', () => {
    fc.assert(
      fc.property(documents, documents, (before, after) => {
        expect(sorted(follow(before, describe(before, after)))).toEqual(sorted(after));
      }),
      { numRuns: 500 },
    );
  });

  it('is enough after an update by operators too', () => {
    const path = fc.array(fc.constantFrom('a', 'b', '0', '1', 'long'), { minLength: 1, maxLength: 3 });
    const operator = fc.constantFrom('$set', '$unset', '$push', '$addToSet', '$min');
    fc.assert(
      fc.property(
        documents,
        fc.array(fc.tuple(operator, path, fc.constantFrom('x', 1n, long)), { minLength: 1, maxLength: 4 }),
        (before, steps) => {
          const update = new Map<string, Doc>();
          for (const [kind, parts, operand] of steps)
            update.set(kind, new Map(update.get(kind)).set(parts.join('.'), operand));
          const touched: string[][] = [];
          let after: Doc;
          try {
            after = apply(Object.fromEntries(update), before, { touched });
          } catch (error) {
            if (error instanceof StoreError) return;
            throw error;
          }
          if (after === before) expect(touched).toEqual([]);
          else expect(sorted(follow(before, describe(before, after, touched)))).toEqual(sorted(after));
        },
      ),
      { numRuns: 500 },
    );
  });
});
