import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compress, decompress, prepareDictionary } from '../../../server/store/embedded/disk/lz4.js';
import { ChecksumError, dictionaryOf, pack, unpack } from '../../../server/store/embedded/disk/record.js';

const letter = (at: number) =>
  Buffer.from(
    JSON.stringify({
      kind: 'message',
      at,
      text: `Your order ${at * 7919} has been shipped`,
      tags: ['a', 'b'],
    }),
  );
const repetitive = fc
  .array(fc.oneof(fc.constantFrom('order', 'message', 'shipped', '\0\0\0\0\0\0\0\0'), fc.string()), {
    maxLength: 400,
  })
  .map((parts) => Buffer.from(parts.join(' ')));
const none = {
  get(): never {
    throw new ChecksumError('none');
  },
};

describe('lz4', () => {
  it('unfolds what it folded, with and without a dictionary', () =>
    fc.assert(
      fc.property(repetitive, fc.option(repetitive, { nil: undefined }), (source, words) => {
        const dictionary = words && prepareDictionary(words);
        const block = compress(source, dictionary);
        if (block) expect(decompress(block, source.length, dictionary).equals(source)).toBe(true);
      }),
      { numRuns: 500 },
    ));

  it('folds documents that share a shape to a fraction', () => {
    const dictionary = prepareDictionary(dictionaryOf([letter(1), letter(2), letter(3)]));
    const folded = compress(letter(4), dictionary);
    expect(folded!.length).toBeLessThan(letter(4).length / 2);
  });

  it('leaves alone what would not become smaller', () => expect(compress(randomBytes(500))).toBeNull());

  it('folds megabytes', () => {
    const source = Buffer.from('to be or not to be '.repeat(200_000));
    const block = compress(source)!;
    expect(block.length).toBeLessThan(source.length / 50);
    expect(decompress(block, source.length).equals(source)).toBe(true);
  });

  it('refuses or unfolds to the right length whatever a block says', () =>
    fc.assert(
      fc.property(repetitive, fc.nat(), fc.nat({ max: 255 }), (source, where, byte) => {
        const block = compress(source);
        if (!block) return;
        const broken = Buffer.from(block);
        broken[where % broken.length] = byte;
        try {
          expect(decompress(broken, source.length)).toHaveLength(source.length);
        } catch (error) {
          expect((error as Error).message).toMatch(/broken/);
        }
      }),
      { numRuns: 500 },
    ));
});

describe('a stored value', () => {
  it('comes back as it was', () => {
    const prepared = prepareDictionary(dictionaryOf([letter(1), letter(2)]));
    const dictionaries = { get: () => prepared };
    for (const value of [Buffer.from('short'), letter(9), randomBytes(2_000)]) {
      expect(unpack(pack(value), none).equals(value)).toBe(true);
      expect(unpack(pack(value, { id: 300, prepared }), dictionaries).equals(value)).toBe(true);
    }
  });

  it('is refused when a single byte of it has changed', () => {
    const stored = pack(letter(5));
    for (let at = 0; at < stored.length; at += 1) {
      const broken = Buffer.from(stored);
      broken[at] = broken[at]! ^ 0x10;
      expect(() => unpack(broken, none)).toThrow(ChecksumError);
    }
  });
});
