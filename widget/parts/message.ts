import { html, nothing, type TemplateResult } from 'lit/html.js';

/**
 * Web addresses in text: http and https alone. Brackets belong to one when they open and close in it; punctuation that
 * ends the sentence, and marks that turn the direction of text, never do.
 */
const address =
  /(\bhttps?:\/\/(?:\([^\s()]*\)|\[[^\s[\]]*\]|[^\s<>"'()[\]\u202a-\u202e\u2066-\u2069])+(?<![.,:;!?…»”]))/gi;

/** Opens apart and tells nothing of this page. */
export const link = (href: string, words: string): TemplateResult =>
  html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow">${words}</a>`;

/** Text as text nodes, addresses as links. Nothing is read as HTML. */
export const said = (text: string): unknown =>
  text.split(address).map((piece, place) => (place % 2 && URL.canParse(piece) ? link(piece, piece) : piece));

/** What may be formatted: drawing that is in the extras. Until they are there, and for all else, it is text. */
const marks = /^ *(\d+[.)]|[-*•])\s|\*\*|`|]\(/m;

export const bubble = (text: string, format?: (text: string) => unknown): TemplateResult | typeof nothing =>
  text
    ? html`<div class="b" dir="auto">${(format && marks.test(text) && format(text)) || said(text)}</div>`
    : nothing;
