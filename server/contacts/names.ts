/** How names are compared: by eye a person would call these the same, so the store's keys must too. */

const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replaceAll('ё', 'е');

const wordsKept = 8;

/** The words of a name, for a search by their beginnings. */
export function nameWords(name: string | null | undefined): string[] {
  if (!name) return [];
  return [
    ...new Set(
      plain(name)
        .split(/[^\p{L}\p{N}]+/u)
        .filter(Boolean),
    ),
  ].slice(0, wordsKept);
}

const legalForms = new Set([
  'ltd',
  'llc',
  'inc',
  'gmbh',
  'ag',
  'sa',
  'sarl',
  'plc',
  'co',
  'corp',
  'bv',
  'oy',
  'ooo',
  'ооо',
  'ао',
]);

/** A company without its legal form and its punctuation; null when nothing is left. */
export function companyKey(company: string | null | undefined): string | null {
  const words = nameWords(company).filter((word) => !legalForms.has(word));
  return words.length > 0 ? words.join(' ') : null;
}

/** Longer names are told apart by their beginnings anyway; the comparison costs length times length. */
const compared = 60;

/** Near the same name: the same words in any order, an initial for a word, or one slip of the keyboard in eight letters. */
export function isNearName(a: string, b: string): boolean {
  const [left, right] = [nameWords(a), nameWords(b)];
  if (left.length === 0 || right.length === 0) return false;
  const [first, second] = [left.toSorted().join(' '), right.toSorted().join(' ')];
  if (first === second || initialsFit(left, right)) return true;
  const [x, y] = [first.slice(0, compared), second.slice(0, compared)];
  const length = Math.max(x.length, y.length);
  return length >= 5 && distance(x, y) <= Math.max(1, Math.floor(length / 8));
}

/** "D. Okafor" and "Daniel Okafor": one word in common and every other an initial of its partner. */
function initialsFit(left: string[], right: string[]): boolean {
  if (left.length !== right.length || left.length < 2) return false;
  let whole = 0;
  const fits = left.every((word, index) => {
    const other = right[index] ?? '';
    if (word === other) {
      whole += 1;
      return true;
    }
    return (word.length === 1 && other.startsWith(word)) || (other.length === 1 && word.startsWith(other));
  });
  return fits && whole > 0;
}

/** Insertions, deletions and exchanges that make one of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const exchange = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, exchange));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
