import { BSONRegExp } from 'bson';
import type { Value } from '../bson/types.js';
import { badValue, StoreError } from '../errors.js';

/** Regular expressions: MongoDB's are Perl's, ours are JavaScript's. What the two read differently is refused. */

export const isRegExp = (value: Value | undefined): value is BSONRegExp => value instanceof BSONRegExp;

const invalid = (message: string) =>
  new StoreError(51091, 'Location51091', `Regular expression is invalid: ${message}`);

/** `x`: white space and comments outside of classes mean nothing. */
function withoutSpace(source: string): string {
  let result = '';
  let inClass = false;
  for (let at = 0; at < source.length; at += 1) {
    const letter = source[at]!;
    if (letter === '\\') {
      result += letter + (source[at + 1] ?? '');
      at += 1;
      continue;
    }
    if (letter === '[') inClass = true;
    else if (letter === ']') inClass = false;
    else if (!inClass && /\s/.test(letter)) continue;
    else if (!inClass && letter === '#') {
      while (at < source.length && source[at] !== '\n') at += 1;
      continue;
    }
    result += letter;
  }
  return result;
}

/** Perl's own notations that have a like in JavaScript. */
function translated(source: string, flags: Set<string>): string {
  let result = source;
  const leading = /^\(\?([imsx]+)\)/.exec(result);
  if (leading) {
    for (const flag of leading[1]!) flags.add(flag);
    result = result.slice(leading[0].length);
  }
  if (flags.delete('x')) result = withoutSpace(result);
  return result
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A/g, '(?<![\\s\\S])')
    .replace(/\\[zZ]/g, '(?![\\s\\S])')
    .replace(/\[:alpha:\]/g, 'A-Za-z')
    .replace(/\[:digit:\]/g, '0-9')
    .replace(/\[:alnum:\]/g, 'A-Za-z0-9')
    .replace(/\[:space:\]/g, '\\s');
}

/** @throws StoreError 51091 for a pattern that cannot be read, 51108 for unknown options */
export function toRegExp(pattern: string, options: string): RegExp {
  const flags = new Set(options);
  for (const flag of flags)
    if (!'imsxu'.includes(flag))
      throw new StoreError(51108, 'Location51108', ` invalid flag in regex options: ${flag}`);
  if (pattern.includes('\0') || options.includes('\0'))
    throw badValue('Regular expression cannot contain an embedded null byte');
  const source = translated(pattern, flags);
  flags.delete('u');
  const known = [...flags].filter((flag) => 'ims'.includes(flag)).join('');
  try {
    return new RegExp(source, `${known}u`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  // Escapes that mean nothing are refused by the strict reading and harmless in the other.
  try {
    return new RegExp(source, known);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

/** What `$regex` and a bare pattern test: a text's match. */
export function regExpTest(
  operand: Value,
  options: Value | undefined,
): (value: Value | undefined) => boolean {
  if (options !== undefined && typeof options !== 'string') throw badValue('$options has to be a string');
  let expression: RegExp;
  if (isRegExp(operand)) {
    if (options !== undefined && operand.options !== '')
      throw new StoreError(51075, 'Location51075', 'options set in both $regex and $options');
    expression = toRegExp(operand.pattern, options ?? operand.options);
  } else if (typeof operand === 'string') expression = toRegExp(operand, options ?? '');
  else throw badValue('$regex has to be a string');
  return (value) => typeof value === 'string' && expression.test(value);
}

/** The text with which everything that matches begins; null when there is none, or when case does not count. */
export function literalPrefix(operand: BSONRegExp | string, options: string): string | null {
  const [pattern, flags] =
    typeof operand === 'string' ? [operand, options] : [operand.pattern, options || operand.options];
  if (/[ixm]/.test(flags) || !pattern.startsWith('^') || pattern.includes('|')) return null;
  const match = /^\^([A-Za-z0-9 _@:/,;=<>!"'%&~-]+)/.exec(pattern);
  if (!match) return null;
  const rest = pattern.slice(match[0].length);
  // A letter that may be left out or repeated is no part of what everything begins with.
  const prefix = /^[*?{+]/.test(rest) ? match[1]!.slice(0, -1) : match[1]!;
  return prefix === '' ? null : prefix;
}
