import { LinkifyIt } from 'linkify-it';
import { html, type TemplateResult } from 'lit';
import { blocksOf, spansOf } from '../../shared/formatted.js';

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

const linked = (text: string): unknown =>
  piecesOf(text).map((piece) => ('href' in piece ? link(piece.href, piece.text) : piece.text));

const link = (href: string, text: string): TemplateResult =>
  html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow">${text}</a>`;

const spans = (line: string): unknown =>
  spansOf(line.replace(directionControls, '')).map(({ text, bold, code, href }) => {
    if (href) return link(href, text);
    if (code) return html`<code>${text}</code>`;
    return bold ? html`<b>${linked(text)}</b>` : linked(text);
  });

/** What a colleague wrote, with its little formatting: as the customer's widget shows it. */
export function renderFormatted(text: string): TemplateResult {
  return html`${blocksOf(text).map(({ list, texts }) => {
    if (list === undefined) return texts.map((one) => html`<p class="said" dir="auto">${spans(one)}</p>`);
    const items = texts.map((one) => html`<li dir="auto">${spans(one)}</li>`);
    return list >= 0
      ? html`<ol class="said" start=${list}>${items}</ol>`
      : html`<ul class="said">${items}</ul>`;
  })}`;
}

/** Paragraphs of what somebody else wrote. It is text: nothing in it is ever read as markup. */
export function renderText(text: string): TemplateResult {
  return html`${text
    .split(/\n{2,}/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map((paragraph) => html`<p class="said" dir="auto">${linked(paragraph)}</p>`)}`;
}
