import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeFileName } from '../../../server/files/name.js';
import { contentDisposition } from '../../../server/files/serve.js';
import { limits } from '../../../shared/limits.js';
import { byteLength } from '../../../shared/text.js';

describe('file names (E6, A16)', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\bill.pdf', 'bill.pdf'],
    ['..', 'file'],
    ['', 'file'],
    ['   ', 'file'],
    ['.htaccess', 'htaccess'],
    ['bill.pdf. . ', 'bill.pdf'],
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['a\u0000b\r\nSet-Cookie: x.txt', 'abSet-Cookie_ x.txt'],
    ['con.txt', '_con.txt'],
    ['a"b<c>|d?.png', 'a_b_c__d_.png'],
    ['résumé.pdf', 'résumé.pdf'],
    ['счёт за март.pdf', 'счёт за март.pdf'],
    ['发票.pdf', '发票.pdf'],
  ])('%j becomes %j', (given, safe) => {
    expect(safeFileName(given)).toBe(safe);
  });

  it('keeps the ending of a name that is too long', () => {
    const name = safeFileName(`${'ж'.repeat(300)}.pdf`);
    expect(byteLength(name)).toBeLessThanOrEqual(limits.fileNameBytes);
    expect(name).toMatch(/^ж+\.pdf$/);
  });

  it('is always short, visible, of one segment, and the same when made safe again', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (given) => {
        const name = safeFileName(given);
        expect(name).not.toBe('');
        expect(byteLength(name)).toBeLessThanOrEqual(limits.fileNameBytes);
        expect(name).not.toMatch(
          /[\u0000-\u001f\u007f-\u009f/\\\u200b-\u200f\u202a-\u202e\u2066-\u2069"<>:|?*]/,
        );
        expect(name).not.toMatch(/^\.|\.$/);
        expect(safeFileName(name)).toBe(name);
      }),
    ));

  it('never ends or splits a header', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (given) => {
        const header = contentDisposition('attachment', safeFileName(given));
        expect(header).toMatch(/^attachment; filename="[\x20-\x7e]*"; filename\*=UTF-8''[\w!#$&+\-.^`|~%]*$/);
      }),
    ));
});
