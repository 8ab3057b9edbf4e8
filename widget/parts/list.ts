import type { Kit } from '../extras.js';
import type { ThreadlinePanel } from '../panel-element.js';
import { type ExtrasTexts, localesOf } from '../texts/text.js';

/** The visitor's conversations, the newest first. */
export function list(
  panel: ThreadlinePanel,
  { html, nothing }: Kit,
  words: ExtrasTexts,
  closeButton: unknown,
) {
  const { client, times } = panel;
  const locales = localesOf(panel.shell.locale());
  const weekday = new Intl.DateTimeFormat(locales, { weekday: 'short' });
  const date = new Intl.DateTimeFormat(locales, { day: 'numeric', month: 'short' });
  /** The time today, the weekday within a week, then the date. */
  const brief = (at: string): string => {
    const days = times.daysAgo(at);
    return days === 0 ? times.time(at) : (days < 7 ? weekday : date).format(new Date(at));
  };
  const rows = client.conversations.map(({ id, subject, unread, lastAt, status }) => {
    const message = client.state.threads[id]?.events.findLast((event) => event.kind === 'message');
    const said = message?.kind === 'message' && !message.erased ? message.body.text : '';
    const { face } = panel.nameOf(message?.direction === 'out' ? message.actor : {});
    return html`<button type="button" class="li ${unread ? 'un' : ''}" @click=${() => panel.choose(id)}>
      ${face}
      <span class="l2"
        ><span class="r1"
          ><b class="cut" dir="auto">${subject || words.noSubject}</b
          ><time datetime=${lastAt}>${brief(lastAt)}</time></span
        ><span class="r2"
          ><span class="cut" dir="auto">${said || (status === 'closed' ? words.isClosed : '')}</span
          >${unread ? html`<span class="cnt">${unread}</span>` : nothing}</span
        ></span
      >
    </button>`;
  });
  return html`<header>
      <div class="ttl"><h2 id="title">${words.yourConversations}</h2></div>
      ${closeButton}
    </header>
    <div class="body lst">${rows}</div>
    <div class="begin">
      <button type="button" class="btn" @click=${() => panel.choose(null)}>${words.newConversation}</button>
    </div>`;
}
