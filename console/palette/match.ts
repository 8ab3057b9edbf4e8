/** Where each letter run of a query stands in a text, folded for case and accents; null when it does not. */
export interface Match {
  /** Lower is better. */
  score: number;
  /** Pieces of the text, the matched ones marked. */
  pieces: { text: string; isMatch: boolean }[];
}

const fold = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

/** Every word of the query must begin, or at least stand in, a word of the text. */
export function matchText(text: string, query: string): Match | null {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return { score: 0, pieces: [{ text, isMatch: false }] };
  // Folding may change lengths; marks are drawn only where it does not.
  const folded = fold(text);
  const canMark = folded.length === text.length;
  let score = 0;
  const marks: [number, number][] = [];
  for (const word of words) {
    const at = findWord(folded, word);
    if (at === null) return null;
    score += at.isWordStart ? Math.min(at.index, 20) : 40 + Math.min(at.index, 20);
    marks.push([at.index, at.index + word.length]);
  }
  if (!canMark) return { score, pieces: [{ text, isMatch: false }] };
  marks.sort((a, b) => a[0] - b[0]);
  const pieces: Match['pieces'] = [];
  let end = 0;
  for (const [from, to] of marks) {
    if (from < end) continue;
    if (from > end) pieces.push({ text: text.slice(end, from), isMatch: false });
    pieces.push({ text: text.slice(from, to), isMatch: true });
    end = to;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), isMatch: false });
  return { score, pieces };
}

function findWord(text: string, word: string): { index: number; isWordStart: boolean } | null {
  let inside: number | null = null;
  for (let index = text.indexOf(word); index !== -1; index = text.indexOf(word, index + 1)) {
    if (index === 0 || !/[\p{L}\p{N}]/u.test(text[index - 1] ?? '')) return { index, isWordStart: true };
    inside ??= index;
  }
  // One letter stands inside of nearly everything.
  if (word.length === 1) return null;
  return inside === null ? null : { index: inside, isWordStart: false };
}
