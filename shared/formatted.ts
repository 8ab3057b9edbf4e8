/**
 * The little formatting that agents write with: lists, **bold**, `code`, and [words](https://…) for an address. It is
 * read into pieces, which are drawn as text nodes: nothing that anybody writes is ever read as HTML.
 */

/** Items of a list, or paragraphs of running text. */
export interface Block {
  /** The number a list begins with, NaN for a list of points; absent in running text. */
  list?: number;
  texts: string[];
}

/** At least two items: one line that begins so is a date, or somebody's signature. */
const lists = /^((?: {0,3}\d{1,3}[.)][ \t]+\S.*(?:\n|$)){2,}|(?: {0,3}[-*•][ \t]+\S.*(?:\n|$)){2,})/gm;

export const blocksOf = (text: string): Block[] =>
  text.split(lists).map((piece, at) =>
    at % 2
      ? {
          list: Number.parseInt(piece, 10),
          texts: piece
            .trimEnd()
            .split('\n')
            .map((line) => line.replace(/^ *\S+[ \t]+/, '')),
        }
      : { texts: piece.split(/\n{2,}/).flatMap((one) => one.trim() || []) },
  );

/** A stretch of a line, with at most one of the marks. */
export interface Span {
  text: string;
  bold?: boolean;
  code?: boolean;
  /** http or https alone. */
  href?: string | undefined;
}

/** The words of a link hold no colon and no slash: they cannot read as another address than it leads to. */
const marks = /\*\*([^\n*]+)\*\*|`([^\n`]+)`|\[([^\n[\]:/]+)\]\((https?:\/\/[^\s()]+)\)/i;

export function spansOf(text: string): Span[] {
  const spans: Span[] = [];
  const pieces = text.split(marks);
  for (let at = 0; at < pieces.length; at += 5) {
    const [plain, bold, code, words, href] = pieces.slice(at, at + 5);
    if (plain) spans.push({ text: plain });
    if (bold) spans.push({ text: bold, bold: true });
    if (code) spans.push({ text: code, code: true });
    if (words) spans.push({ text: words, href });
  }
  return spans;
}

/** The words alone, on lines of their own: for a row that shows no formatting. */
export const plainOf = (text: string): string =>
  blocksOf(text)
    .flatMap(({ texts }) =>
      texts.map((one) =>
        spansOf(one)
          .map((span) => span.text)
          .join(''),
      ),
    )
    .join('\n');
