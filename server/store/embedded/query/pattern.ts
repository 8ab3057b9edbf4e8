/**
 * Regular expressions from Perl's notation (PCRE2, as MongoDB reads them) into JavaScript's. Where the two read the same
 * letters differently the reading is MongoDB's: `.` stops at a line feed only, `$` also stands before a last line feed,
 * `\s` is ASCII. What JavaScript has nothing for is an error, never something similar.
 */

interface Reader {
  readonly text: string;
  at: number;
  result: string;
  readonly groups: number;
  readonly flags: ReadonlySet<string>;
}

const space = '\\t-\\r ';
const horizontal = '\\t \\u00a0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000';
const vertical = '\\n-\\r\\u0085\\u2028\\u2029';

const posix: Record<string, string> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space,
  blank: '\\t ',
  punct: '!-\\/:-@\\[-`\\{-~',
  cntrl: '\\x00-\\x1f\\x7f',
  graph: '!-~',
  print: ' -~',
  xdigit: '0-9A-Fa-f',
  word: '\\w',
  ascii: '\\x00-\\x7f',
};

/** What has letters of its own in Perl, as the inside of a class; the capital letter is all but these. */
const sets: Record<string, string> = { s: space, h: horizontal, v: vertical };

const unsupported = (what: string) => new SyntaxError(`${what} is not supported by this store`);

const inHex = (code: number): string => `\\u{${code.toString(16)}}`;
const literal = (letter: string): string =>
  /[\\^$.*+?()[\]{}|/-]/.test(letter) ? inHex(letter.codePointAt(0)!) : letter;

/** @throws SyntaxError */
export function fromPerl(pattern: string, options: string): RegExp {
  const flags = new Set(options);
  let text = pattern;
  for (;;) {
    const leading = /^\(\?([imsx]+)\)|^\(\*UTF8?\)/.exec(text);
    if (!leading) break;
    for (const flag of leading[1] ?? '') flags.add(flag);
    text = text.slice(leading[0].length);
  }
  const reader: Reader = { text, at: 0, result: '', groups: countGroups(text), flags };
  while (reader.at < text.length) reader.result += next(reader);
  return new RegExp(reader.result, flags.has('i') ? 'iu' : 'u');
}

