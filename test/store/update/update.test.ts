import { Binary, Code, Double, Int32, Timestamp } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Doc } from '../../../server/store/embedded/bson/types.js';
import { location, StoreError } from '../../../server/store/embedded/errors.js';
import { compileUpdate } from '../../../server/store/embedded/update/update.js';
import { apply, compiled, doc, leaves, makes, now, refusal, refused, rows, stamp } from './run.js';

describe('An update', () => {
  it('has operators when its first field has, and else replaces', () => {
    expect(compiled({ $set: { a: 1 } }).isReplacement).toBe(false);
    expect(compiled({ a: 1 }).isReplacement).toBe(true);
    expect(compiled({}).isReplacement).toBe(true);
  });

  it('refuses what is mixed or no operator', () => {
    expect(refused({}, { $set: { a: 1 }, b: 1 })).toBe(
      '9 FailedToParse: Unknown modifier: b. Expected a valid update modifier or pipeline-style update specified as an array',
    );
    expect(refused({}, { $foo: { a: 1 } })).toMatch(/^9 FailedToParse: Unknown modifier: \$foo/);
    expect(refused({ _id: 1 }, { a: 1, $set: { b: 1 } })).toMatch(
      /^52 DollarPrefixedFieldName: The dollar \(\$\) prefixed field '\$set' in '\$set' is not allowed/,
    );
    expect(refused({}, { $set: 5 })).toBe(
      '9 FailedToParse: Modifiers operate on fields but we found type int instead. For example: {$mod: {<field>: ...}} not {$set: 5}',
    );
  });

  it('may have operators without fields', () => {
    leaves({ a: 1 }, { $set: {}, $inc: {} });
  });

  it('refuses paths with empty parts', () => {
    expect(refused({}, { $set: { '': 1 } })).toBe('56 EmptyFieldName: An empty update path is not valid.');
    expect(refused({}, { $set: { 'a..b': 1 } })).toBe(
      "56 EmptyFieldName: The update path 'a..b' contains an empty field name, which is not allowed.",
    );
    expect(refused({}, { $set: { 'a.': 1 } })).toMatch(/^56 EmptyFieldName/);
  });

  it('refuses two operators at one place, or one below another', () => {
    const conflict = (path: string, at: string) =>
      `40 ConflictingUpdateOperators: Updating the path '${path}' would create a conflict at '${at}'`;
    expect(refused({}, { $set: { a: 1 }, $inc: { a: 1 } })).toBe(conflict('a', 'a'));
    expect(refused({}, { $set: { a: 1, 'a.b': 1 } })).toBe(conflict('a.b', 'a'));
    expect(refused({}, { $set: { 'a.b.c': 1, a: 1 } })).toBe(conflict('a', 'a'));
    expect(refused({}, { $set: { 'a.$[]': 1, 'a.0': 1 } })).toBe(conflict('a.0', 'a'));
    expect(refused({}, { $set: { 'a.$[].b': 1 }, $unset: { 'a.$[].b': 1 } })).toBe(
      conflict('a.$[].b', 'a.$[].b'),
    );
    makes({}, { $set: { 'a.b': 1, 'a.bc': 1, ab: 1 } }, { a: { b: 1, bc: 1 }, ab: 1 });
  });

  it('is refused whole: the document stays as it was', () => {
    const before = doc({ a: { b: 1 }, c: 'x' });
    expect(refusal(() => apply({ $set: { 'a.b': 2 }, $inc: { c: 1 } }, before))).toMatch(/^14/);
    expect(rows(before)).toEqual(rows(doc({ a: { b: 1 }, c: 'x' })));
  });

  it('leaves _id alone, or is refused', () => {
    const refusedId = (path: string) =>
      `66 ImmutableField: Performing an update on the path '${path}' would modify the immutable field '_id'`;
    leaves({ _id: 1 }, { $set: { _id: 1 } });
    expect(refused({ _id: 1 }, { $set: { _id: 2 } })).toBe(refusedId('_id'));
    expect(refused({ _id: 1 }, { $inc: { _id: 1 } })).toBe(refusedId('_id'));
    expect(refused({ _id: 1 }, { $unset: { _id: '' } })).toBe(refusedId('_id'));
    expect(refused({ _id: { a: 1 } }, { $set: { '_id.b': 1 } })).toBe(refusedId('_id.b'));
    expect(refused({ _id: 1, a: 2 }, { $rename: { a: '_id' } })).toBe(refusedId('_id'));
    makes({}, { $set: { a: 1 }, $setOnInsert: { _id: 5 } }, { _id: 5, a: 1 }, { isInsert: true });
  });

  it('puts a $ at the top of no document but a new one, and anywhere below', () => {
    expect(refused({ _id: 1 }, { $set: { $a: 1 } })).toMatch(/^52 DollarPrefixedFieldName/);
    makes({}, { $set: { $a: 1 } }, { $a: 1 }, { isInsert: true });
    makes(
      { a: {} },
      { $set: { 'a.$b': 1, c: { $d: { 'e.f': 1 } } } },
      { a: { $b: 1 }, c: { $d: { 'e.f': 1 } } },
    );
    makes({ $a: 1, b: 1 }, { $unset: { $a: '' } }, { b: 1 });
    makes({ a: 1 }, { $set: { $ref: 'b', $id: 1 } }, { a: 1, $id: 1, $ref: 'b' }, { isInsert: true });
    expect(refused({ a: 1 }, { $set: { $ref: 'b' } })).toMatch(/^55 InvalidDBRef/);
  });

  it('shares what it does not touch', () => {
    const before = doc({ a: { b: 1 }, c: { d: 1 } });
    const after = apply({ $set: { 'a.b': 2 } }, before);
    expect(after.get('c')).toBe(before.get('c'));
  });
});

