import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitQuoted } from '../../../server/channels/email/quote.js';
import { letter } from './fixtures.js';

const now = 'Thanks, it rings.\nMay I keep both?';
const replies: Record<string, string> = {
  'reply-gmail': now,
  'reply-gmail-html': now,
  'reply-outlook-german': now,
  'reply-outlook-html': now,
  'reply-apple-french': now,
  'reply-thunderbird-spanish': now,
  'reply-russian': now,
  'reply-chinese': now,
  'reply-from-telephone': now,
  'reply-with-signature': now,
  'reply-below-the-quote': now,
  'reply-between-the-lines': '> Did the bell arrive?\n\nYes.\n\n> Does it ring?\n\nIt does.',
  'reply-not-a-quote': 'They wrote to me:\nthe courier comes on 4 March at 10:15.\n> 5 kg is heavy',
  'reply-all-quote': '> Did the bell arrive?',
};

describe('what somebody wrote now', () => {
  it.each(Object.entries(replies))('%s', async (name, expected) => {
    const { text, quoteStart } = await letter(name);
    expect(splitQuoted(text, quoteStart).shown.trim()).toBe(expected);
  });

  it('loses nothing: folded and shown are the original, whatever it is', () => {
    const line = fc.oneof(
      fc.constantFrom(
        '> quoted',
        '>',
        '-- ',
        'On Mon, 3 Mar 2025 at 10:15, A <a@b.example> wrote:',
        '',
        ' ',
        '-----Original Message-----',
        'From: a@b.example',
        'Sent: now',
        'Subject: x',
        'Sent from my iPhone',
        '________',
        'text',
        'вт, 4 мар. 2025 г. в 09:00, K <k@k.example>:',
      ),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), fc.option(fc.nat(300)), (lines, quoteStart) => {
        const text = lines.join('\n');
        const { before, shown, after } = splitQuoted(text, quoteStart ?? undefined);
        expect(before + shown + after).toBe(text);
        if (text.trim() !== '') expect(shown.trim()).not.toBe('');
      }),
      { numRuns: 2_000 },
    );
  });

  it('A13: takes hostile text without losing time', () => {
    const traps = [
      'On '.repeat(20_000),
      '>'.repeat(50_000),
      '> '.repeat(50_000),
      `On ${'a@'.repeat(25_000)} wrote:`,
      '\n'.repeat(50_000),
      `${' '.repeat(50_000)}x`,
      '-'.repeat(50_000),
      'From: \n'.repeat(15_000),
      '>\n'.repeat(19_000),
      'On 1 Jan 2020 10:00\n'.repeat(10_000),
    ];
    for (const trap of traps) {
      const startedAt = performance.now();
      splitQuoted(trap);
      expect(performance.now() - startedAt, trap.slice(0, 20)).toBeLessThan(1_000);
    }
  });
});
