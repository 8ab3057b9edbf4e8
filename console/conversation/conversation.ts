import { html, nothing, type PropertyValues } from 'lit';
import { keyed } from 'lit/directives/keyed.js';
import { repeat } from 'lit/directives/repeat.js';
import { setBlocked } from '../contact/actions.js';
import { inboxRouteOf } from '../list/actions.js';
import { failure } from '../parts/failure.js';
import { icon } from '../parts/icon.js';
import { box, face } from '../parts/marks.js';
import type { Menu } from '../parts/menu.js';
import { View } from '../parts/view.js';
import { firstName, meOf } from '../state/console.js';
import { t } from '../texts/text.js';
import { dayAnchor } from '../texts/time.js';
import '../timeline/strip.js';
import { assign, changeStatus, markRead, openConversation } from './actions.js';
import './composer.js';
import { head, isBlocked } from './head.js';
import { type Item, itemsOf } from './items.js';
import type { Outgoing } from './log.js';
import { call, email, type SaidContext, said, systemLine } from './said.js';
import { renderText } from './text.js';

/** A conversation: its head, what was said, and the composer under it. */
class ConversationPane extends View {
  static override properties = {
    ...View.properties,
    conversationId: { attribute: false },
    unfolded: { state: true },
    newAfter: { state: true },
    missedBelow: { state: true },
  };
  declare conversationId: string;
  declare unfolded: ReadonlySet<string>;
  /** How far this agent had read when the conversation was opened: the line `New` stands after it. */
  declare newAfter: number;
  /** Said below while one reads further up. */
  declare missedBelow: number;

  #stopKeys: (() => void) | undefined;
  #opened: string | null = null;
  #atEnd = true;
  #lastKey = '';
  #olderFrom: number | null = null;

  constructor() {
    super();
    this.unfolded = new Set();
    this.newAfter = 0;
    this.missedBelow = 0;
  }