describe('A replacement', () => {
  it('takes the place of all but _id, which stands first', () => {
    makes({ _id: 1, a: 1 }, { b: 2 }, { _id: 1, b: 2 });
    makes({ _id: 1, a: 1 }, { b: 2, _id: 1 }, { _id: 1, b: 2 });
    makes({ _id: 1, a: 1 }, {}, { _id: 1 });
    makes({}, { b: 1 }, { b: 1 }, { isInsert: true });
    makes({ _id: 1 }, { b: { $c: 1 }, 'd.e': 1 }, { _id: 1, b: { $c: 1 }, 'd.e': 1 });
    makes({}, { b: 1, $c: 1 }, { b: 1, $c: 1 }, { isInsert: true });
  });

  it('refuses another _id, and takes one that is equal in another type', () => {
    expect(refused({ _id: 1 }, { _id: 2 })).toBe(
      "66 ImmutableField: After applying the update, the (immutable) field '_id' was found to have been altered to _id: 2",
    );
    makes({ _id: 1 }, { _id: new Double(1), a: 1 }, { _id: new Double(1), a: 1 });
  });

  it('changes nothing when it is the same, _id and order of fields included', () => {
    leaves({ _id: 1, a: 1 }, { _id: 1, a: 1 });
    makes({ _id: 1, a: 1, b: 2 }, { _id: 1, b: 2, a: 1 }, { _id: 1, b: 2, a: 1 });
  });

  it('fills in empty timestamps at its top', () => {
    const empty = new Timestamp({ t: 0, i: 0 });
    makes({ _id: 1 }, { a: empty, b: { c: empty } }, { _id: 1, a: stamp, b: { c: empty } });
  });

  it('has no use for array filters', () => {
    expect(refused({}, { a: 1 }, { arrayFilters: [{ x: 1 }] })).toMatch(
      /^9 FailedToParse: arrayFilters may not/,
    );
  });
});

