import type { DemoCustomer } from './session.js';
import { type DemoLanguage, demoText } from './texts.js';

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const html = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? '');

/** A bicycle in lines, drawn in the colour of its surroundings. */
const bike = (
  className: string,
): string => `<svg class="${className}" viewBox="0 0 220 120" fill="none" stroke="currentColor"
  stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <circle cx="48" cy="82" r="32"/><circle cx="172" cy="82" r="32"/><circle cx="104" cy="84" r="7"/>
  <path d="M48 82 82 36h62L104 84 78 30M48 82h56M144 36l28 46M144 36l-5-14h16M66 30h24"/>
</svg>`;

/** The shop's own icon. */
export const demoIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 34 34" fill="none" stroke="#b4452c" stroke-width="3"><circle cx="8" cy="21" r="6"/><circle cx="26" cy="21" r="6"/><path d="m8 21 6-10h8l4 10"/></svg>`;

export interface DemoPage {
  language: DemoLanguage;
  publicUrl: string;
  inboxId: string | null;
  customer: DemoCustomer | null;
  /** Signed by the shop's back end for the customer that is signed in. */
  identityToken: string | null;
}

/** The shop's page: plain HTML, with the widget installed by its public snippet and nothing else. */
export function demoPage(page: DemoPage): string {
  const text = (key: Parameters<typeof demoText>[1], values?: Record<string, string>): string =>
    html(demoText(page.language, key, values));
  const item = (name: 'ridgeline' | 'harbour' | 'lark', className: string, price: string): string =>
    `<li>${bike(className)}<h3>${text(`bike.${name}`)} <span>${text('from')} ${price}</span></h3>
      <p>${text(`bike.${name}.about`)}</p></li>`;
  const account = page.customer
    ? `<p>${text('signedIn', { name: page.customer.name })} · <a href="/demo/sign-out">${text('signOut')}</a></p>`
    : '';
  return `<!doctype html>
<html lang="${page.language}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${text('title')}</title>
    <link rel="icon" type="image/svg+xml" href="/demo/icon.svg">
    <link rel="stylesheet" href="/demo/style.css">
  </head>
  <body>
    <header>
      <b><svg width="34" height="20" viewBox="0 0 34 20" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true"><circle cx="7" cy="13" r="6"/><circle cx="27" cy="13" r="6"/><path d="m7 13 6-9h9l5 9"/></svg>${text('title')}</b>
      ${account}
    </header>
    <main>
      <section class="hero">
        <div><h1>${text('tagline')}</h1><p>${text('lead')}</p><a class="go" href="#bikes">${text('visit')}</a></div>
        ${bike('b0')}
      </section>
      <h2 id="bikes">${text('bikes')}</h2>
      <ul class="bikes">${item('ridgeline', 'b1', '€1,290')}${item('harbour', 'b2', '€2,980')}${item('lark', 'b3', '€840')}</ul>
      <h2>${text('workshop')}</h2>
      <p class="shop">${text('workshop.about')}</p>
    </main>
    <footer>${page.inboxId === null ? text('noInbox', { origin: page.publicUrl }) : text('note')}</footer>
    ${page.inboxId === null ? '' : snippet(page.publicUrl, page.inboxId, page.identityToken)}
  </body>
</html>
`;
}

/** The public snippet, as a site would hold it. */
function snippet(publicUrl: string, inboxId: string, identityToken: string | null): string {
  const identity = identityToken === null ? '' : ` data-identity-token="${html(identityToken)}"`;
  return `<script src="${html(publicUrl)}/threadline.js" data-inbox="${html(inboxId)}"${identity} async></script>`;
}
