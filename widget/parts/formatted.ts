import { blocksOf, spansOf } from '../../shared/formatted.js';
import type { Kit } from '../extras.js';

/** What an agent wrote, with its little formatting. */
export function formatted({ html, link, said }: Kit, text: string): unknown {
  const spans = (line: string): unknown =>
    spansOf(line).map(({ text: words, bold, code, href }) => {
      if (href) return link(href, words);
      if (code) return html`<code>${words}</code>`;
      return bold ? html`<b>${said(words)}</b>` : said(words);
    });
  return blocksOf(text).map(({ list, texts }) => {
    if (list === undefined) return texts.map((one) => html`<p>${spans(one)}</p>`);
    const items = texts.map((one) => html`<li>${spans(one)}</li>`);
    return list >= 0 ? html`<ol start=${list}>${items}</ol>` : html`<ul>${items}</ul>`;
  });
}
