import { describe, expect, it } from 'vitest';
import { leaves, makes, refused } from './run.js';

describe('$rename', () => {
  it('moves a value to its new name, at the end or in the place of what stood there', () => {
    makes({ a: 1, b: 2 }, { $rename: { a: 'c' } }, { b: 2, c: 1 });
    makes({ a: 1, b: 2, c: 3 }, { $rename: { c: 'a' } }, { a: 3, b: 2 });
    makes({ a: { b: 1, c: 2 } }, { $rename: { 'a.b': 'd.e' } }, { a: { c: 2 }, d: { e: 1 } });
    makes({ a: [1, { b: 2 }] }, { $rename: { a: 'z' }, $set: { y: 1 } }, { y: 1, z: [1, { b: 2 }] });
  });

  it('takes away the old name even when the new one has the value already', () => {
    makes({ a: 1, b: 1 }, { $rename: { a: 'b' } }, { b: 1 });
  });

  it('changes nothing when there is nothing to move', () => {
    leaves({ b: 1 }, { $rename: { a: 'b' } });
    leaves({ b: 5 }, { $rename: { 'a.x': 'b.c' } });
  });

  it('moves nothing into or out of an array', () => {
    expect(refused({ _id: 1, a: [{ b: 1 }] }, { $rename: { 'a.0.b': 'c' } })).toBe(
      "2 BadValue: The source field cannot be an array element, 'a.0.b' in doc with _id: 1 has an array field called 'a'",
    );
    expect(refused({ _id: 1, a: 1, b: [1] }, { $rename: { a: 'b.0' } })).toBe(
      "2 BadValue: The destination field cannot be an array element, 'b.0' in doc with _id: 1 has an array field called 'b'",
    );
    expect(refused({ _id: 1, a: 1, b: [1] }, { $rename: { a: 'b.c' } })).toMatch(
      /destination field cannot be/,
    );
  });

  it('goes through nothing that has no fields', () => {
    expect(refused({ a: 5 }, { $rename: { 'a.b': 'c' } })).toMatch(/^28 PathNotViable: cannot use the part/);
    expect(refused({ a: 5, b: 1 }, { $rename: { b: 'a.c' } })).toBe(
      "28 PathNotViable: Cannot create field 'c' in element {a: 5}",
    );
  });

  it('refuses names that are none, the same, one below the other, or not known before', () => {
    expect(refused({}, { $rename: { a: 5 } })).toBe(
      "2 BadValue: The 'to' field for $rename must be a string: a: 5",
    );
    expect(refused({}, { $rename: { a: 'a' } })).toMatch(/^2 BadValue: .* must differ: a: "a"/);
    expect(refused({}, { $rename: { a: 'a.b' } })).toMatch(/^2 BadValue: .* must not be on the same path/);
    expect(refused({}, { $rename: { 'a.$.b': 'c' } })).toMatch(
      /^2 BadValue: The source field .* dynamic: a\.\$\.b/,
    );
    expect(refused({}, { $rename: { a: 'c.$[]' } })).toMatch(
      /^2 BadValue: The destination .* dynamic: c\.\$\[\]/,
    );
    expect(refused({}, { $rename: { a: 'b' }, $set: { 'a.c': 1 } })).toMatch(
      /^40 ConflictingUpdateOperators/,
    );
    expect(refused({}, { $set: { b: 1 }, $rename: { a: 'b' } })).toMatch(/^40 ConflictingUpdateOperators/);
  });
});
