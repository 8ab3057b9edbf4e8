import { describe, expect, it } from 'vitest';
import type { Doc, Value } from '../../../server/store/embedded/bson/types.js';
import { StoreError } from '../../../server/store/embedded/errors.js';
import { compileProjection } from '../../../server/store/embedded/query/project.js';
import { doc } from '../documents.js';

/** As much of expressions as projections need: a field by `$name`, a literal. */
const expression =
  (expr: Value) =>
  (document: Doc): Value | undefined => {
    if (typeof expr === 'string') return expr.startsWith('$') ? document.get(expr.slice(1)) : expr;
    return expr instanceof Map ? expr.get('$literal') : expr;
  };
const known = (expr: Value) => {
  if (expr instanceof Map && !expr.has('$literal')) {
    const [name] = expr.keys();
    throw new StoreError(168, 'InvalidPipelineOperator', `Unrecognized expression '${name}'`);
  }
  return expression(expr);
};

const find = (spec: object, document: object, filter: object = {}) =>
  compileProjection(doc(spec), { filter: doc(filter), expression: known })(doc(document));
const stage = (spec: object, document: object) =>
  compileProjection(doc(spec), { expression: known })(doc(document));
const fields = (shown: Doc) => [...shown.keys()];

describe('A projection', () => {
  const document = { _id: 1, a: 1, b: { c: 2, d: 3 }, e: [{ f: 4, g: 5 }, 6, [{ f: 7 }]] };

  it('shows what it names, and `_id`', () => {
    expect(find({ a: 1 }, document)).toEqual(doc({ _id: 1, a: 1 }));
    expect(find({ a: true, _id: 0 }, document)).toEqual(doc({ a: 1 }));
    expect(find({ _id: 1 }, document)).toEqual(doc({ _id: 1 }));
    expect(find({ x: 1 }, document)).toEqual(doc({ _id: 1 }));
    expect(fields(find({ b: 1, a: 1 }, document))).toEqual(['_id', 'a', 'b']);
  });

  it('leaves out what it names', () => {
    expect(find({ b: 0, e: false }, document)).toEqual(doc({ _id: 1, a: 1 }));
    expect(fields(find({ _id: 0 }, document))).toEqual(['a', 'b', 'e']);
    expect(fields(find({ _id: 1, a: 0 }, document))).toEqual(['_id', 'b', 'e']);
  });

  it('goes below, through arrays', () => {
    expect(find({ 'b.c': 1 }, document)).toEqual(doc({ _id: 1, b: { c: 2 } }));
    expect(find({ b: { c: 1 } }, document)).toEqual(doc({ _id: 1, b: { c: 2 } }));
    expect(find({ 'b.c': 0, 'b.d': 0 }, document).get('b')).toEqual(doc({}));
    expect(find({ 'e.f': 1 }, document)).toEqual(doc({ _id: 1, e: [{ f: 4 }, [{ f: 7 }]] }));
    expect(find({ 'e.f': 0 }, document).get('e')).toEqual([doc({ g: 5 }), doc({ x: 6 }).get('x'), [doc({})]]);
    expect(find({ 'a.x': 1 }, document)).toEqual(doc({ _id: 1 }));
    expect(find({ 'a.x': 0 }, document).get('a')).toEqual(doc(document).get('a'));
  });

  it('computes fields, which follow those that are shown', () => {
    expect([...find({ x: '$a', b: 1 }, { _id: 1, a: 2, b: 3 })]).toEqual([...doc({ _id: 1, b: 3, x: 2 })]);
    expect(find({ x: { $literal: 'y' }, _id: 0 }, document)).toEqual(doc({ x: 'y' }));
    expect(find({ 'b.x': '$a', 'b.c': 1 }, document)).toEqual(doc({ _id: 1, b: { c: 2, x: 1 } }));
    expect(find({ 'a.x': { $literal: 1 } }, document)).toEqual(doc({ _id: 1, a: { x: 1 } }));
    expect(find({ 'n.x': '$none' }, document)).toEqual(doc({ _id: 1, n: {} }));
    expect(find({ 'e.x': { $literal: 1 }, _id: 0 }, { e: [{ f: 1 }, 2] })).toEqual(doc({ e: [{ x: 1 }] }));
    expect(stage({ x: '$none' }, document)).toEqual(doc({ _id: 1 }));
  });
});

