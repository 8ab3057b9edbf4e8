import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  belongs,
  emptyList,
  type ListChange,
  type ListState,
  neighbour,
  reduceList,
  waitingShare,
} from '../../console/list/reduce.js';
import { rows } from './fixtures/world.js';

const shown = (ids: string[]): ListState =>
  reduceList(emptyList('k'), { type: 'page', key: 'k', ids, nextCursor: null, first: true });
const row = (id: string, belongsHere: boolean, held = false): ListChange => ({
  type: 'row',
  id,
  belongs: belongsHere,
  held,
});

describe('the conversation list', () => {
  test('keeps the order in which it was read when rows change', () => {
    const list = shown(['a', 'b', 'c']);
    expect(reduceList(list, row('c', true))).toBe(list);
  });

  test('lets new rows wait behind the chip, each once', () => {
    const list = reduceList(reduceList(shown(['a']), row('n', true)), row('n', true));
    expect(list.ids).toEqual(['a']);
    expect(list.waiting).toEqual(['n']);
  });

  test('shows a new row at once where the list was empty: nothing moves', () => {
    const list = reduceList(shown([]), row('n', true));
    expect(list.ids).toEqual(['n']);
    expect(list.waiting).toEqual([]);
  });

  test('keeps a row that no longer belongs while somebody points at the list, then lets it go', () => {
    const held = reduceList(shown(['a', 'b']), row('a', false, true));
    expect(held.ids).toEqual(['a', 'b']);
    expect(held.leaving).toEqual(['a']);
    expect(reduceList(held, { type: 'settle', keep: null }).ids).toEqual(['b']);
    expect(reduceList(held, { type: 'settle', keep: 'a' }).ids).toEqual(['a', 'b']);
  });

  test('removes what the agent closed at once', () => {
    expect(reduceList(shown(['a', 'b']), { type: 'remove', id: 'a' }).ids).toEqual(['b']);
  });

  test('drops an answer to a question that is no longer asked', () => {
    const list = shown(['a']);
    expect(reduceList(list, { type: 'page', key: 'other', ids: ['x'], nextCursor: null, first: true })).toBe(
      list,
    );
  });

  test('adds a further page without doubles', () => {
    const list = reduceList(shown(['a', 'b']), {
      type: 'page',
      key: 'k',
      ids: ['b', 'c'],
      nextCursor: null,
      first: false,
    });
    expect(list.ids).toEqual(['a', 'b', 'c']);
  });

  test('never shows a row twice and never moves one, whatever happens', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const change: fc.Arbitrary<ListChange> = fc.oneof(
      fc.record({ type: fc.constant('row' as const), id, belongs: fc.boolean(), held: fc.boolean() }),
      fc.record({ type: fc.constant('remove' as const), id }),
      fc.record({ type: fc.constant('settle' as const), keep: fc.option(id) }),
      fc.record({
        type: fc.constant('page' as const),
        key: fc.constant('k'),
        ids: fc.uniqueArray(id),
        nextCursor: fc.constant(null),
        first: fc.constant(false),
      }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(id), fc.array(change, { maxLength: 30 }), (ids, changes) => {
        let list = shown(ids);
        for (const one of changes) {
          const next = reduceList(list, one);
          expect(new Set(next.ids).size).toBe(next.ids.length);
          expect(next.waiting.filter((waiting) => next.ids.includes(waiting))).toEqual([]);
          expect(next.leaving.every((leaving) => next.ids.includes(leaving))).toBe(true);
          // What stays is in the order in which it stood.
          const stayed = next.ids.filter((shownId) => list.ids.includes(shownId));
          expect(stayed).toEqual(list.ids.filter((shownId) => next.ids.includes(shownId)));
          list = next;
        }
      }),
    );
  });

  test('goes to the neighbour, and no further than the ends', () => {
    expect(neighbour(['a', 'b'], undefined, 1)).toBe('a');
    expect(neighbour(['a', 'b'], 'a', 1)).toBe('b');
    expect(neighbour(['a', 'b'], 'b', 1)).toBeNull();
    expect(neighbour([], undefined, -1)).toBeNull();
  });

  test('knows what belongs in a view', () => {
    const daniel = rows.find((one) => one.id === 'daniel')!;
    expect(belongs(daniel, 'mine', undefined, 'anna')).toBe(true);
    expect(belongs(daniel, 'unassigned', undefined, 'anna')).toBe(false);
    expect(belongs(daniel, 'all', 'help', 'anna')).toBe(false);
    expect(belongs({ ...daniel, status: 'spam' }, 'spam', undefined, 'anna')).toBe(true);
  });

  test('fills the ring towards the target, and says when it is late', () => {
    const since = (minutes: number) => ({
      channel: 'chat' as const,
      waitingSince: new Date(Date.UTC(2026, 0, 1) - minutes * 60_000).toISOString(),
    });
    const now = Date.UTC(2026, 0, 1);
    expect(waitingShare(since(4), now)).toMatchObject({ share: 0.1, state: '' });
    expect(waitingShare(since(30), now)?.state).toBe('soon');
    expect(waitingShare(since(400), now)).toMatchObject({ share: 1, state: 'late' });
    expect(waitingShare({ channel: 'chat', waitingSince: null }, now)).toBeNull();
  });
});
