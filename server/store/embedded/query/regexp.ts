import { BSONRegExp } from 'bson';
import { Opaque, type, type Value } from '../bson/types.js';
import { badValue, location } from '../errors.js';
import { textOf } from '../values/compare.js';
import type { Test } from './condition.js';
import { fromPerl } from './pattern.js';

/** Regular expressions in filters. */

export const isRegExp = (value: Value | undefined): value is BSONRegExp => value instanceof BSONRegExp;

/** @throws StoreError 51091 for a pattern that cannot be read, 51108 for unknown options */
export function toRegExp(pattern: string, options: string): RegExp {
  for (const flag of options)
    if (!'imsxu'.includes(flag)) throw location(51108, ` invalid flag in regex options: ${flag}`);
  if (pattern.includes('\0') || options.includes('\0'))
    throw badValue('Regular expression cannot contain an embedded null byte');
  try {
    return fromPerl(pattern, options);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw location(51091, `Regular expression is invalid: ${error.message}`);
  }
}

/** A text that matches, or an expression that is the same. */
export function regExpTest(operand: BSONRegExp | string, options: string): Test {
  const pattern = isRegExp(operand) ? operand.pattern : operand;
  const flags = isRegExp(operand) ? operand.options || options : options;
  const expression = toRegExp(pattern, flags);
  const sorted = [...flags].sort().join('');
  return (value) => {
    if (typeof value === 'string') return expression.test(value);
    if (value instanceof Opaque) return value.type === type.symbol && expression.test(textOf(value));
    return isRegExp(value) && value.pattern === pattern && value.options === sorted;
  };
}

/** `$regex` with the `$options` that stand beside it. */
export function regExpOperator(operand: Value, siblings: ReadonlyMap<string, Value>): Test {
  const options = siblings.get('$options');
  if (options !== undefined && typeof options !== 'string') throw badValue('$options has to be a string');
  if (typeof operand !== 'string' && !isRegExp(operand)) throw badValue('$regex has to be a string');
  if (isRegExp(operand) && operand.options !== '' && options) {
    const isFirst = [...siblings.keys()].indexOf('$options') < [...siblings.keys()].indexOf('$regex');
    throw location(isFirst ? 51074 : 51075, 'options set in both $regex and $options');
  }
  return regExpTest(operand, options ?? '');
}

/** The text with which everything that matches begins; null when there is none, or when case does not count. */
export function literalPrefix(operand: BSONRegExp | string, options: string): string | null {
  const [pattern, flags] =
    typeof operand === 'string' ? [operand, options] : [operand.pattern, operand.options || options];
  if (/[ixm]/.test(flags) || !pattern.startsWith('^') || pattern.includes('|')) return null;
  const [written] = /^(?:[^\\^$.*+?()[\]{}|\ud800-\udfff]|\\[^A-Za-z0-9\ud800-\udfff])*/.exec(
    pattern.slice(1),
  )!;
  const letters = written.match(/\\?[\s\S]/g) ?? [];
  // A letter that may be left out or repeated is no part of what everything begins with. What means nothing may stand between.
  if (/^(?:[*?{+]|\\[EQ]|\(\?#)/.test(pattern.slice(1 + written.length))) letters.pop();
  const prefix = letters.map((one) => one.at(-1)).join('');
  return prefix === '' ? null : prefix;
}
