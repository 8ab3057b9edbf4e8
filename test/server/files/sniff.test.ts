import { describe, expect, it } from 'vitest';
import { inlineTypes, sniffType } from '../../../server/files/sniff.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('the type of a file', () => {
  it.each([
    ['\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'image/png'],
    ['\xff\xd8\xff\xe0\0\x10JFIF', 'image/jpeg'],
    ['GIF89a\x01\0\x01\0', 'image/gif'],
    ['RIFF\x24\0\0\0WEBPVP8 ', 'image/webp'],
    ['%PDF-1.7\n', 'application/pdf'],
    [
      'PK\x03\x04\x14\0\0\0word/document.xml',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ],
    ['PK\x03\x04\x14\0\0\0readme', 'application/zip'],
    ['plain words\n', 'text/plain'],
    ['', 'text/plain'],
    ['\0\x01\x02', 'application/octet-stream'],
    ['\xd1\xe0\xeb\xfe\xf2', 'application/octet-stream'],
  ])('%j is %s, by its bytes', (content, type) => {
    expect(sniffType(bytes(content))).toBe(type);
  });

  it('takes pages and scripts for text, whatever they call themselves (F1, F2)', () => {
    for (const page of [
      '<!doctype html><script>alert(1)</script>',
      '<svg onload="x()">',
      '<?xml version="1.0"?><svg/>',
    ]) {
      expect(sniffType(bytes(page))).toBe('text/plain');
      expect(inlineTypes.has(sniffType(bytes(page)))).toBe(false);
    }
  });

  it('does not show a picture that is a script or a page as well (F2)', () => {
    const polyglots = [
      'GIF89a/*\x01\0\0*/=1;alert(1)//',
      'GIF89a=1;alert(1)',
      '\xff\xd8\xff\xe0\0\x10JFIF<script>alert(1)</script>',
      '\x89PNG\r\n\x1a\n\0\0\0\rIHDR<html><body onload=x>',
    ];
    for (const polyglot of polyglots) expect(inlineTypes.has(sniffType(bytes(polyglot)))).toBe(false);
  });

  it('is not misled by a letter cut at the end of what was read', () => {
    expect(sniffType(Buffer.from('привет').subarray(0, 5))).toBe('text/plain');
  });
});
