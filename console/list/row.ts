import { html, nothing } from 'lit';
import { channelColour, channelIcon, icon } from '../parts/icon.js';
import { face, waitRing } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { addressOf } from '../router.js';
import { agentOf } from '../state/console.js';
import { phone } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { exactTime, rowTime } from '../texts/time.js';
import { inboxRouteOf } from './actions.js';
import { waitingShare } from './reduce.js';

/** One conversation of the list: three lines, two when compact. */
class Row extends View {
  static override properties = {
    ...View.properties,
    rowId: { attribute: false },
    index: { attribute: false },
    isOpen: { attribute: false },
    isFirst: { attribute: false },
    isLeaving: { attribute: false },
  };
  declare rowId: string;
  declare index: number;
  declare isOpen: boolean;
  /** The one that Tab comes to when none is open. */
  declare isFirst: boolean;
  declare isLeaving: boolean;

  protected override watched() {
    const { rows, agents, clock, drafts } = this.app;
    return [rows.of(this.rowId), agents, clock, drafts.beginnings];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.setAttribute('role', 'presentation');
  }

  protected override render() {
    const { app } = this;
    const row = app.rows.of(this.rowId).get();
    const route = inboxRouteOf(app);
    if (!row || !route) return nothing;
    const now = app.clock.get();
    const wait = waitingShare(row, now);
    const isMissed = row.channel === 'phone' && row.outcome !== undefined && row.outcome !== 'answered';
    const draft = app.drafts.beginnings.get().get(row.id);
    // A call has no subject but what became of it. A chat that has but its first words gives them both lines.
    const isCall = row.channel === 'phone' && row.outcome !== undefined;
    const subject = isCall && row.outcome ? t(`row.call_${row.outcome}`) : row.subject;
    const snippet = isCall ? phone(row.subject) : row.snippet;
    const isPlain = (subject === '' || subject === snippet) && !draft;
    const { timeline: _timeline, ...place } = route;
    return html`<a
      class="row ${row.unread > 0 ? 'unread' : ''} ${this.isLeaving ? 'leaving' : ''}"
      role="option"
      href=${addressOf({ ...place, conversationId: row.id })}
      aria-selected=${this.isOpen}
      tabindex=${this.isOpen || this.isFirst ? 0 : -1}
      @dragstart=${(event: Event) => event.preventDefault()}
    >
      <span class="ch ${channelColour[row.channel]}" title=${t(`channel.${row.channel}`)}>${icon(isMissed ? 'phone-missed' : channelIcon[row.channel])}<span class="vh">${t(`channel.${row.channel}`)}</span></span>
      <span class="l1"
        ><span class="who cut" dir="auto">${row.contact.name ?? t('contact.unnamed')}</span
        ><span class="meta"
          >${wait ? waitRing(wait) : html`<time datetime=${row.lastAt} title=${exactTime(row.lastAt)}>${rowTime(row.lastAt, new Date(now))}</time>`}</span
        ></span
      >
      <span class="sub ${isPlain ? 'plain' : 'cut'}" dir="auto">${draft ? html`<span class="draft c">${t('row.draft')}</span> ` : nothing}${subject || snippet}</span>
      ${face(row.assigneeId === null ? null : { id: row.assigneeId, name: agentOf(app, row.assigneeId)?.name ?? null })}
      ${isPlain ? nothing : html`<span class="snip cut" dir="auto">${draft ? html`<span class="draft">${t('row.draft')}</span> ${draft}` : snippet}</span>`}
      ${row.unread > 0 ? html`<span class="vh">${t('row.unread', { count: row.unread })}</span>` : nothing}
    </a>`;
  }
}
customElements.define('tl-row', Row);
