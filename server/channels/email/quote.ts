import {
  blockLine,
  deviceLine,
  forwardedMark,
  fromLine,
  introStart,
  originalMark,
  signatureMark,
  wrote,
} from './quote-words.js';

/**
 * Parts what somebody wrote now from what their program put below or above it. Nothing is thrown away: `before`,
 * `shown` and `after`, put together, are the text again, so that a wrong guess only folds what an agent can unfold.
 *
 * The rule: shown is what the person wrote now; answers between quoted lines keep the quotes around them; a signature
 * and the line a telephone adds are folded; when nothing would be left, all of it is shown.
 */
export interface SplitText {
  before: string;
  shown: string;
  after: string;
}

interface Line {
  text: string;
  start: number;
  isQuoted: boolean;
  isBlank: boolean;
}

/** Lines that are looked at; a longer letter is somebody's log file, and is shown whole beyond. */
const maxLines = 20_000;
/** A signature is short: a long text under a dash is text. */
const signatureLines = 25;

export function splitQuoted(text: string, quoteStart?: number): SplitText {
  const lines = linesOf(text);
  if (lines.length === 0 || lines.length > maxLines) return { before: '', shown: text, after: '' };
  let end = quoteBegin(lines, quoteStart);
  end = withoutSignature(lines, end);
  const begin = quoteAtHead(lines, end);
  const cut = trimmed(lines, begin, end);
  if (!cut) return { before: '', shown: text, after: '' };
  const from = begin === 0 ? 0 : (lines[cut.begin]?.start ?? 0);
  const to = end === lines.length ? text.length : endOf(lines, cut.end - 1);
  return { before: text.slice(0, from), shown: text.slice(from, to), after: text.slice(to) };
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const line of text.split('\n')) {
    if (lines.length > maxLines) break;
    // No mark stands beyond the first few hundred characters, and no pattern sees more of a hostile line.
    const seen = line.slice(0, 400);
    lines.push({ text: seen, start, isQuoted: /^ {0,3}>/.test(seen), isBlank: line.trim() === '' });
    start += line.length + 1;
  }
  return lines;
}

const endOf = (lines: readonly Line[], index: number): number => {
  const next = lines[index + 1];
  return next ? next.start - 1 : Number.MAX_SAFE_INTEGER;
};

/** The line from which everything to the end is quoted; the number of lines when nothing is. */
function quoteBegin(lines: readonly Line[], quoteStart: number | undefined): number {
  const answers = answersBelow(lines);
  const firstText = lines.findIndex((line) => !line.isBlank && !line.isQuoted);
  const hasTextBefore = (index: number) => firstText !== -1 && firstText < index;
  const lastQuoted = lines.findLastIndex((line) => line.isQuoted);
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (!line || line.isBlank) continue;
    const isHinted = quoteStart !== undefined && line.start >= quoteStart;
    if (!isHinted && !line.isQuoted) {
      const length = introAt(lines, index);
      if (length > 0) {
        if (hasTextBefore(index) && foldsFrom(lines, index + length, answers)) return index;
        index += length - 1;
        continue;
      }
    }
    if (!hasTextBefore(index)) continue;
    if (isHinted && !answers[index]) return index;
    if (
      !line.isQuoted &&
      (originalMark.test(line.text) || forwardedMark.test(line.text) || isHeaderBlock(lines, index))
    ) {
      return ruledAbove(lines, index);
    }
    if (line.isQuoted && !answers[index] && isRealQuote(lines, index, lastQuoted)) return index;
  }
  return lines.length;
}

/** A rule drawn right above the block belongs to it. */
function ruledAbove(lines: readonly Line[], index: number): number {
  let at = index;
  while (at > 0 && (lines[at - 1]?.isBlank || /^\s*[_-]{5,}\s*$/.test(lines[at - 1]?.text ?? ''))) at -= 1;
  return at;
}

/** One line with a `>` may be a person's arrow; several, or one that names a writer, are a quote. */
function isRealQuote(lines: readonly Line[], index: number, lastQuoted: number): boolean {
  if (lastQuoted > index) return true;
  const before = lines[index - 1];
  return before === undefined || before.isBlank;
}

/**
 * For each line whether somebody's own words stand below the first quoted line from there on: then they are answers.
 * Decided for all lines in one pass from the end, since each is asked for.
 */
function answersBelow(lines: readonly Line[]): boolean[] {
  const isIntroLine = new Set<number>();
  for (let index = 0; index < lines.length; index += 1) {
    const length = lines[index]?.isQuoted ? 0 : introAt(lines, index);
    for (let line = 0; line < length; line += 1) isIntroLine.add(index + line);
    if (length > 1) index += length - 1;
  }
  const answers: boolean[] = new Array(lines.length + 1).fill(false);
  let belowQuote = false;
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const line = lines[index];
    answers[index] = line?.isQuoted ? belowQuote : (answers[index + 1] ?? false);
    if (!line || line.isBlank || line.isQuoted || isIntroLine.has(index)) continue;
    const isEnd =
      signatureMark.test(line.text) ||
      deviceLine.test(line.text) ||
      originalMark.test(line.text) ||
      isHeaderBlock(lines, index);
    // A long quoted line that was broken on its way leaves its end without a mark.
    const isRest = lines[index - 1]?.isQuoted && lines[index + 1]?.isQuoted && line.text.length < 30;
    if (isEnd) belowQuote = false;
    else if (!isRest) belowQuote = true;
  }
  return answers;
}

