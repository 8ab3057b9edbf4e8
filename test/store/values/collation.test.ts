import { Int32 } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../server/store/embedded/bson/types.js';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';

const collation = (fields: Record<string, Value>) => collationFrom(new Map(Object.entries(fields)));
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => String.fromCodePoint(from + at));
const letters = [...range(0x20, 0x7e), ...range(0xc0, 0xff), ...range(0x400, 0x460), 'ß', 'æ', 'ı', 'İ'];

describe('A collation', () => {
  for (const locale of ['en', 'ru', 'de', 'fr', 'it', 'pt', 'nl', 'uk'])
    for (const strength of [1, 2, 3])
      for (const caseLevel of strength < 3 ? [false, true] : [false])
        it(`gives foldable letters one key when they are equal, ${locale} ${strength} ${caseLevel}`, () => {
          const collate = collation({ locale, strength: new Int32(strength), caseLevel })!;
          const wrong: string[] = [];
          for (const left of letters.filter(collate.isFoldable))
            for (const right of letters.filter(collate.isFoldable))
              if ((collate.compare(left, right) === 0) !== (collate.key(left) === collate.key(right)))
                wrong.push(left + right);
          expect(wrong).toEqual([]);
        });

  it('gives foldable texts one key when they are equal, and no other', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aAàÀeéE0019 -.иИйёЁоО'), maxLength: 4 });
    const options = fc.record({
      locale: fc.constantFrom('en', 'ru', 'de', 'fr', 'uk'),
      strength: fc.constantFrom(1, 2, 3).map((strength) => new Int32(strength)),
      caseLevel: fc.boolean(),
      numericOrdering: fc.boolean(),
    });
    fc.assert(
      fc.property(text, text, options, (left, right, spec) => {
        const collate = collation(spec)!;
        if (!collate.isFoldable(left) || !collate.isFoldable(right)) return;
        expect(collate.key(left) === collate.key(right)).toBe(collate.compare(left, right) === 0);
      }),
      { numRuns: 20_000 },
    );
  });

  it('compares by strength', () => {
    expect(collation({ locale: 'en', strength: new Int32(1) })!.compare('résumé', 'RESUME')).toBe(0);
    expect(collation({ locale: 'en', strength: new Int32(2) })!.compare('résumé', 'Résumé')).toBe(0);
    expect(collation({ locale: 'en', strength: new Int32(2) })!.compare('resume', 'résumé')).toBeLessThan(0);
    expect(collation({ locale: 'en' })!.compare('a', 'A')).not.toBe(0);
    expect(collation({ locale: 'en', numericOrdering: true })!.compare('item 9', 'item 10')).toBeLessThan(0);
  });

  it('keeps what it cannot fold apart from everything', () => {
    const collate = collation({ locale: 'de', strength: new Int32(1) })!;
    expect(collate.isFoldable('Straße')).toBe(false);
    expect(collate.key('Straße')).not.toBe(collate.key('strasse'));
    expect(collation({ locale: 'da' })!.isFoldable('aa')).toBe(false);
  });

  it('refuses what it does not know', () => {
    expect(collation({ locale: 'simple' })).toBeUndefined();
    expect(() => collation({ locale: 'en', strength: new Int32(5) })).toThrow(/strength 5/);
    expect(() => collation({ locale: 'en', speed: 1 })).toThrow(/unknown field/);
    expect(() => collation({ strength: new Int32(1) })).toThrow(/locale/);
    expect(() => collation({ locale: 'zz_ZZ' })).toThrow(/locale/);
    expect(() => collation({ locale: 'en', backwards: true })).toThrow(/backwards/);
  });
});
