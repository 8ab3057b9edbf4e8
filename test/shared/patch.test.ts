import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { patched, patchOf } from '../../widget/patch.js';

/** What one tab tells another of what it knows: after any change the other knows the same. */

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constant(undefined));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.stringMatching(/^[a-e]{1,2}$/), tie('value'), { maxKeys: 5 }),
  ),
}));

/** As the browser carries it from one tab to another. */
const carried = <Value>(sent: Value): Value => structuredClone(sent);

describe('a patch', () => {
  it('makes of what a tab had what the other has, whatever the two are', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 6 }), (values) => {
        let mine: unknown = values[0];
        let theirs: unknown = carried(mine);
        for (const next of values) {
          const patch = patchOf(mine, next);
          if (patch) theirs = patched(theirs, carried(patch));
          mine = next;
          expect(theirs).toEqual(mine);
          // Equal in keys that hold nothing, too.
          expect(Object.keys(Object(theirs)).sort()).toEqual(Object.keys(Object(mine)).sort());
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is none where nothing changed', () => {
    const state = { threads: { a: { events: [{ id: '1' }] } }, outbox: [] };
    expect(patchOf(state, state)).toBeUndefined();
    expect(patchOf(state, { ...state })).toBeUndefined();
  });

  it('holds of a long history only what is new in it, and leaves the rest the same object', () => {
    const events = Array.from({ length: 10_000 }, (_, at) => ({ id: `event-${at}` }));
    const before = { threads: { a: { events, upTo: 10_000 }, b: { events: [] } } };
    const added = { id: 'event-10000' };
    const after = {
      threads: { ...before.threads, a: { events: [...events, added], upTo: 10_001 } },
    };
    const patch = patchOf(before, after);
    expect(JSON.stringify(patch).length).toBeLessThan(200);
    const made = patched(before, patch ?? { is: null }) as typeof before;
    expect(made).toEqual(after);
    expect(made.threads.b).toBe(before.threads.b);
    expect(made.threads.a.events[0]).toBe(events[0]);
  });

  it('puts older history before, and an erased event in its place', () => {
    const [one, two, three] = [{ id: '1' }, { id: '2' }, { id: '3' }];
    expect(patchOf([two, three], [one, two, three])).toEqual({ at: 0, drop: 0, add: [one] });
    const erased = { id: '2', erased: true };
    expect(patchOf([one, two, three], [one, erased, three])).toEqual({ at: 1, drop: 1, add: [erased] });
  });
});
