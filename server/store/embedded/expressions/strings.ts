import { BSONRegExp, Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { toRegExp } from '../query/regexp.js';
import { compare, typeName } from '../values/compare.js';
import { isNumber, toInteger } from '../values/numbers.js';
import { type Expression, isNullish, type Operator, type Scope } from './expression.js';
import { optional, parametersOf, ranged, required, unary, untilNull } from './operands.js';
import { textOf } from './text.js';

/** Texts. Places are counted in bytes of UTF-8 or in code points, as the operator's name says. */

type Evaluated = Value | undefined;

const string = (value: Evaluated, what: string, code: number): string => {
  if (typeof value === 'string') return value;
  throw location(code, `${what} requires a string, found: ${typeName(value)}`);
};

const whole = (value: Evaluated, what: string, code: number): number => {
  const number = isNumber(value) ? toInteger(value) : null;
  if (number === null) throw location(code, `${what} must be an integral number, found: ${typeName(value)}`);
  return Number(number);
};

/** Null reads as the empty text. */
const lenient = (value: Evaluated): string => (isNullish(value) ? '' : textOf(value));

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

function substringBytes([value, from, count]: Evaluated[], name: string): Evaluated {
  const bytes = Buffer.from(lenient(value));
  const start = whole(from, `${name}'s starting index`, 16034);
  const length = whole(count, `${name}'s length`, 16035);
  if (start < 0) throw location(50752, `${name}: starting index must be non-negative (got: ${start})`);
  const end = length < 0 ? bytes.length : Math.min(bytes.length, start + length);
  if (isContinuation(bytes[start]))
    throw location(28656, `${name}: Invalid range, starting index is a UTF-8 continuation byte.`);
  if (end < bytes.length && isContinuation(bytes[end]))
    throw location(28657, `${name}: Invalid range, ending index is in the middle of a UTF-8 character.`);
  return start >= bytes.length ? '' : bytes.toString('utf8', start, end);
}

function substringPoints([value, from, count]: Evaluated[], name: string): Evaluated {
  const points = [...lenient(value)];
  const start = whole(from, `${name}: starting index`, 34450);
  const length = whole(count, `${name}: length`, 34452);
  if (start < 0) throw location(34455, `${name}: the starting index must be a non-negative integer.`);
  if (length < 0) throw location(34454, `${name}: length must be a non-negative integer.`);
  return points.slice(start, start + length).join('');
}

function indexOfBytes([value, wanted, from, to]: Evaluated[], name: string): Evaluated {
  if (isNullish(value)) return null;
  const bytes = Buffer.from(string(value, name, 40091));
  const start = from === undefined ? 0 : whole(from, name, 40096);
  const end = to === undefined ? bytes.length : whole(to, name, 40096);
  if (start < 0 || end < 0) throw location(40097, `${name} requires nonnegative indexes`);
  const part = bytes.subarray(0, end);
  return new Int32(start > part.length ? -1 : part.indexOf(Buffer.from(string(wanted, name, 40092)), start));
}

function indexOfPoints([value, wanted, from, to]: Evaluated[], name: string): Evaluated {
  if (isNullish(value)) return null;
  const points = [...string(value, name, 40093)];
  const sought = [...string(wanted, name, 40094)];
  const start = from === undefined ? 0 : whole(from, name, 40096);
  const end = Math.min(points.length, to === undefined ? points.length : whole(to, name, 40096));
  if (start < 0 || end < 0) throw location(40097, `${name} requires nonnegative indexes`);
  for (let at = start; at + sought.length <= end; at += 1)
    if (sought.every((point, nth) => points[at + nth] === point)) return new Int32(at);
  return new Int32(-1);
}

/** White space as MongoDB trims it. */
const spaces = new Set([
  '\0',
  ...'\u0020\t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a',
]);

const trimming =
  (left: boolean, right: boolean): Operator =>
  (argument, scope, name) => {
    const parameters = parametersOf(argument, {
      names: ['input', 'chars'],
      notAnObject: () => location(50696, `${name} only supports an object as an argument`),
      unknown: (parameter) => location(50694, `${name} found an unknown argument: ${parameter}`),
    });
    const input = scope.compile(
      required(parameters, 'input', () => location(50695, `${name} requires an 'input' field`)),
    );
    const chars = optional(parameters, 'chars', scope);
    return (doc, variables) => {
      const value = input(doc, variables);
      const given = chars?.(doc, variables);
      if (isNullish(value) || (chars && isNullish(given))) return null;
      const set = chars ? new Set([...string(given, name, 50700)]) : spaces;
      const points = [...string(value, name, 50699)];
      let [from, to] = [0, points.length];
      while (left && from < to && set.has(points[from]!)) from += 1;
      while (right && to > from && set.has(points[to - 1]!)) to -= 1;
      return points.slice(from, to).join('');
    };
  };

function split([value, separator]: Evaluated[], name: string): Evaluated {
  if (isNullish(value) || isNullish(separator)) return null;
  const by = string(separator, name, 40086);
  if (by === '') throw location(40087, '$split requires a non-empty separator');
  return string(value, name, 40085).split(by);
}

const replacing =
  (all: boolean): Operator =>
  (argument, scope, name) => {
    const parameters = parametersOf(argument, {
      names: ['input', 'find', 'replacement'],
      notAnObject: () => location(51751, `${name} requires an object as an argument`),
      unknown: (parameter) => location(51750, `${name} found an unknown argument: ${parameter}`),
    });
    const [input, find, replacement] = ['input', 'find', 'replacement'].map((part) =>
      scope.compile(
        required(parameters, part, () => location(51749, `${name} requires '${part}' to be specified`)),
      ),
    ) as [Expression, Expression, Expression];
    return (doc, variables) => {
      const values = [input, find, replacement].map((part) => part(doc, variables));
      const checked = values.map((value) => (isNullish(value) ? null : string(value, name, 51746)));
      const [text, wanted, by] = checked;
      if (text === null || wanted === null || by === null) return null;
      return all ? text!.split(wanted!).join(by!) : text!.replace(wanted!, () => by!);
    };
  };

interface Found {
  match: string;
  /** In code points. */
  place: number;
  captures: (string | undefined)[];
}

/** `$regexMatch` and its kin: a pattern that may be different for each document. */
function matching(
  argument: Value,
  scope: Scope,
  name: string,
  evaluate: (find: (from: number) => (Found & { next: number }) | null) => Evaluated,
  missing: Value,
): Expression {
  const parameters = parametersOf(argument, {
    names: ['input', 'regex', 'options'],
    notAnObject: () => location(51103, `${name} expects an object of named arguments`),
    unknown: (parameter) => location(31024, `${name} found unknown argument(s): ${parameter}`),
  });
  const input = scope.compile(
    required(parameters, 'input', () => location(31022, `${name} requires 'input' parameter`)),
  );
  const pattern = scope.compile(
    required(parameters, 'regex', () => location(31023, `${name} requires 'regex' parameter`)),
  );
  const given = optional(parameters, 'options', scope);
  return (doc, variables) => {
    const text = input(doc, variables);
    const regex = pattern(doc, variables);
    if (isNullish(text) || isNullish(regex)) return missing;
    const whole = string(text, `${name} 'input'`, 51104);
    const options = given?.(doc, variables);
    const expression = regularExpression(
      regex,
      isNullish(options) ? '' : string(options, `${name} 'options'`, 51106),
      name,
    );
    return evaluate((from) => {
      expression.lastIndex = from;
      const found = expression.exec(whole);
      if (!found) return null;
      const next = found.index + found[0].length;
      return {
        match: found[0],
        place: [...whole.slice(0, found.index)].length,
        captures: found.slice(1),
        next: found[0] === '' ? next + 1 : next,
      };
    });
  };
}

function regularExpression(regex: Value, options: string, name: string): RegExp {
  if (regex instanceof BSONRegExp) {
    if (options !== '' && regex.options !== '')
      throw location(51107, `${name}: found regex option(s) specified in both 'regex' and 'option' fields`);
    return withGlobal(toRegExp(regex.pattern, options || regex.options));
  }
  return withGlobal(toRegExp(string(regex, `${name} 'regex'`, 51105), options));
}

const withGlobal = (expression: RegExp): RegExp => new RegExp(expression.source, `${expression.flags}g`);

const shown = ({ match, place, captures }: Found): Doc =>
  new Map<string, Value>([
    ['match', match],
    ['idx', new Int32(place)],
    ['captures', captures.map((one) => one ?? null)],
  ]);

export const strings: Record<string, Operator> = {
  $concat: untilNull(
    (value) => {
      if (typeof value !== 'string')
        throw location(16702, `$concat only supports strings, not ${typeName(value)}`);
    },
    (values) => values.join(''),
  ),
  $split: ranged(2, 2, split),
  $substr: ranged(3, 3, substringBytes),
  $substrBytes: ranged(3, 3, substringBytes),
  $substrCP: ranged(3, 3, substringPoints),
  $toLower: unary((value) => lenient(value).toLowerCase()),
  $toUpper: unary((value) => lenient(value).toUpperCase()),
  $trim: trimming(true, true),
  $ltrim: trimming(true, false),
  $rtrim: trimming(false, true),
  $strLenBytes: unary((value, name) => new Int32(Buffer.byteLength(string(value, name, 34473)))),
  $strLenCP: unary((value, name) => new Int32([...string(value, name, 34471)].length)),
  $strcasecmp: ranged(
    2,
    2,
    ([left, right]) =>
      new Int32(Math.sign(compare(lenient(left).toUpperCase(), lenient(right).toUpperCase()))),
  ),
  $indexOfBytes: ranged(2, 4, indexOfBytes),
  $indexOfCP: ranged(2, 4, indexOfPoints),
  $replaceOne: replacing(false),
  $replaceAll: replacing(true),
  $regexMatch: (argument, scope, name) => matching(argument, scope, name, (find) => find(0) !== null, false),
  $regexFind: (argument, scope, name) =>
    matching(
      argument,
      scope,
      name,
      (find) => {
        const found = find(0);
        return found ? shown(found) : null;
      },
      null,
    ),
  $regexFindAll: (argument, scope, name) =>
    matching(
      argument,
      scope,
      name,
      (find) => {
        const all: Value[] = [];
        for (let found = find(0); found; found = find(found.next)) all.push(shown(found));
        return all;
      },
      [],
    ),
};