describe('Parts of arrays', () => {
  const document = { _id: 1, n: 0, a: [1, 2, 3, 4], b: { c: [1, 2, 3] } };
  const slice = (operand: unknown) => find({ a: { $slice: operand } }, document).get('a');

  it('are cut out by place', () => {
    const part = (...values: number[]) => doc({ values }).get('values');
    expect(slice(2)).toEqual(part(1, 2));
    expect(slice(-2)).toEqual(part(3, 4));
    expect(slice([1, 2])).toEqual(part(2, 3));
    expect(slice([-3, 2])).toEqual(part(2, 3));
    expect(slice([-9, 1])).toEqual(part(1));
    expect(slice([9, 1])).toEqual([]);
    expect(slice(0)).toEqual([]);
    expect(fields(find({ a: { $slice: 1 } }, document))).toEqual(['_id', 'n', 'a', 'b']);
    expect(fields(find({ a: { $slice: 1 }, n: 1 }, document))).toEqual(['_id', 'n', 'a']);
    expect(fields(find({ a: { $slice: 1 }, n: 0 }, document))).toEqual(['_id', 'a', 'b']);
    expect(fields(find({ a: { $slice: 1 }, _id: 1 }, document))).toEqual(['_id', 'a']);
    expect(find({ 'b.c': { $slice: -1 } }, document).get('b')).toEqual(doc({ c: [3] }));
    expect(find({ n: { $slice: 1 } }, document)).toEqual(doc(document));
  });

  it('are found by what they are asked', () => {
    const people = {
      _id: 1,
      p: [
        { n: 'a', v: 1 },
        { n: 'b', v: 2 },
        { n: 'b', v: 3 },
      ],
      q: 1,
    };
    expect(find({ p: { $elemMatch: { n: 'b' } } }, people)).toEqual(doc({ _id: 1, p: [{ n: 'b', v: 2 }] }));
    expect(find({ p: { $elemMatch: { n: 'z' } } }, people)).toEqual(doc({ _id: 1 }));
    expect(fields(find({ p: { $elemMatch: { n: 'b' } }, q: 1 }, people))).toEqual(['_id', 'q', 'p']);
    expect(fields(find({ p: { $elemMatch: { n: 'b' } }, q: 0 }, people))).toEqual(['_id', 'p']);
    expect(find({ q: { $elemMatch: { n: 'b' } } }, people)).toEqual(doc({ _id: 1 }));
  });

  it('are those that the filter matched', () => {
    expect(find({ 'a.$': 1 }, document, { a: { $gt: 2 } })).toEqual(doc({ _id: 1, a: [3] }));
    expect(find({ 'p.v.$': 1 }, { _id: 1, p: [{ v: 1 }, { v: 2 }] }, { 'p.v': 2 })).toEqual(
      doc({ _id: 1, p: [{ v: 2 }] }),
    );
    expect(find({ 'b.c.$': 1 }, document, { 'b.c': 2 })).toEqual(doc({ _id: 1, b: { c: [2] } }));
    expect(find({ 'n.$': 1 }, document, { n: 0 })).toEqual(doc({ _id: 1, n: 0 }));
    expect(() => find({ 'a.$': 1 }, document, { a: { $ne: 9 } })).toThrow(/couldn't find a matching element/);
  });
});

describe('A projection that makes no sense', () => {
  it.each<[object, number]>([
    [{ a: 1, b: 0 }, 31254],
    [{ a: 0, b: 1 }, 31253],
    [{ a: 1, 'a.b': 1 }, 31249],
    [{ 'a.b': 1, a: 1 }, 31250],
    [{ a: 0, b: '$c' }, 31310],
    [{ a: 0, b: { $literal: 1 } }, 31252],
    [{ a: {} }, 51270],
    [{ a: { $nothing: 1 } }, 31325],
    [{ 'a.$': 1 }, 31277],
    [{ 'x.$': 1, 'x.y.$': 1 }, 31276],
    [{ 'x.$': 1, b: { $elemMatch: {} } }, 31255],
    [{ b: { $elemMatch: {} }, 'x.$': 1 }, 31256],
    [{ 'x.$': 0 }, 16410],
    [{ 'x.$': { $literal: 1 } }, 31271],
    [{ 'x.$': '$y' }, 31308],
    [{ 'x.$.y': 1 }, 31394],
    [{ 'a.b': { $elemMatch: {} } }, 31275],
    [{ a: { $elemMatch: 1 } }, 31274],
    [{ $a: 1 }, 16410],
    [{ '': 1 }, 40352],
    [{ 'a.': 1 }, 40353],
    [{ a: { $meta: 'textScore' } }, 2],
  ])('is refused: %j', (spec, code) => {
    try {
      find(spec, {}, { x: 1 });
    } catch (error) {
      expect(error).toMatchObject({ code });
      return;
    }
    expect.fail('was accepted');
  });

  it('is refused in a pipeline when only find knows it', () => {
    expect(() => stage({ 'a.$': 1 }, {})).toThrow(
      'Cannot use positional projection in aggregation projection',
    );
    expect(() => stage({ a: { $elemMatch: {} } }, {})).toThrow('Cannot use $elemMatch in this context');
  });
});
