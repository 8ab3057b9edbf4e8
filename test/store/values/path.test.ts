import { Int32 } from 'bson';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../server/store/embedded/bson/types.js';
import { nowhere, outside, pathOf, reach, valuesAt } from '../../../server/store/embedded/values/path.js';
import { tuplesOf } from '../../../server/store/embedded/values/tuples.js';
import { doc } from '../documents.js';

const reached = (json: unknown, path: string) => valuesAt(doc(json), pathOf(path));
const equalTo = (wanted: number) => (value: Value | undefined) =>
  value instanceof Int32 && value.value === wanted;
const place = (json: unknown, path: string, wanted: number) =>
  reach(doc(json), pathOf(path), false, equalTo(wanted));

describe('A path', () => {
  it('goes through documents, and ends in nothing where there are none', () => {
    expect(reached({ a: { b: 'x' } }, 'a.b')).toEqual(['x']);
    expect(reached({ a: { b: 'x' } }, 'a.c')).toEqual([undefined]);
    expect(reached({ a: 'x' }, 'a.b')).toEqual([undefined]);
    expect(reached({}, 'a.b')).toEqual([undefined]);
  });

  it('goes through the documents of an array, and past what else is in it', () => {
    expect(reached({ a: [{ b: 'x' }, 'y', [{ b: 'z' }], {}] }, 'a.b')).toEqual(['x', undefined]);
    expect(reached({ a: [] }, 'a.b')).toEqual([]);
    expect(reached({ a: ['x'] }, 'a.b')).toEqual([]);
  });

  it('takes a number for a place and for a name', () => {
    expect(reached({ a: ['x', 'y', 'z'] }, 'a.1')).toEqual(['y']);
    expect(reached({ a: ['x', ['y', 'z']] }, 'a.1')).toEqual([['y', 'z']]);
    expect(reached({ a: ['x', { 1: 'y' }] }, 'a.1')).toEqual(['y', doc({ 1: 'y' })]);
    expect(reached({ a: ['x', { b: 'y' }, 'z'] }, 'a.1.b')).toEqual([undefined, 'y']);
    expect(reached({ a: ['x', [{ b: 'y' }]] }, 'a.1.b')).toEqual(['y']);
    expect(reached({ a: ['x'] }, 'a.0.b')).toEqual([]);
    expect(reached({ a: ['x'] }, 'a.00')).toEqual([]);
    expect(reached({ a: { 0: 'x' } }, 'a.0')).toEqual(['x']);
  });

  it('does not look into an array that a place names', () => {
    expect(place({ a: [[1, 2]] }, 'a.0', 1)).toBe(nowhere);
    expect(place({ a: [{ b: [1, 2] }] }, 'a.0.b', 2)).toBe(1);
  });

  it('says where in the outermost array it found what was sought', () => {
    expect(place({ a: 1 }, 'a', 1)).toBe(outside);
    expect(place({ a: [3, 1] }, 'a', 1)).toBe(1);
    expect(place({ a: [{ b: [2] }, { b: [3, 1] }] }, 'a.b', 1)).toBe(1);
    expect(place({ a: [3, 1] }, 'a.1', 1)).toBe(outside);
    expect(place({ a: [3] }, 'a', 1)).toBe(nowhere);
  });
});

describe('Tuples', () => {
  const tuples = (json: unknown, ...paths: string[]): (Value | undefined)[][] =>
    tuplesOf(doc(json), paths.map(pathOf), (left, right) => new Error(`${left.name} and ${right.name}`));

  it('are one for a document without arrays', () => {
    expect(tuples({ a: 'x', b: { c: 'y' } }, 'a', 'b.c', 'd')).toEqual([['x', 'y', undefined]]);
  });

  it('are one for each element of an array', () => {
    expect(tuples({ a: ['x', 'y'], b: 'z' }, 'a', 'b')).toEqual([
      ['x', 'z'],
      ['y', 'z'],
    ]);
    expect(tuples({ a: [['x'], 'y'] }, 'a')).toEqual([[['x']], ['y']]);
  });

  it('take the same element on all paths through one array', () => {
    const json = { a: [{ b: 'p', c: 'q' }, { b: 'r' }, 's'] };
    expect(tuples(json, 'a.b', 'a.c')).toEqual([
      ['p', 'q'],
      ['r', undefined],
      [undefined, undefined],
    ]);
    expect(tuples(json, 'a', 'a.b')).toEqual([
      [doc({ b: 'p', c: 'q' }), 'p'],
      [doc({ b: 'r' }), 'r'],
      ['s', undefined],
    ]);
  });

  it('refuse two arrays', () => {
    expect(() => tuples({ a: [1], b: [2] }, 'a', 'b')).toThrow('a and b');
    expect(() => tuples({ a: { b: [1], c: [2] } }, 'a.b', 'a.c')).toThrow('a.b and a.c');
  });

  it('take an empty array for less than null', () => {
    const [[only]] = tuples({ a: [] }, 'a') as [[Value]];
    expect(only).toMatchObject({ type: 6 });
    expect(tuples({ a: [] }, 'a.b')).toEqual([[undefined]]);
  });

  it('follow the places that a path names', () => {
    const once = (json: unknown, path: string) => [...new Set(tuples(json, path).map(String))];
    expect(once({ a: [['x', 'y'], 'z'] }, 'a.0')).toEqual(['x,y']);
    expect(once({ a: ['x', { b: 'y' }] }, 'a.1.b')).toEqual(['y']);
    expect(tuples({ a: [{ b: ['x', 'y'] }] }, 'a.0.b')).toEqual([['x'], ['y']]);
    expect(tuples({ a: ['x'] }, 'a.3')).toEqual([[undefined]]);
    expect(() => tuples({ a: [{ 0: 'x' }] }, 'a.0')).toThrow(/Ambiguous field name/);
  });
});