/** Below a line that names the writer: quoted lines with no answers among them, or text without any mark. */
function foldsFrom(lines: readonly Line[], from: number, answers: readonly boolean[]): boolean {
  const first = lines.slice(from, from + 6).find((line) => !line.isBlank);
  if (!first) return true;
  return first.isQuoted ? !answers[from] : true;
}

/** How many lines the line that names the writer of the quote takes here; 0 when there is none. */
function introAt(lines: readonly Line[], index: number): number {
  const first = lines[index];
  if (!first || first.isBlank) return 0;
  let joined = '';
  for (let count = 1; count <= 4; count += 1) {
    const line = lines[index + count - 1];
    if (!line || (count > 1 && line.isBlank)) return 0;
    if (count > 1 && line.isQuoted && !/^\s*>\s*:/.test(line.text)) return 0;
    joined = `${joined} ${line.text.trim()}`.trim();
    if (joined.length > 400) return 0;
    if (isIntro(joined)) return count;
    if (count === 1 && !introStart.test(joined)) return 0;
  }
  return 0;
}

const timeOfDay = /\d{1,2}[:.h]\d{2}/;
const dateLike =
  /\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[-./年]\s?\d{1,2}|\d{1,2}\.? ?(?:\p{L}{3,10}\.?|de \p{L}{3,10})(?: de)? ?,? ?\d{4}|\p{L}{3,9} \d{1,2}(?:st|nd|rd|th)?,? \d{4}/u;
const anAddress = /[^\s<>@]+@[^\s<>@]+/;

function isIntro(line: string): boolean {
  if (!/[:：]\s*\**$|-{3,}$|>$/.test(line)) return /^on .{6,200} wrote$/i.test(line);
  const hasTime = timeOfDay.test(line) || dateLike.test(line);
  if (wrote.test(line)) {
    return (
      hasTime ||
      anAddress.test(line) ||
      /^at .* you wrote:$/i.test(line) ||
      /^.{1,80} (?:a écrit|wrote|schrieb|napisał\(a\)) ?:$/i.test(line)
    );
  }
  return /[:：]$/.test(line) && hasTime && anAddress.test(line) && /<[^>]*>|\(.*@.*\)/.test(line);
}

function isHeaderBlock(lines: readonly Line[], index: number): boolean {
  if (!fromLine.test(lines[index]?.text ?? '')) return false;
  const following = lines.slice(index + 1, index + 8);
  return following.filter((line) => blockLine.test(line.text)).length >= 2;
}

/** A signature, or what a telephone added, at the end of what is left. */
function withoutSignature(lines: readonly Line[], end: number): number {
  let limit = end;
  for (let index = end - 1; index > 0 && end - index <= signatureLines + 10; index -= 1) {
    const line = lines[index];
    if (!line || line.isBlank) continue;
    if (line.isQuoted) break;
    if (deviceLine.test(line.text) && line.text.length <= 160 && onlyShortBelow(lines, index + 1, limit)) {
      limit = index;
    } else if (signatureMark.test(line.text) && isSignature(lines, index, limit)) {
      limit = index;
    }
  }
  const hasText = lines.slice(0, limit).some((line) => !line.isBlank);
  return hasText ? limit : end;
}

const onlyShortBelow = (lines: readonly Line[], from: number, to: number): boolean =>
  lines.slice(from, to).filter((line) => !line.isBlank).length <= 1;

function isSignature(lines: readonly Line[], index: number, end: number): boolean {
  const below = lines.slice(index + 1, end).filter((line) => !line.isBlank);
  // Two dashes are the mark of a signature by custom (RFC 3676, 4.3); any other rule only when nothing follows it.
  return /^\s{0,3}(?:--|—|––|__)\s*$/.test(lines[index]?.text ?? '')
    ? below.length <= signatureLines
    : below.length === 0;
}

/** One quote at the head with the answer below it: the quote is folded, whoever names it included. */
function quoteAtHead(lines: readonly Line[], end: number): number {
  let at = 0;
  while (at < end && lines[at]?.isBlank) at += 1;
  const intro = introAt(lines, at);
  let body = at + intro;
  while (body < end && lines[body]?.isBlank) body += 1;
  if (!lines[body]?.isQuoted) return 0;
  let answer = body;
  while (answer < end && (lines[answer]?.isQuoted || lines[answer]?.isBlank)) answer += 1;
  if (answer >= end) return 0;
  const isInline = lines.slice(answer, end).some((line) => line.isQuoted);
  return isInline ? 0 : answer;
}

/** The borders without the empty lines beside them; null when nothing is left to show. */
function trimmed(lines: readonly Line[], begin: number, end: number): { begin: number; end: number } | null {
  let from = begin;
  let to = end;
  while (from < to && lines[from]?.isBlank) from += 1;
  while (to > from && lines[to - 1]?.isBlank) to -= 1;
  return from < to ? { begin: from, end: to } : null;
}
