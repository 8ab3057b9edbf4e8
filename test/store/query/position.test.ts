import { describe, expect, it } from 'vitest';
import { matchPosition } from '../../../server/store/embedded/query/match.js';
import { doc } from '../documents.js';

const place = (filter: object, document: object) => matchPosition(doc(filter), doc(document));

describe('The place that a filter matched', () => {
  it('is that of the first element that fits', () => {
    expect(place({ a: 2 }, { a: [1, 2, 2] })).toBe(1);
    expect(place({ a: { $gt: 1 } }, { a: [1, 3, 2] })).toBe(1);
    expect(place({ 'a.b': 2 }, { a: [{ b: 1 }, { b: 2 }] })).toBe(1);
    expect(place({ a: { $elemMatch: { x: 1, y: 1 } } }, { a: [{ x: 1 }, { x: 1, y: 1 }] })).toBe(1);
    expect(place({ a: { $exists: true } }, { a: [1] })).toBe(0);
  });

  it('is in the outermost array', () => {
    expect(place({ 'a.b': 2 }, { a: [{ b: [1] }, { b: [1, 2] }] })).toBe(1);
    expect(place({ 'a.b': { $elemMatch: { $gt: 1 } } }, { a: [{ b: [1, 2] }] })).toBe(0);
    expect(place({ 'a.b': { $elemMatch: { $gt: 1 } } }, { a: { b: [1, 2] } })).toBe(1);
  });

  it('is none where no element was searched for', () => {
    expect(place({ a: 1 }, { a: 1 })).toBeNull();
    expect(place({ 'a.1': 2 }, { a: [1, 2] })).toBeNull();
    expect(place({ a: { $size: 2 } }, { a: [1, 2] })).toBeNull();
    expect(place({ a: { $ne: 2 } }, { a: [1, 3] })).toBeNull();
    expect(place({ a: { $nin: [2] } }, { a: [1, 3] })).toBeNull();
    expect(place({ $nor: [{ a: 2 }] }, { a: [1, 3] })).toBeNull();
    expect(place({ a: [1, 2] }, { a: [1, 2] })).toBeNull();
  });

  it('comes from the last of several conditions, and from the branch that holds', () => {
    expect(place({ a: 1, b: 2 }, { a: [1], b: [1, 2] })).toBe(1);
    expect(place({ a: 2, c: 1 }, { a: [1, 2], c: 1 })).toBe(1);
    expect(place({ $or: [{ a: 9 }, { a: 2 }] }, { a: [1, 2] })).toBe(1);
    expect(place({ $and: [{ a: 2 }, { $expr: true }] }, { a: [1, 2] })).toBe(1);
  });
});
