import { html, nothing } from 'lit/html.js';
import type { ThreadlinePanel } from '../panel-element.js';
import { icon } from './icons.js';
import { faces } from './people.js';

export const closeButton = (panel: ThreadlinePanel): unknown =>
  html`<button type="button" class="ib" aria-label=${panel.words.closeChat} @click=${() => panel.hide()}>
    ${icon('close')}
  </button>`;

/** Who is there, the menu, and what stands in the way. */
export function head(panel: ThreadlinePanel): unknown {
  const { words, client, popup } = panel;
  const { inbox } = client.session ?? {};
  const { online, agents = [] } = inbox?.availability ?? {};
  return html`<header>
      ${agents.length ? faces(agents.slice(0, 2).map(({ name }) => name)) : nothing}
      <div class="ttl">
        <h2 id="title">${inbox?.name ?? words.chatTitle}</h2>
        ${
          inbox
            ? html`<p>
                <span class=${online ? 'on' : 'off'}></span
                ><span class="cut">${online ? words.onlineNow : words.awayNow}</span>
              </p>`
            : nothing
        }
      </div>
      <button
        type="button"
        class="ib"
        id="more"
        aria-label=${words.openMenu}
        aria-expanded=${popup === 'more'}
        @click=${() => panel.toggleMenu('more')}
      >
        ${icon('more')}
      </button>
      ${closeButton(panel)}
    </header>
    ${bar(panel)}`;
}

function bar(panel: ThreadlinePanel): unknown {
  const { refusal, isOnline, session, state } = panel.client;
  if (refusal) return panel.extra?.refusal(refusal);
  // Before the first answer nothing is wrong yet, unless somebody waits for it.
  if (isOnline || (!session && !state.outbox.length)) return nothing;
  const { notConnected, keptForLater } = panel.words;
  return html`<div class="bar">
    ${icon('cloud')}<span><b>${notConnected}</b> ${keptForLater}</span>
  </div>`;
}
