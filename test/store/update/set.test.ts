import { Decimal128, Int32 } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getPath } from '../../../server/store/embedded/values/path.js';
import { apply, doc, leaves, makes, now, refused, rows, stamp, value } from './run.js';

describe('$set', () => {
  it('changes a field in its place and adds new ones at the end', () => {
    makes({ _id: 1, a: 1, b: 2 }, { $set: { a: 'x' } }, { _id: 1, a: 'x', b: 2 });
    makes({ _id: 1 }, { $set: { a: null } }, { _id: 1, a: null });
  });

  it('adds several fields in the order of their names, numbers by their size', () => {
    makes({ _id: 1 }, { $set: { c: 1, a: 1 }, $inc: { b: 1 } }, { _id: 1, a: 1, b: 1, c: 1 });
    const after = apply({ $set: { 'a.10': 1, 'a.9': 1, 'a.b': 1, 'a.2': 1 } }, doc({ _id: 1 }));
    expect([...(after.get('a') as Map<string, unknown>).keys()]).toEqual(['2', '9', '10', 'b']);
  });

  it('makes the documents on the way', () => {
    makes({ _id: 1 }, { $set: { 'a.b.c': 1, 'a.b.d': 2 } }, { _id: 1, a: { b: { c: 1, d: 2 } } });
    makes({ a: {} }, { $set: { 'a.0': 1 } }, { a: { '0': 1 } });
  });

  it('reaches into arrays by number, and fills what is skipped with null', () => {
    makes({ a: [1, 2] }, { $set: { 'a.0': 5 } }, { a: [5, 2] });
    makes({ a: [1] }, { $set: { 'a.3': 5, 'a.2.b': 1 } }, { a: [1, null, { b: 1 }, 5] });
    makes({ a: [{ b: 1 }] }, { $set: { 'a.0.b': 2 } }, { a: [{ b: 2 }] });
    expect(refused({ a: [] }, { $set: { 'a.1500001': 1 } })).toBe(
      "34 CannotBackfillArray: can't backfill more than 1500000 elements",
    );
  });

  it('tells a type from another, so that 1 and 1.0 and 1.00 are a change', () => {
    leaves({ a: 1 }, { $set: { a: 1 } });
    leaves({ a: { b: [1, 'x'] } }, { $set: { a: { b: [1, 'x'] } } });
    leaves({ a: Number.NaN, b: -0 }, { $set: { a: Number.NaN, b: -0 } });
    makes({ a: 1 }, { $set: { a: 1n } }, { a: 1n });
    const before = doc({ a: Decimal128.fromString('1.0'), b: { x: 1, y: 2 } });
    expect(apply({ $set: { a: Decimal128.fromString('1.00') } }, before)).not.toBe(before);
    expect(rows(apply({ $set: { b: { y: 2, x: 1 } } }, before).get('b'))).toEqual([
      ['y', new Int32(2)],
      ['x', new Int32(1)],
    ]);
  });

  it('knows names that JavaScript thinks special for names', () => {
    const before = new Map([['_id', value(1)]]);
    const update = new Map([['$set', new Map([['__proto__.constructor', value(2)]])]]);
    const after = apply(Object.fromEntries(update), before);
    expect(rows(after.get('__proto__'))).toEqual([['constructor', new Int32(2)]]);
  });

  it('refuses a path through what has no fields', () => {
    expect(refused({ a: 5 }, { $set: { 'a.b': 1 } })).toBe(
      "28 PathNotViable: Cannot create field 'b' in element {a: 5}",
    );
    expect(refused({ a: { b: null } }, { $set: { 'a.b.c.d': 1 } })).toBe(
      "28 PathNotViable: Cannot create field 'c' in element {b: null}",
    );
    expect(refused({ a: [1, 'x'] }, { $set: { 'a.b.c': 1 } })).toBe(
      `28 PathNotViable: Cannot create field 'b' in element {a: [ 1, "x" ]}`,
    );
    expect(refused({ a: [1] }, { $set: { 'a.0.b': 1 } })).toBe(
      "28 PathNotViable: Cannot create field 'b' in element {0: 1}",
    );
  });

  it('refuses what would be too deep', () => {
    const deep = (levels: number) => Array.from({ length: levels }, () => 'a').join('.');
    expect(refused({}, { $set: { [deep(181)]: 1 } })).toMatch(/^15 Overflow/);
    expect(refused({}, { $set: { [deep(180)]: { b: 1 } } })).toMatch(/^15 Overflow/);
    expect(apply({ $set: { [deep(180)]: {} } }, doc({})).size).toBe(1);
  });

  it('is read back, whatever was there', () => {
    const name = fc.constantFrom('a', 'b', '0', '10', '__proto__');
    const { inner } = fc.letrec((tie) => ({
      inner: fc
        .uniqueArray(fc.tuple(name, fc.oneof({ maxDepth: 3 }, fc.constant(new Int32(1)), tie('inner'))), {
          selector: ([key]) => key,
          maxLength: 4,
        })
        .map((entries) => new Map(entries)),
    }));
    fc.assert(
      fc.property(
        inner as fc.Arbitrary<Map<string, Int32>>,
        fc.array(name, { minLength: 1, maxLength: 4 }),
        (before, path) => {
          const blocked = path.slice(0, -1).some((_, at) => {
            const found = getPath(before, path.slice(0, at + 1));
            return found !== undefined && !(found instanceof Map);
          });
          const run = () => apply({ $set: new Map([[path.join('.'), 'new']]) }, before);
          if (blocked) expect(run).toThrow(/Cannot create field/);
          else expect(getPath(run(), path)).toBe('new');
        },
      ),
    );
  });
});

