import { LinkifyIt } from 'linkify-it';
import { html, type TemplateResult } from 'lit';

const linkify = new LinkifyIt({ fuzzyEmail: true, fuzzyIP: false });
linkify.add('ftp:', null).add('//', null);

/** Characters that turn the direction of what follows: they could make a link read as another one. */
const directionControls = /[\u202a-\u202e\u2066-\u2069]/g;

export type Piece = { text: string } | { text: string; href: string };

/** Plain text in pieces, links apart. Only the web and e-mail become links; all else is text, whatever it says. */
export function piecesOf(text: string): Piece[] {
  const shown = text.replace(directionControls, '');
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of linkify.match(shown) ?? []) {
    if (!/^(https?:|mailto:)/i.test(match.url)) continue;
    if (match.index > at) pieces.push({ text: shown.slice(at, match.index) });
    pieces.push({ text: match.raw, href: match.url });
    at = match.lastIndex;
  }
  if (at < shown.length) pieces.push({ text: shown.slice(at) });
  return pieces;
}

/** Paragraphs of what somebody wrote. It is text: nothing in it is ever read as markup. */
export function renderText(text: string): TemplateResult {
  return html`${text
    .split(/\n{2,}/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map(
      (paragraph) =>
        html`<p class="said" dir="auto">${piecesOf(paragraph).map((piece) =>
          'href' in piece
            ? html`<a href=${piece.href} target="_blank" rel="noopener noreferrer nofollow">${piece.text}</a>`
            : piece.text,
        )}</p>`,
    )}`;
}
