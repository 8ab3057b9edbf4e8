import { describe, expect, it } from 'vitest';
import { htmlToText } from '../../../server/channels/email/html-text.js';
import { parseLetter } from '../../../server/channels/email/parse.js';

const head = 'From: nina@tidewater.example\nSubject: bomb\nMessage-ID: <b@tidewater.example>\n';
const nested = (depth: number): string => {
  let text = head;
  for (let at = 0; at < depth; at += 1)
    text += `Content-Type: multipart/mixed; boundary="b${at}"\n\n--b${at}\n`;
  return `${text}Content-Type: text/plain\n\ndeep\n`;
};

/** What would fell a parser, and how it is answered. */
const bombs: Record<string, [make: () => string, unread: string | undefined]> = {
  '10,000 parts': [
    () =>
      `${head}Content-Type: multipart/mixed; boundary=b\n\n${'--b\nContent-Type: text/plain\n\nx\n'.repeat(10_000)}--b--\n`,
    'too_many_parts',
  ],
  'nested 500 deep': [() => nested(500), 'too_deep'],
  'a million headers': [() => `${head}${'X: y\n'.repeat(1_000_000)}\nhi`, 'too_many_headers'],
  'a header of 20 MB': [() => `${head}X-Long: ${'y'.repeat(20_000_000)}\n\nhi`, 'too_many_headers'],
  'a header folded 200,000 times': [
    () => `${head}X-Long: y\n${' y\n'.repeat(400_000)}\nhi`,
    'too_many_headers',
  ],
  'a line of 40 MB': [() => `${head}\n${'y'.repeat(40_000_000)}\n`, undefined],
  'a million empty quotes': [() => `${head}\n${'> \n'.repeat(1_000_000)}`, undefined],
  'boundaries that almost match': [
    () =>
      `${head}Content-Type: multipart/mixed; boundary="${'a'.repeat(60)}"\n\n${`--${'a'.repeat(59)}\n`.repeat(100_000)}`,
    'malformed',
  ],
  'blanks at the ends of encoded lines': [
    () =>
      `${head}Content-Type: text/plain; charset=x-none\nContent-Transfer-Encoding: quoted-printable\n\n${' '.repeat(2_000_000)}x`,
    undefined,
  ],
  'a million addresses': [() => `${head}To: ${'a@b.example, '.repeat(60_000)}\n\nhi`, undefined],
  'comments in comments': [() => `From: ${'('.repeat(50_000)} nina@tidewater.example\n\nhi`, undefined],
};

describe('E5: a letter that is a bomb', () => {
  it.each(Object.entries(bombs))(
    '%s is read or refused at once, and the next letter arrives',
    async (_, [make, unread]) => {
      const bytes = Buffer.from(make());
      // The processor's own time: how long it takes by the clock is also the matter of whoever else works here.
      const startedAt = process.cpuUsage();
      const before = process.memoryUsage().rss;
      const letter = await parseLetter(bytes);
      const { user, system } = process.cpuUsage(startedAt);
      const ms = (user + system) / 1_000;
      const mb = (process.memoryUsage().rss - before) / 1e6;
      expect(letter.unread).toBe(unread);
      expect(ms).toBeLessThan(5_000);
      expect(mb).toBeLessThan(200);
      expect((await parseLetter(Buffer.from(`${head}\nhi`))).text).toBe('hi');
    },
  );

  it('A13: HTML that traps patterns becomes text in time that grows with its length', () => {
    const traps = [
      '<'.repeat(200_000),
      '<!--'.repeat(50_000),
      '<a '.repeat(60_000),
      '&'.repeat(200_000),
      `<p ${'x="'.repeat(60_000)}`,
      '<blockquote>'.repeat(20_000),
      '<script>'.repeat(20_000),
      '<style'.repeat(30_000),
    ];
    for (const trap of traps) {
      const startedAt = performance.now();
      htmlToText(trap);
      expect(performance.now() - startedAt, trap.slice(0, 12)).toBeLessThan(2_000);
    }
  });
});
