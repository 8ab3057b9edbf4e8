import { html, nothing, type TemplateResult } from 'lit/html.js';

/**
 * Web addresses in text: http and https alone. Brackets belong to one when they open and close in it; punctuation that
 * ends the sentence, and marks that turn the direction of text, never do.
 */
const address =
  /(\bhttps?:\/\/(?:\([^\s()]*\)|\[[^\s[\]]*\]|[^\s<>"'()[\]\u202a-\u202e\u2066-\u2069])+(?<![.,:;!?…»”]))/gi;

/** Text as text nodes, addresses as links that open apart and tell nothing of this page. Nothing is read as HTML. */
const said = (text: string): unknown =>
  text
    .split(address)
    .map((piece, place) =>
      place % 2 && URL.canParse(piece)
        ? html`<a href=${piece} target="_blank" rel="noopener noreferrer nofollow">${piece}</a>`
        : piece,
    );

export const bubble = (text: string): TemplateResult | typeof nothing =>
  text ? html`<div class="b" dir="auto">${said(text)}</div>` : nothing;
