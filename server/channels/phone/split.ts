/** Pieces of a file that may be too long to hold: lines, JSON values, XML elements. Each is bounded. */

const documentCharacters = 1024 * 1024;

export async function* decode(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

/** Lines without their ends (LF or CRLF). One without an end for a megabyte is cut there: it is no record of anything. */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  let isCut = false;
  for await (const text of texts) {
    const pieces = (rest + text).split('\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      if (!isCut) yield piece.endsWith('\r') ? piece.slice(0, -1) : piece;
      isCut = false;
    }
    if (rest.length > documentCharacters) {
      if (!isCut) yield rest.slice(0, documentCharacters);
      isCut = true;
      rest = '';
    }
  }
  if (rest !== '' && !isCut) yield rest;
}

/** A document's text, or nothing when it was longer than a record can be. */
export type Document = { text: string } | { problem: string };

/** Objects standing one after another, on lines of their own, or in an array. */
export async function* jsonObjects(texts: AsyncIterable<string>): AsyncGenerator<Document> {
  let depth = 0;
  let isInText = false;
  let isEscaped = false;
  let pieces = '';
  let length = 0;
  for await (const text of texts) {
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text[at];
      if (isInText) {
        if (isEscaped) isEscaped = false;
        else if (character === '\\') isEscaped = true;
        else if (character === '"') isInText = false;
      } else if (character === '"') {
        isInText = depth > 0;
      } else if (character === '{') {
        if (depth === 0) from = at;
        depth += 1;
      } else if (character === '}' && depth > 0) {
        depth -= 1;
        if (depth > 0) continue;
        yield document(pieces + text.slice(from, at + 1), length + at + 1 - from);
        pieces = '';
        length = 0;
      }
    }
    if (depth > 0) {
      length += text.length - from;
      // Too long already: it is counted, not kept.
      pieces = length > documentCharacters ? '' : pieces + text.slice(from);
    }
  }
  if (depth > 0) yield { problem: 'the document is cut off' };
}

const document = (text: string, length: number): Document =>
  length > documentCharacters ? { problem: 'the document is longer than a megabyte' } : { text };

/** `<cdr>` elements, alone or many in one file. */
export async function* cdrElements(texts: AsyncIterable<string>): AsyncGenerator<Document> {
  let rest = '';
  for await (const text of texts) {
    rest += text;
    for (;;) {
      const begin = rest.search(/<cdr[\s>]/);
      const end = begin === -1 ? -1 : rest.indexOf('</cdr>', begin);
      if (end === -1) break;
      yield document(rest.slice(begin, end + 6), end + 6 - begin);
      rest = rest.slice(end + 6);
    }
    if (rest.length > 2 * documentCharacters) {
      yield { problem: 'the document is longer than a megabyte' };
      rest = '';
    }
  }
  if (/<cdr[\s>]/.test(rest)) yield { problem: 'the document is cut off' };
}
