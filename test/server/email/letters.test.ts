import { describe, expect, it } from 'vitest';
import type { Letter } from '../../../server/channels/email/parse.js';
import { parseLetter, readDate } from '../../../server/channels/email/parse.js';
import { safeFileName } from '../../../server/files/name.js';
import { fixture, letter } from './fixtures.js';

const bicycle = 'Добрый день! Велосипед приехал без звонка.\nКогда пришлёте?';
const reads = (text: string, subject?: string) => (read: Letter) => {
  expect(read.unread).toBeUndefined();
  expect(read.text.trim()).toBe(text);
  if (subject !== undefined) expect(read.subject).toBe(subject);
};
const isFrom = (address: string, problem?: string) => (read: Letter) => {
  expect([read.from.address, read.from.problem]).toEqual([address, problem]);
};
const holds =
  (...names: string[]) =>
  (read: Letter) => {
    expect(read.files.map((file) => file.name)).toEqual(names);
  };
const isAutomatic = (kind: string | undefined) => (read: Letter) => {
  expect(read.automatic).toBe(kind);
};

/** What a letter can be like, and what is read of it. One line each. */
const oddities: Record<string, (read: Letter) => void> = {
  'koi8-r-quoted-printable': reads(bicycle, 'Звонок'),
  'windows-1251-8bit': reads(bicycle, 'Звонок'),
  'windows-1251-base64': reads(bicycle, 'Звонок'),
  'iso-8859-5-quoted-printable': reads(bicycle, 'Звонок'),
  'ibm866-base64': reads(bicycle, 'Звонок'),
  'koi8-u-8bit': reads(bicycle, 'Звонок'),
  'gb18030-base64': reads('您好，我的自行车在哪里？', '自行车'),
  'iso-2022-jp': reads('自転車はどこですか。よろしくお願いします。', '自転車'),
  'utf-7': reads('Schöne Grüße aus Köln', 'Frösche'),
  'wrong-label-ascii': reads(bicycle),
  'wrong-label-utf-8': reads(bicycle),
  'utf-8-labelled-latin1': reads('Grüße aus Köln: 12 €'),
  'unknown-charset': reads(bicycle),
  'windows-1252-quotation-marks': reads('“Twelve” – or 12 €?'),
  'eight-bit-headers': (read) =>
    expect([read.from.name, read.subject]).toEqual(['Нина Орлова', 'Звонок для велосипеда']),
  'encoded-word-split-in-character': reads('hello', 'Где мой велосипед?'),
  'no-from': isFrom('', 'no_from'),
  'two-from-lines': isFrom('nina@tidewater.example', 'several_from'),
  'two-addresses-in-from': isFrom('nina@tidewater.example', 'several_from'),
  'name-is-another-address': isFrom('mallory@evil.example', 'name_is_address'),
  'address-before-address': (read) => expect(read.from.problem).toBe('from_unclear'),
  'from-group': isFrom('nina@tidewater.example', 'from_unclear'),
  'from-after-byte-order-mark': isFrom('nina@tidewater.example'),
  'missing-message-id': (read) => expect(read.messageId).toBe(''),
  'missing-date': (read) => expect(read.date).toBeUndefined(),
  'from-the-future': (read) => expect(read.date?.getUTCFullYear()).toBe(2099),
  'html-only': reads('Hello there,\n\n• one\n• two'),
  'plain-and-html': reads('plain words'),
  'empty-plain-with-html': reads('html words'),
  'inline-picture': (read) =>
    expect(read.files.map(({ name, contentId }) => [name, contentId])).toEqual([
      ['bell.png', 'bell@kestrel'],
    ]),
  'calendar-invitation': holds('invitation.ics'),
  'letter-in-letter': (read) => {
    holds('letter.eml')(read);
    reads('see below', 'forwarded')(read);
    expect(Buffer.from(read.files[0]?.content ?? []).toString()).toContain('inner text');
  },
  'winmail-dat': holds('winmail.dat'),
  'file-name-in-pieces': holds('Счёт.pdf'),
  'unencoded-file': (read) =>
    expect(Buffer.from(read.files[0]?.content ?? []).toString()).toBe('one\r\ntwo\r\nthree'),
  'truncated-part': (read) => {
    reads('the words are whole')(read);
    expect(read.files.map((file) => [file.name, file.content.length])).toEqual([['a.png', 30]]);
  },
  'cut-quoted-printable': (read) => expect(read.text).toContain('Grüße aus Köln und Bonn'),
  'cut-base64-text': (read) => expect(read.text).toContain('Велосипед приехал'),
  'no-such-boundary': (read) => expect(read.unread).toBeUndefined(),
  'header-only': reads('', 'no body'),
  'line-break-in-subject': reads('hi', 'hello Bcc: all@victim.example'),
  'crlf-line-ends': reads('one\ntwo'),
  'references-flood': (read) => {
    expect(read.references).toHaveLength(100);
    expect([read.references[0], read.references.at(-1)]).toEqual([
      '<r0@tidewater.example>',
      '<r399@tidewater.example>',
    ]);
  },
  'out-of-office': isAutomatic('auto_reply'),
  'out-of-office-subject-only': isAutomatic('auto_reply'),
  'null-return-path': isAutomatic('auto_reply'),
  'suppressed-responses': isAutomatic('auto_reply'),
  'mailing-list': isAutomatic('list'),
  bounce: isAutomatic('bounce'),
  'person-with-auto-words': isAutomatic(undefined),
  // E8: who wrote it is From; where answers go is another thing, and is shown.
  'reply-to-differs': (read) => {
    isFrom('nina@tidewater.example')(read);
    expect(read.replyTo).toEqual([{ name: 'Office', address: 'office@tidewater.example' }]);
  },
};

