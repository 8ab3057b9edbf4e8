import { html, nothing, type TemplateResult } from 'lit/html.js';
import { linkify } from './linkify.js';

/** Text as text nodes, addresses as links that open apart and tell nothing of this page. */
const words = (text: string): unknown =>
  linkify(text).map((piece) =>
    typeof piece === 'string'
      ? piece
      : html`<a href=${piece.href} target="_blank" rel="noopener noreferrer nofollow">${piece.text}</a>`,
  );

export const bubble = (text: string): TemplateResult | typeof nothing =>
  text ? html`<div class="b" dir="auto">${words(text)}</div>` : nothing;
