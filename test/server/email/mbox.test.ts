import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RawLetter, readLetters } from '../../../server/channels/email/mbox.js';
import { parseLetter } from '../../../server/channels/email/parse.js';
import { limits } from '../../../shared/limits.js';
import { fixture } from './fixtures.js';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function lettersOf(bytes: Buffer, size = 64 * 1024): Promise<RawLetter[]> {
  const found: RawLetter[] = [];
  for await (const one of readLetters(inPieces(bytes, size), 'mail')) found.push(one);
  return found;
}

describe('a stream of letters', () => {
  it('is one letter when it does not begin as an mbox, whatever stands in it', async () => {
    const bytes = Buffer.concat([fixture('reply-gmail'), Buffer.from('\nFrom here on it goes\n')]);
    const found = await lettersOf(bytes);
    expect(found.map(({ name, bytes: kept }) => [name, kept])).toEqual([['mail', bytes]]);
  });

  it('takes the guards off lines that an mbox guarded (mboxo and mboxrd)', async () => {
    const [first, second, ...rest] = await lettersOf(fixture('mboxrd.mbox'));
    expect(rest).toEqual([]);
    const { text } = await parseLetter(first?.bytes ?? Buffer.alloc(0));
    expect(text).toBe('From the first day on\n>From quoted once more\nFrom here it goes on');
    expect((await parseLetter(second?.bytes ?? Buffer.alloc(0))).subject).toBe('letter 2');
  });

  it('is cut at the separators of every program, and never at a sentence that begins with From', async () => {
    const one = (subject: string, text = 'hello') =>
      `From: nina@tidewater.example\nSubject: ${subject}\n\n${text}\n`;
    const sentence = 'My favourite film:\n\nFrom Russia with love\nYear: 1963\n\nFrom a@b on, all is well';
    const mailboxes: Record<string, string> = {
      'with a zone': 'From 1825000000000000001@xxx Mon Mar 03 10:15:00 +0000 2025',
      'with an address in words': 'From nina at tidewater.example  Mon Mar  3 10:15:00 2025',
      'without seconds': 'From nina@tidewater.example Mon Mar  3 10:15 2025',
      'without a name or a time': 'From -',
      'with a stray space': 'From - ',
      'without a sender': 'From ???@??? Mon Mar 03 10:15:00 2025',
    };
    for (const [name, separator] of Object.entries(mailboxes)) {
      for (const gap of ['\n', ''])
        for (const before of ['', '\ufeff', '\n\n']) {
          const mbox = `${before}${['a', 'b'].map((each) => `${separator}\n${one(each, sentence)}`).join(gap)}`;
          for (const text of [mbox, mbox.replaceAll('\n', '\r\n')]) {
            const found = await lettersOf(Buffer.from(text));
            const read = await Promise.all(found.map(({ bytes }) => parseLetter(bytes ?? Buffer.alloc(0))));
            expect(
              read.map(({ subject, text }) => [subject, text]),
              `${name} ${JSON.stringify([gap, before])}`,
            ).toEqual([
              ['a', sentence],
              ['b', sentence],
            ]);
          }
        }
    }
    const dateless = ['a', 'b']
      .map((each) => `From nina@tidewater.example\n${one(each, sentence)}`)
      .join('\n');
    expect(await lettersOf(Buffer.from(dateless))).toHaveLength(2);
  });

  it('goes on after a broken one in the middle, and keeps that as it came', async () => {
    const found = await lettersOf(fixture('broken-middle.mbox'));
    const read = await Promise.all(found.map((one) => parseLetter(one.bytes ?? Buffer.alloc(0))));
    expect(read.map(({ subject, unread }) => unread ?? subject)).toEqual([
      'letter 1',
      'not_mail',
      'letter 3',
    ]);
    expect(found[1]?.bytes?.toString('latin1')).toContain('this was a letter once');
    expect(found.map((one) => one.name)).toEqual(['mail#1', 'mail#2', 'mail#3']);
  });

  it('cuts the same wherever the pieces of the stream end', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom('mboxrd.mbox', 'broken-middle.mbox'),
        fc.integer({ min: 1, max: 700 }),
        async (name, size) => {
          const whole = await lettersOf(fixture(name));
          const found = await lettersOf(fixture(name), size);
          expect(found.map((one) => one.bytes)).toEqual(whole.map((one) => one.bytes));
        },
      ),
      { numRuns: 60 },
    ));

  it('puts a letter that is too large to be held into a file, whole, and removes it', async () => {
    const block = Buffer.alloc(1024 * 1024, 'x');
    async function* huge(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('From: nina@tidewater.example\nSubject: huge\n\n');
      for (let at = 0; at < limits.emailBytes; at += block.length) yield block;
    }
    const spooled = () => readdirSync(tmpdir()).filter((name) => name.startsWith('threadline-mail-')).length;
    const before = spooled();
    for await (const one of readLetters(huge(), 'huge')) {
      expect(one.bytes).toBeNull();
      expect(one.head.toString('latin1')).toContain('Subject: huge');
      let size = 0;
      for await (const piece of one.content()) size += piece.length;
      expect(size).toBe(one.size);
      await one.release();
    }
    expect(spooled()).toBe(before);
    expect(existsSync(tmpdir())).toBe(true);
  });
});