describe('a letter', () => {
  it.each(Object.entries(oddities))('E12: %s', async (name, check) => check(await letter(name)));

  it('E6: keeps every file under a name that is safe to show and to save', async () => {
    const { files } = await letter('odd-file-names');
    const names = files.map((file) => safeFileName(file.name));
    expect(names).toEqual([
      'passwd',
      'virus.exe',
      'a gpj.exe',
      '_CON.txt',
      'invoice.pdf.exe',
      'page.html',
      'drawing.svg',
      `${'x'.repeat(176)}.txt`,
      'file',
      'Счёт №1.pdf',
      expect.stringMatching(/^nul ?.?byte\.txt$/),
    ]);
    expect(files.map((file) => Buffer.from(file.content).toString())).toEqual(
      names.map((_, index) => `file ${index}`),
    );
  });

  it('says of what is none that it is none', async () => {
    for (const text of ['', 'Hello', '{"from": 1}', 'note: buy milk\n\nand bread', '\u0000\u0001\u0002']) {
      expect((await parseLetter(Buffer.from(text))).unread).toBe('not_mail');
    }
  });

  it('is the same letter whatever a program put round it to keep it', async () => {
    const bytes = fixture('windows-1251-8bit');
    const bare = await parseLetter(bytes);
    const list = '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict/></plist>\n';
    const kept: Record<string, Buffer> = {
      'byte order mark': Buffer.concat([Buffer.from('\ufeff'), bytes]),
      'empty lines': Buffer.concat([Buffer.from('\r\n\n \n'), bytes]),
      'carriage returns': Buffer.from(
        bytes.toString('latin1').replaceAll('\r\n', '\n').replaceAll('\n', '\r'),
        'latin1',
      ),
      'length and property list': Buffer.concat([
        Buffer.from(`${bytes.length}      \n`),
        bytes,
        Buffer.from(list),
      ]),
    };
    for (const [name, wrapped] of Object.entries(kept)) {
      const { contentHash, subject, text, from } = await parseLetter(wrapped);
      expect([subject, text.trim(), from], name).toEqual([bare.subject, bare.text.trim(), bare.from]);
      expect(contentHash, name).toBe(bare.contentHash);
    }
  });

  it('tells its time in the zone that it names, and without one in none of this machine', () => {
    const zone = process.env.TZ;
    process.env.TZ = 'Asia/Tokyo';
    try {
      const times = {
        'Mon, 3 Mar 2025 10:15:00 +0300': '2025-03-03T07:15:00.000Z',
        'Mon, 3 Mar 2025 10:15:00 +0300 (MSK)': '2025-03-03T07:15:00.000Z',
        'Mon, 3 Mar 2025 10:15:00': '2025-03-03T10:15:00.000Z',
        'Mon, 3 Mar 2025 10:15': '2025-03-03T10:15:00.000Z',
        '3 Mar 25 10:15:00 GMT': '2025-03-03T10:15:00.000Z',
        'Mon, 3 Mar 2025 10:15:00 EST': '2025-03-03T15:15:00.000Z',
        '2025-03-03 10:15:00': '2025-03-03T10:15:00.000Z',
        'Mon Mar  3 10:15:00 2025': '2025-03-03T10:15:00.000Z',
      };
      for (const [text, time] of Object.entries(times))
        expect(readDate(text)?.toISOString(), text).toBe(time);
      expect(readDate('some day')).toBeUndefined();
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  it('reads any prefix of any letter without failing', async () => {
    for (const name of ['inline-picture', 'letter-in-letter', 'iso-2022-jp', 'odd-file-names', 'bounce']) {
      const bytes = fixture(name);
      for (let length = 0; length < bytes.length; length += 37) await parseLetter(bytes.subarray(0, length));
    }
  });
});