describe('$setOnInsert', () => {
  it('sets when the document is being made, and only then', () => {
    makes({ a: 1 }, { $setOnInsert: { b: 1 }, $inc: { a: 1 } }, { a: 2, b: 1 }, { isInsert: true });
    makes({ a: 1 }, { $setOnInsert: { b: 1 }, $inc: { a: 1 } }, { a: 2 });
    leaves({ a: 1 }, { $setOnInsert: { 'a.b': 1 } });
  });
});

describe('$unset', () => {
  it('takes a field away, and leaves null in an array', () => {
    makes({ a: 1, b: { c: 1, d: 1 } }, { $unset: { a: '', 'b.c': 1 } }, { b: { d: 1 } });
    makes({ a: [1, 2] }, { $unset: { 'a.0': '' } }, { a: [null, 2] });
  });

  it('minds no path that leads nowhere', () => {
    leaves({ a: 5, b: [1] }, { $unset: { 'a.b': '', 'b.x.y': '', 'c.d': '', 'b.4': '' } });
  });
});

describe('$min and $max', () => {
  it('keep the lesser and the greater, by the order over all types', () => {
    makes({ a: 5, b: 5 }, { $min: { a: 3 }, $max: { b: 7.5 } }, { a: 3, b: 7.5 });
    leaves({ a: 5, b: 5 }, { $min: { a: 7 }, $max: { b: 3 } });
    makes({ a: 5, b: 5 }, { $max: { a: 'text' }, $min: { b: null } }, { a: 'text', b: null });
    makes({}, { $min: { a: 3 } }, { a: 3 });
  });

  it('leave a number that is equal in another type', () => {
    leaves({ a: 5, b: 5 }, { $min: { a: 5n }, $max: { b: Decimal128.fromString('5.0') } });
  });
});

describe('$currentDate', () => {
  it('gives the time as a date or a timestamp', () => {
    makes(
      { a: 1 },
      { $currentDate: { a: true, b: { $type: 'timestamp' }, 'c.d': { $type: 'date' } } },
      { a: now, b: stamp, c: { d: now } },
    );
  });

  it('refuses what names neither', () => {
    expect(refused({}, { $currentDate: { a: 'date' } })).toMatch(/^2 BadValue: string is not valid type/);
    expect(refused({}, { $currentDate: { a: { $type: 'text' } } })).toMatch(/^2 BadValue: The '\$type'/);
    expect(refused({}, { $currentDate: { a: { type: 'date' } } })).toBe(
      '2 BadValue: Unrecognized $currentDate option: type',
    );
  });
});