  protected override watched() {
    const { details, logs, rows, agents, clock, viewers, typing, inboxes } = this.app;
    const id = this.conversationId;
    return [details.of(id), logs.of(id), rows.of(id), agents, clock, viewers.of(id), typing.of(id), inboxes];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { app } = this;
    this.#stopKeys = app.keys.handle({
      back: () => this.#back(),
      reply: () => this.#write('reply'),
      note: () => this.#write('note'),
      close: () => void changeStatus(app, this.conversationId, 'closed'),
      reopen: () => void changeStatus(app, this.conversationId, 'open'),
      spam: () => void changeStatus(app, this.conversationId, 'spam'),
      assign: () => this.querySelector<Menu>('tl-menu.assign')?.open(),
      'assign-me': () => void assign(app, this.conversationId, meOf(app).id),
      block: () => this.#block(),
    });
    document.addEventListener('visibilitychange', this.#tellView);
    addEventListener('focus', this.#onFocus);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopKeys?.();
    this.#keepEnd.disconnect();
    this.#observed = null;
    document.removeEventListener('visibilitychange', this.#tellView);
    removeEventListener('focus', this.#onFocus);
    this.#opened = null;
    this.app.live.request('view', { conversationId: null, active: false }).catch(() => undefined);
  }

  protected override willUpdate(): void {
    super.willUpdate();
    if (this.#opened === this.conversationId) return;
    this.#opened = this.conversationId;
    this.#atEnd = true;
    this.#lastKey = '';
    this.#olderFrom = null;
    this.missedBelow = 0;
    this.unfolded = new Set();
    this.#readSeqAtOpen = this.app.rows.of(this.conversationId).get()?.readSeq ?? null;
    this.newAfter = this.#readSeqAtOpen ?? 0;
    void openConversation(this.app, this.conversationId).then(() => {
      if (this.newAfter === 0) this.newAfter = this.#readSeqAtOpen ?? 0;
    });
    this.#tellView();
  }
  #readSeqAtOpen: number | null = null;

  /** The composer grew, a picture came: the end stays in sight for whoever stood there. */
  #keepEnd = new ResizeObserver(() => {
    const log = this.querySelector<HTMLElement>('.log');
    if (log && this.#stoodAtEnd) log.scrollTop = log.scrollHeight;
  });
  #stoodAtEnd = false;
  #observed: Element | null = null;

  protected override updated(_changed: PropertyValues): void {
    const log = this.querySelector<HTMLElement>('.log');
    if (!log) return;
    if (this.#observed !== log) {
      this.#observed = log;
      this.#keepEnd.disconnect();
      this.#keepEnd.observe(log);
      log.addEventListener('load', () => this.#stoodAtEnd && log.scrollTo({ top: log.scrollHeight }), true);
    }
    const state = this.app.logs.of(this.conversationId).get();
    const first = state.events[0]?.seq ?? null;
    // Older ones came above: what one reads stays where it is.
    if (this.#olderFrom !== null && first !== null && first < this.#olderFrom) {
      log.scrollTop += log.scrollHeight - this.#heightBefore;
      this.#olderFrom = null;
    }
    const lastKey = `${state.events.at(-1)?.id ?? ''}/${state.outgoing.length}/${state.isLoaded}`;
    if (lastKey !== this.#lastKey) {
      const wasEmpty = this.#lastKey === '' || this.#lastKey.endsWith('false');
      this.#lastKey = lastKey;
      if (this.#atEnd || wasEmpty) this.#toEnd(log, wasEmpty);
      else if (state.isLoaded) this.missedBelow += 1;
    }
    this.#seen();
  }

  #toEnd(log: HTMLElement, isOpening: boolean): void {
    const line = isOpening ? log.querySelector<HTMLElement>('.day.new') : null;
    log.scrollTop = log.scrollHeight;
    // A long absence: begin where it began.
    if (line && line.offsetTop < log.scrollTop) log.scrollTop = line.offsetTop - 48;
    this.#onScroll();
  }

  #onFocus = () => this.#seen();

  /** Read only when it was seen: the end of it on a page that somebody looks at. */
  #seen(): void {
    if (this.#atEnd && document.visibilityState === 'visible' && document.hasFocus())
      markRead(this.app, this.conversationId);
  }

  #tellView = () => {
    this.app.live
      .request('view', {
        conversationId: this.conversationId,
        active: document.visibilityState === 'visible',
      })
      .catch(() => undefined);
    this.#seen();
  };

  #heightBefore = 0;
  #onScroll = () => {
    const log = this.querySelector<HTMLElement>('.log');
    if (!log) return;
    this.#atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    this.#stoodAtEnd = this.#atEnd;
    if (this.#atEnd && this.missedBelow > 0) this.missedBelow = 0;
    this.#seen();
    const state = this.app.logs.of(this.conversationId).get();
    if (log.scrollTop < 400 && state.isLoaded && !state.isStart && this.#olderFrom === null) {
      this.#olderFrom = state.events[0]?.seq ?? null;
      this.#heightBefore = log.scrollHeight;
      this.app.sync.older(this.conversationId);
    }
  };

  #back(): void {
    const focused = document.activeElement;
    if (focused instanceof HTMLElement && this.contains(focused) && focused.closest('.composer')) {
      this.querySelector<HTMLElement>('.log')?.focus();
      return;
    }
    const route = inboxRouteOf(this.app);
    if (!route) return;
    const { conversationId: _open, timeline: _timeline, ...list } = route;
    this.app.go(list);
  }

  #write(mode: 'reply' | 'note'): void {
    this.querySelector<HTMLElement & { write(mode: 'reply' | 'note'): void }>('tl-composer')?.write(mode);
  }

  #block(): void {
    const row = this.app.rows.of(this.conversationId).get();
    if (row)
      void setBlocked(this.app, row.contact.id, !isBlocked(this.app, row.id)).then(() =>
        openConversation(this.app, this.conversationId),
      );
  }

  protected override render() {
    const { app } = this;
    const detail = app.details.of(this.conversationId).get();
    const row = app.rows.of(this.conversationId).get();
    const log = app.logs.of(this.conversationId).get();
    if (this.#readSeqAtOpen === null && row) this.#readSeqAtOpen = row.readSeq;
    const error = detail.state === 'failed' ? detail.error : log.error;
    if (error && (!row || !log.isLoaded))
      return html`${head(app, this.conversationId, () => this.#block())}${failure(
        error,
        { title: t('conversation.failed') },
        () => {
          app.details.of(this.conversationId).set({ state: 'loading' });
          void openConversation(app, this.conversationId);
        },
      )}`;
    return html`
      ${head(app, this.conversationId, () => this.#block())}
      ${row ? html`<tl-strip .app=${app} .contactId=${row.contact.id} .name=${row.contact.name}></tl-strip>` : nothing}
      ${
        log.isLoaded
          ? keyed(
              this.conversationId,
              html`<div class="scroll log" role="log" tabindex="0" aria-label=${t('conversation.log')} @scroll=${this.#onScroll}>
                ${log.isStart ? nothing : html`<p class="sys">${t('conversation.older')}</p>`}
                ${repeat(
                  itemsOf(log.events, log.outgoing, this.newAfter),
                  (item) => item.key,
                  (item) => this.#item(item),
                )}
              </div>`,
            )
          : html`<div class="scroll log late" aria-busy="true">${skeleton}</div>`
      }
      ${
        this.missedBelow > 0
          ? html`<button class="chip new below" type="button" @click=${() => {
              const scroller = this.querySelector<HTMLElement>('.log');
              if (scroller) this.#toEnd(scroller, false);
            }}>${icon('chevron-down', 'xs')}${t('conversation.below')}</button>`
          : nothing
      }
      <div role="status">${this.#others()}</div>
      <tl-composer .app=${app} .conversationId=${this.conversationId}></tl-composer>
    `;
  }

  #item(item: Item) {
    const { app } = this;
    const context: SaidContext = {
      app,
      row: app.rows.of(this.conversationId).get(),
      readByCustomer: app.logs.of(this.conversationId).get().readByCustomer,
      unfolded: this.unfolded,
      toggle: (key) => {
        // What cleans a stranger's HTML comes only when it is asked for.
        if (key.startsWith('sheet/')) void import('./mail-sheet.js');
        const next = new Set(this.unfolded);
        if (!next.delete(key)) next.add(key);
        this.unfolded = next;
      },
    };
    switch (item.type) {
      case 'day': {
        const { title, beside } = dayAnchor(item.at, new Date(app.clock.get()));
        return html`<div class="day" title=${beside || nothing}>${title}</div>`;
      }
      case 'new':
        return html`<div class="day new">${t('conversation.new')}</div>`;
      case 'said':
        return said(context, item);
      case 'email':
        return email(context, item);
      case 'call':
        return call(context, item);
      case 'system':
        return systemLine(context, item.event);
      case 'outgoing':
        return this.#outgoing(item.message);
    }
  }

  /** One's own message on its way: waiting, going, or not sent and kept. */
  #outgoing(message: Outgoing) {
    const { app } = this;
    const me = meOf(app);
    const isFailed = message.state === 'failed';
    const state = isFailed
      ? html`<span class="st">${icon('triangle-alert', 'xs')}${t('message.not_sent', { reason: message.error ? t(`error.${message.error.code}`) : '' })}</span>`
      : html`<span class="st">${icon('clock', 'xs')}${t(app.live.online.get() ? 'message.sending' : 'message.waiting')}</span>`;
    return html`<article class="msg ${message.mode === 'note' ? 'note' : 'ours'} ${isFailed ? 'fail' : ''}" role=${isFailed ? 'alert' : nothing}>
      ${face(me, { size: 'm' })}
      <div>
        <p class="hd"><b>${me.name}</b>${message.mode === 'note' ? html`${icon('lock', 'xs')}<span>${t('note.private')}</span>` : nothing}${state}</p>
        ${renderText(message.text)}${message.attachments.map((file) => html`<p class="cap">${file.name}</p>`)}
        ${
          isFailed
            ? html`<p class="acts">
                <button class="btn" type="button" @click=${() => app.sync.retry(message.clientId)}>${t('message.retry')}</button>
                <button class="btn ghost" type="button" @click=${() => this.#takeBack(message.clientId)}>${t('message.edit')}</button>
              </p>`
            : nothing
        }
      </div>
    </article>`;
  }

  #takeBack(clientId: string): void {
    const message = this.app.sync.discard(clientId);
    if (!message) return;
    const old = this.app.drafts.read(this.conversationId, message.mode);
    this.app.drafts.write(this.conversationId, message.mode, old ? `${message.text}\n${old}` : message.text);
    this.#write(message.mode);
  }

  /** Who else is here, and who writes. */
  #others() {
    const { app } = this;
    const typing = app.typing.of(this.conversationId).get();
    const viewers = app.viewers.of(this.conversationId).get();
    const writer = viewers.find((one) => one.typing);
    if (writer)
      return html`<p class="collide">${face(writer)}${t('conversation.answering', { name: firstName(writer.name) })}</p>`;
    if (typing && typing.until > app.clock.get())
      return html`<p class="collide typing"><i></i><i></i><i></i>${t('conversation.typing', { name: firstName(typing.name) })}</p>`;
    const [viewer] = viewers;
    if (!viewer) return nothing;
    return html`<p class="collide">${face(viewer)}${
      viewers.length > 1
        ? t('conversation.looking_many', { name: firstName(viewer.name), count: viewers.length - 1 })
        : t('conversation.looking', { name: firstName(viewer.name) })
    }</p>`;
  }
}
customElements.define('tl-conversation', ConversationPane);

const skeleton = [
  [120, 380, 410, 220],
  [120, 400, 190],
  [120, 340, 420, 390, 120],
].map(
  (lines) =>
    html`<div class="msg sk-msg" aria-hidden="true"><i class="sk sk-face"></i><div>${lines.map((width, index) => box(width, 10, index === 0 ? 0 : 9))}</div></div>`,
);
