/** A record of a CSV file, or why there is none. `line` counts from 1 and is where the record begins. */
export type CsvRecord = { line: number; cells: string[] } | { line: number; problem: string };

/** A quoted cell of a call log may hold a line break; one that never ends must not swallow the file. */
const linesPerRecord = 16;
const lineCharacters = 64 * 1024;

/** Commas by the standard; semicolons and tabs where a spreadsheet wrote it. */
const separators = [',', ';', '\t'] as const;
type Separator = (typeof separators)[number];

/**
 * Reads CSV (RFC 4180) line by line. Forgiving where exchanges are careless: a quote inside a quoted cell that no separator
 * follows is a letter (FreeSWITCH does not double them). A cell that is never closed costs its own line only.
 */
export async function* readCsv(lines: AsyncIterable<string>): AsyncGenerator<CsvRecord> {
  let number = 0;
  let open: Open | null = null;
  let separator: Separator | null = null;
  for await (const text of lines) {
    number += 1;
    if (!open) {
      if (text.trim() !== '') separator ??= separatorOf(text);
      open = yield* begin({ line: number, separator: separator ?? ',' }, text);
      continue;
    }
    open.texts.push(text);
    open = yield* settle(open);
  }
  while (open) open = yield* giveUp(open);
}

/** A record over several lines: complete now, still open, or not what it seemed. */
function* settle(open: Open): Generator<CsvRecord, Open | null> {
  const cells = splitCells(open.texts.join('\n'), open.separator, 'strict');
  if (cells === 'open' && open.texts.length < linesPerRecord) return open;
  if (typeof cells === 'string') return yield* giveUp(open);
  yield { line: open.line, cells };
  return null;
}

interface Place {
  line: number;
  separator: Separator;
}
interface Open extends Place {
  texts: string[];
}

/** What stands most often between the cells of the first line. */
function separatorOf(line: string): Separator {
  const bare = line.slice(0, lineCharacters).replace(/"[^"]*"/g, '');
  const count = (separator: Separator) => bare.split(separator).length;
  return separators.reduce((best, one) => (count(one) > count(best) ? one : best));
}

function* begin({ line, separator }: Place, text: string): Generator<CsvRecord, Open | null> {
  if (text.trim() === '') return null;
  if (text.length > lineCharacters) {
    yield { line, problem: `the line is longer than ${lineCharacters} characters` };
    return null;
  }
  const cells = splitCells(text, separator, 'forgiving');
  if (typeof cells === 'string') return { line, separator, texts: [text] };
  yield { line, cells };
  return null;
}

/** The first line is at fault; those after it are read anew, each for itself. */
function* giveUp(open: Open): Generator<CsvRecord, Open | null> {
  yield { line: open.line, problem: 'the line ends inside a quoted cell' };
  let next: Open | null = null;
  for (const [index, text] of open.texts.slice(1).entries()) {
    if (next) {
      next.texts.push(text);
      next = yield* settle(next);
    } else {
      next = yield* begin({ ...open, line: open.line + 1 + index }, text);
    }
  }
  return next;
}

/**
 * The cells of one record; `open` when its last quoted cell has no end, `bad` when a quote stands where none may.
 * Over several lines only the standard's rules hold: a cut line must not take its neighbour for its own end.
 */
function splitCells(
  text: string,
  separator: Separator,
  rules: 'forgiving' | 'strict',
): string[] | 'open' | 'bad' {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1, separator, rules);
      if (typeof end === 'string') return end;
      cells.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
    } else {
      const next = text.indexOf(separator, at);
      const end = next === -1 ? text.length : next;
      cells.push(text.slice(at, end));
      at = end;
    }
    if (at >= text.length) return cells;
    at += 1; // the separator
  }
}

/** Where the quoted cell ends: at a quote that is not doubled and stands before a separator or the end. */
function closingQuote(
  text: string,
  from: number,
  separator: Separator,
  rules: 'forgiving' | 'strict',
): number | 'open' | 'bad' {
  let at = from;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return 'open';
    const next = text[quote + 1];
    if (next === '"') at = quote + 2;
    else if (next === undefined || next === separator) return quote;
    else if (rules === 'strict') return 'bad';
    else at = quote + 1;
  }
}
