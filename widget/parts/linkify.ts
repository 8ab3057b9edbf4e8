/** A piece of text, or of text that is an address. */
export type Piece = string | { href: string; text: string };

const address = /\bhttps?:\/\/[^\s<>"'\u202a-\u202e\u2066-\u2069]+/gi;
const trailing = /[.,:;!?…'"»”]+$/;

/**
 * Splits text at web addresses. Only http and https become links; everything stays text, nothing is ever read as HTML.
 * Punctuation that ends the sentence, and a bracket that was opened before, are not part of the address.
 */
export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { 0: match, index } of text.matchAll(address)) {
    let end = match.replace(trailing, '');
    while (/[)\]]$/.test(end) && end.split(/[([]/).length < end.split(/[)\]]/).length) {
      end = end.slice(0, -1).replace(trailing, '');
    }
    if (!URL.canParse(end)) continue;
    if (index > at) pieces.push(text.slice(at, index));
    pieces.push({ href: end, text: end });
    at = index + end.length;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}