const countGroups = (text: string): number =>
  [...text.replace(/\\[\s\S]|\[\^?\]?[^\]]*\]/g, '').matchAll(/\((?:(?!\?)|\?(?:P?<(?![=!])|'))/g)].length;

function next(reader: Reader): string {
  const { text, flags } = reader;
  const letter = text[reader.at]!;
  reader.at += 1;
  switch (letter) {
    case '\\':
      return escaped(reader);
    case '[':
      return readClass(reader);
    case '(':
      return open(reader);
    case '.':
      return flags.has('s') ? '[\\s\\S]' : '[^\\n]';
    case '^':
      return flags.has('m') ? '(?:(?<![\\s\\S])|(?<=\\n)(?=[\\s\\S]))' : '^';
    case '$':
      return flags.has('m') ? '(?=\\n|$)' : '(?=\\n?$)';
    case '*':
    case '+':
    case '?':
      return quantifier(reader, letter);
    case '{': {
      const counted = /^\d+(?:,\d*)?\}/.exec(text.slice(reader.at));
      if (!counted) return '\\{';
      reader.at += counted[0].length;
      return quantifier(reader, `{${counted[0]}`);
    }
    case '}':
    case ']':
      return `\\${letter}`;
  }
  if (!flags.has('x')) return letter;
  if (/[\t-\r ]/.test(letter)) return '';
  if (letter === '#') {
    const end = text.indexOf('\n', reader.at);
    reader.at = end < 0 ? text.length : end + 1;
    return '';
  }
  return letter;
}

function quantifier({ text, at }: Reader, written: string): string {
  if (text[at] === '+') throw unsupported('a possessive quantifier');
  return written;
}

/** What an opening bracket opens. */
function open(reader: Reader): string {
  const rest = reader.text.slice(reader.at);
  if (rest.startsWith('*')) throw unsupported('a verb, (*…)');
  if (!rest.startsWith('?')) return '(';
  const plain = /^\?(?::|=|!|<=|<!)/.exec(rest);
  if (plain) {
    reader.at += plain[0].length;
    return `(${plain[0]}`;
  }
  const named = /^\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest);
  if (named) {
    reader.at += named[0].length;
    return `(?<${named[1] ?? named[2]}>`;
  }
  const back = /^\?P=([A-Za-z_]\w*)\)/.exec(rest);
  if (back) {
    reader.at += back[0].length;
    return `\\k<${back[1]}>`;
  }
  const comment = /^\?#[^)]*\)/.exec(rest);
  if (comment) {
    reader.at += comment[0].length;
    return '';
  }
  throw unsupported(`(${rest.slice(0, 2)}`);
}

/** What stands after a backslash, outside of classes. */
function escaped(reader: Reader): string {
  const { text } = reader;
  const letter = text[reader.at];
  if (letter === undefined) throw new SyntaxError('\\ at end of pattern');
  reader.at += 1;
  if ('dDwWbB'.includes(letter)) return `\\${letter}`;
  if (sets[letter]) return `[${sets[letter]}]`;
  const lower = letter.toLowerCase();
  if (letter !== lower && sets[lower]) return `[^${sets[lower]}]`;
  switch (letter) {
    case 'A':
      return '(?<![\\s\\S])';
    case 'z':
      return '(?![\\s\\S])';
    case 'Z':
      return '(?=\\n?(?![\\s\\S]))';
    case 'R':
      return `(?:\\r\\n|[${vertical}])`;
    case 'N':
      return '[^\\n]';
    case 'Q': {
      const end = text.indexOf('\\E', reader.at);
      const quoted = text.slice(reader.at, end < 0 ? text.length : end);
      reader.at = end < 0 ? text.length : end + 2;
      return [...quoted].map(literal).join('');
    }
    case 'E':
      return '';
    case 'k':
    case 'g': {
      const name = /^(?:\{(\w+)\}|<(\w+)>|'(\w+)'|(\d+))/.exec(text.slice(reader.at));
      const named = name && (name[1] ?? name[2] ?? name[3] ?? name[4]);
      if (!named || (letter === 'g' && (name[2] ?? name[3]))) throw unsupported(`\\${letter}`);
      reader.at += name[0].length;
      return /^\d+$/.test(named) ? backReference(reader, Number(named)) : `\\k<${named}>`;
    }
  }
  if (/[1-9]/.test(letter)) return numbered(reader, letter);
  return character(reader, letter);
}

/** A group by its number; a character by its octal code, when there are not so many groups. */
function numbered(reader: Reader, letter: string): string {
  const rest = reader.text.slice(reader.at);
  const digits = /^\d*/.exec(rest)![0];
  const number = Number(letter + digits);
  const octal = /^[0-7]{1,2}/.exec(rest);
  if (number > 9 && number > reader.groups && letter < '8' && octal) {
    reader.at += octal[0].length;
    return inHex(Number.parseInt(letter + octal[0], 8));
  }
  reader.at += digits.length;
  return backReference(reader, number);
}

function backReference({ groups }: Reader, number: number): string {
  if (number > groups) throw new SyntaxError('reference to non-existent subpattern');
  return `(?:\\${number})`;
}

/** A character written by an escape, in classes and out of them. */
function character(reader: Reader, letter: string): string {
  const rest = reader.text.slice(reader.at);
  const take = (match: RegExpExecArray) => {
    reader.at += match[0].length;
    return match;
  };
  if ('tnrf'.includes(letter)) return `\\${letter}`;
  if (letter === 'a') return '\\x07';
  if (letter === 'e') return '\\x1b';
  if (letter === '0') return inHex(Number.parseInt(`0${take(/^[0-7]{0,2}/.exec(rest)!)[0]}`, 8));
  if (letter === 'x') {
    const code = take(/^(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{0,2}))/.exec(rest)!);
    return inHex(Number.parseInt(code[1] ?? `0${code[2]}`, 16));
  }
  if (letter === 'o') {
    const code = /^\{([0-7]+)\}/.exec(rest);
    if (code) return inHex(Number.parseInt(take(code)[1]!, 8));
  }
  if (letter === 'c' && rest !== '') {
    reader.at += 1;
    return inHex(rest.toUpperCase().charCodeAt(0) ^ 0x40);
  }
  if (letter === 'p' || letter === 'P') return property(reader, letter, rest);
  if (/[A-Za-z0-9]/.test(letter)) throw new SyntaxError(`unrecognized character follows \\: ${letter}`);
  return literal(letter);
}

