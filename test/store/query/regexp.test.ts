import { describe, expect, it } from 'vitest';
import { literalPrefix, toRegExp } from '../../../server/store/embedded/query/regexp.js';

const matches = (pattern: string, text: string, options = '') => toRegExp(pattern, options).test(text);

describe('Regular expressions', () => {
  it.each([
    ['^abc$', 'abc\n', '', true],
    ['^abc\\z', 'abc\n', '', false],
    ['\\Aabc\\Z', 'abc\n', '', true],
    ['a.c', 'a\rc', '', true],
    ['a.c', 'a\nc', '', false],
    ['a.c', 'a\nc', 's', true],
    ['^b$', 'a\nb\nc', 'm', true],
    ['^b$', 'a\rb\rc', 'm', false],
    ['a\\s', 'a\u00a0', '', false],
    ['a\\h', 'a\u00a0', '', true],
    ['É', 'é', 'i', true],
    ['^.$', '\u{1f600}', '', true],
    ['a b # comment', 'ab', 'x', true],
    ['a[ ]b\\ c', 'a b c', 'x', true],
    ['(?i)abc', 'ABC', '', true],
    ['(?<year>\\d{4})-\\k<year>', '2024-2024', '', true],
    ['(?P<x>a)(?P=x)', 'aa', '', true],
    ['(a)\\1', 'aa', '', true],
    ['[[:alpha:]_]+$', 'ab_', '', true],
    ['^[^[:space:]]+$', 'a b', '', false],
    ['^[\\S\\n]+$', 'a\nb', '', true],
    ['^[^\\S\\n]+$', ' \t', '', true],
    ['^[]a]+$', ']a', '', true],
    ['^[\\w-]+$', 'a-b', '', true],
    ['^[a-]+$', 'a-', '', true],
    ['\\Qa.b\\E+', 'a.bb', '', true],
    ['a{,2}', 'a{,2}', '', true],
    ['a{x}', 'a{x}', '', true],
    ['a\\-b\\_c', 'a-b_c', '', true],
    ['a/b', 'a/b', '', true],
    ['\\x41\\x{42}\\103', 'ABC', '', true],
    ['\\p{L}+\\p{Cyrillic}', 'aя', '', true],
    ['a(?#nothing)b', 'ab', '', true],
    ['a\\Rb', 'a\r\nb', '', true],
  ])('%s finds %j (%s): %s', (pattern, text, options, expected) => {
    expect(matches(pattern, text, options)).toBe(expected);
  });

  it.each([
    '(',
    '[a',
    'a**',
    'a++',
    '(?>a)',
    '(?R)',
    '(*ACCEPT)',
    '\\K',
    '\\j',
    'a(?i)b',
    '\\',
    '\\2(a)',
    '[[:what:]]',
  ])('refuses %s', (pattern) => {
    try {
      toRegExp(pattern, '');
    } catch (error) {
      expect(error).toMatchObject({ code: 51091, codeName: 'Location51091' });
      return;
    }
    expect.fail('was accepted');
  });

  it('say with what everything they match begins', () => {
    expect(literalPrefix('^abc', '')).toBe('abc');
    expect(literalPrefix('^a\\.b\\-c.*', '')).toBe('a.b-c');
    expect(literalPrefix('^abc*', '')).toBe('ab');
    expect(literalPrefix('^ab\\.?', '')).toBe('ab');
    expect(literalPrefix('^ab\\E*', '')).toBe('a');
    expect(literalPrefix('^ab(?#c)*', '')).toBe('a');
    expect(literalPrefix('^a{2}', '')).toBeNull();
    expect(literalPrefix('^abc|d', '')).toBeNull();
    expect(literalPrefix('abc', '')).toBeNull();
    expect(literalPrefix('^abc', 'i')).toBeNull();
    expect(literalPrefix('^\\d', '')).toBeNull();
  });
});
