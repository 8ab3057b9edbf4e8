import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blocksOf, plainOf, spansOf } from '../../shared/formatted.js';

describe('what an agent wrote', () => {
  it('has its lists apart from the paragraphs round them', () => {
    const text = 'Three checks:\n1. The magnet\n2. The sensor\n\n\nThen:\n- off\n• on\n\nDoes it help?\nMaya';
    expect(blocksOf(text)).toEqual([
      { texts: ['Three checks:'] },
      { list: 1, texts: ['The magnet', 'The sensor'] },
      { texts: ['Then:'] },
      { list: Number.NaN, texts: ['off', 'on'] },
      { texts: ['Does it help?\nMaya'] },
    ]);
    expect(blocksOf('3) three\n4) four')).toContainEqual({ list: 3, texts: ['three', 'four'] });
  });

  it('takes no date and no signature for a list', () => {
    for (const text of ['On the\n12. May\nwe open', 'Bye\n- Maya', '1.5 bar\n2.5 bar', '-5\n-6', '1.\n2.'])
      expect(blocksOf(text).flatMap(({ list }) => list ?? [])).toEqual([]);
  });

  it('has bold words, code and links, and nothing else', () => {
    expect(spansOf('**Now** press `E-07`, see [the check](https://kestrel.example/check?a=1#b).')).toEqual([
      { text: 'Now', bold: true },
      { text: ' press ' },
      { text: 'E-07', code: true },
      { text: ', see ' },
      { text: 'the check', href: 'https://kestrel.example/check?a=1#b' },
      { text: '.' },
    ]);
  });

  it('is its words alone where a row shows no formatting', () => {
    expect(plainOf('**Now**:\n1. `E-07`\n2. [how](https://b.example)\n\nMaya')).toBe('Now:\nE-07\nhow\nMaya');
    expect(plainOf('2 * 3\n- Maya')).toBe('2 * 3\n- Maya');
  });

  it('W9: makes a link of nothing but the web, and of no words that read as another address', () => {
    for (const text of [
      '[x](javascript:alert(1))',
      '[x](data:text/html,x)',
      '[x](//evil.example)',
      '[x]( https://evil.example)',
      '[https://bank.example](https://evil.example)',
      '[bank.example/sign-in](https://evil.example)',
      '[x](https://)',
      '2 * 3 ** 4 ** 5*',
      '`` ** ``',
    ])
      expect(
        spansOf(text).flatMap(({ href }) => href ?? []),
        text,
      ).toEqual([]);
  });

  it('loses no word of anything', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom('a', ' ', '\n', '*', '**', '`', '[', ']', '(', ')', '1. ', '- ', 'https://b.c'),
          {
            maxLength: 40,
          },
        ),
        (pieces) => {
          const text = pieces.join('');
          const letters = (one: string) => one.replace(/[^a-z]/g, '');
          const shown = blocksOf(text)
            .flatMap(({ texts }) => texts)
            .flatMap(spansOf)
            .map((span) => span.text + (span.href ?? ''))
            .join('');
          expect(letters(shown)).toBe(letters(text));
        },
      ),
    ));

  it('A13: is read in no time, whatever it holds', () => {
    for (const trap of [
      '**',
      '`',
      '[',
      '[a](',
      '1. a\n',
      '- \n',
      ' ',
      '\n',
      '**a',
      '[a](https://b',
      '(',
      '1. ',
    ])
      for (const text of [trap.repeat(8_000 / trap.length), `${trap.repeat(8_000 / trap.length)}x`]) {
        const began = performance.now();
        blocksOf(text)
          .flatMap(({ texts }) => texts)
          .forEach(spansOf);
        expect(performance.now() - began, JSON.stringify(trap)).toBeLessThan(100);
      }
  });
});