function property(reader: Reader, letter: string, rest: string): string {
  const name = /^(?:\{(\^?)([\w&]+)\}|([A-Z]))/.exec(rest);
  if (!name) throw new SyntaxError('malformed \\P or \\p sequence');
  reader.at += name[0].length;
  const written = name[2] ?? name[3]!;
  const value = written === 'L&' ? 'LC' : written;
  const sign = (letter === 'P') === (name[1] === '^') ? 'p' : 'P';
  // General categories have one letter or two; longer names are scripts.
  return value.length > 2 && value !== 'Any' ? `\\${sign}{Script=${value}}` : `\\${sign}{${value}}`;
}

/** A class: what it holds, and beside it what can only be said as all but something. */
function readClass(reader: Reader): string {
  const { text } = reader;
  const isNegated = text[reader.at] === '^';
  if (isNegated) reader.at += 1;
  const others: string[] = [];
  let inside = '';
  let isFirst = true;
  let wasSet = true;
  for (;;) {
    const letter: string | undefined = text[reader.at];
    if (letter === undefined) throw new SyntaxError('missing terminating ] for character class');
    if (letter === ']' && !isFirst) break;
    const before: boolean = wasSet;
    isFirst = false;
    wasSet = false;
    const named = /^\[:(\^?)([a-z]+):\]/.exec(text.slice(reader.at));
    if (named) {
      const set = posix[named[2]!];
      if (set === undefined) throw new SyntaxError('unknown POSIX class name');
      reader.at += named[0].length;
      wasSet = true;
      if (named[1] === '^') others.push(`[^${set}]`);
      else inside += set;
      continue;
    }
    reader.at += 1;
    if (letter === '-') {
      const isLiteral: boolean =
        before || text[reader.at] === ']' || /^(?:\\[dDwWsShHvVpP]|\[:)/.test(text.slice(reader.at));
      inside += isLiteral ? '\\-' : '-';
      wasSet = isLiteral;
    } else if (letter === '\\') {
      const one = text[reader.at] ?? '';
      wasSet = /[dDwWsShHvVpP]/.test(one);
      inside += classEscape(reader, others);
    } else inside += /[[\]{}()/|^]/.test(letter) ? `\\${letter}` : letter;
  }
  reader.at += 1;
  if (others.length === 0) return isNegated ? `[^${inside}]` : `[${inside}]`;
  return isNegated ? `(?:(?!${others.join('|')})[^${inside}])` : `(?:[${inside}]|${others.join('|')})`;
}

function classEscape(reader: Reader, others: string[]): string {
  const letter = reader.text[reader.at];
  if (letter === undefined) throw new SyntaxError('\\ at end of pattern');
  reader.at += 1;
  if ('dDwW'.includes(letter)) return `\\${letter}`;
  if (letter === 'b') return '\\x08';
  if (sets[letter]) return sets[letter];
  const set = sets[letter.toLowerCase()];
  if (set) {
    others.push(`[^${set}]`);
    return '';
  }
  if (/[1-7]/.test(letter)) {
    const digits = /^[0-7]{0,2}/.exec(reader.text.slice(reader.at))![0];
    reader.at += digits.length;
    return inHex(Number.parseInt(letter + digits, 8));
  }
  if (letter === 'Q' || letter === 'E') throw unsupported('\\Q in a class');
  return character(reader, letter);
}