describe('An update by pipeline', () => {
  const by = (stages: Parameters<typeof doc>[0][], run: (one: Doc) => Doc, arrayFilters?: Doc[]) =>
    compileUpdate(stages.map(doc), {
      arrayFilters,
      now: () => now,
      timestamp: () => stamp,
      pipeline: (given) => {
        if (given.some((stage) => stage.has('$foo')))
          throw location(40324, "Unrecognized pipeline stage name: '$foo'");
        if (given.some((stage) => stage.has('$out'))) throw new StoreError(1, 'Unable', 'cannot run here');
        return run;
      },
    });
  const of = (before: Parameters<typeof doc>[0], run: (one: Doc) => Doc) =>
    by([{ $set: {} }], run).apply(doc(before), { isInsert: false, position: null });

  it('gives what the stages make, with the _id that was there, first', () => {
    expect(rows(of({ _id: 1, a: 1 }, () => doc({ b: 2 })))).toEqual(rows(doc({ _id: 1, b: 2 })));
    expect(rows(of({ _id: 1 }, () => doc({ b: 2, _id: 1 })))).toEqual(rows(doc({ _id: 1, b: 2 })));
    expect(refusal(() => of({ _id: 1 }, () => doc({ _id: 2 })))).toMatch(/^66 ImmutableField/);
    expect(rows(of({ _id: 1 }, () => doc({ _id: 1, $a: 1 })))).toEqual(rows(doc({ _id: 1, $a: 1 })));
  });

  it('changes nothing when they change nothing', () => {
    const before = doc({ _id: 1, a: { b: 1 } });
    const update = by([{ $set: { a: 1 } }], () => doc({ _id: 1, a: { b: 1 } }));
    expect(update.apply(before, { isInsert: false, position: null })).toBe(before);
  });

  it('refuses stages that make no document of a document, and array filters', () => {
    const same = (one: Doc) => one;
    for (const name of ['$match', '$group', '$out', '$lookup'])
      expect(refusal(() => by([{ $set: {} }, { [name]: {} }], same))).toBe(
        `72 InvalidOptions: ${name} is not allowed to be used within an update`,
      );
    expect(refusal(() => by([{ $foo: {} }], same))).toMatch(/^40324/);
    expect(refusal(() => by([], same, [doc({ x: 1 })]))).toMatch(/^9 FailedToParse/);
  });

  it('refuses what would be too deep', () => {
    const nested = (levels: number): Doc =>
      Array.from({ length: levels }).reduce((inner: Doc) => new Map([['a', inner]]), doc({}));
    expect(of({ _id: 1 }, () => nested(180)).has('a')).toBe(true);
    expect(refusal(() => of({ _id: 1 }, () => nested(181)))).toMatch(/^15 Overflow/);
  });
});

describe('Doing an update twice', () => {
  const name = fc.constantFrom('a', 'b', 'c.d', 'c.0', 'e.f.g');
  const item = fc.oneof(
    fc.integer({ min: -3, max: 3 }).map((one) => new Int32(one)),
    fc.constantFrom(null, 'x', 1n, 0.5, new Code('x'), new Binary(Buffer.from('x'))),
    fc.array(fc.constantFrom('x', 1n), { maxLength: 2 }),
  );
  const operator = fc.constantFrom('$set', '$unset', '$min', '$max', '$addToSet', '$pullAll');

  it('changes nothing the second time, by operators that say how it shall be', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'c', 'e'), item),
        fc.array(fc.tuple(operator, name, item), { maxLength: 4 }),
        (before, steps) => {
          const update: Record<string, Record<string, never>> = {};
          for (const [kind, path, operand] of steps) {
            update[kind] ??= {};
            update[kind][path] = (kind === '$pullAll' ? [operand] : operand) as never;
          }
          if (steps.length === 0) return;
          try {
            const once = apply(update, doc(before));
            expect(apply(update, once)).toBe(once);
          } catch (error) {
            if (!(error instanceof StoreError)) throw error;
          }
        },
      ),
    );
  });
});
