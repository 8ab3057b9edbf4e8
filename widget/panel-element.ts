import { html, nothing } from 'lit/html.js';
import type { FileRef } from '../shared/events/parts.js';
import { byteLength, codePointLength } from '../shared/length.js';
import { limits } from '../shared/limits.js';
import type { Client } from './client.js';
import type { Extras } from './extras.js';
import { icon } from './parts/icons.js';
import { type Item, itemsOf } from './parts/items.js';
import { bubble } from './parts/message.js';
import { face, faces, type Person } from './parts/people.js';
import { timesOf } from './parts/time.js';
import { View } from './parts/view.js';
import { readKept, type Shell } from './shell.js';
import { keep } from './storage.js';
import sheetText from './styles/panel.css';
import { type Text, textsOf } from './texts/text.js';

const phone = matchMedia('(max-width: 480px)');
/** From here on older messages are asked for before the visitor reaches the top. */
const nearTop = 120;
const pinned = 60;

/**
 * The chat beside the launcher: a dialog that leaves the page usable, on phones one that fills the screen.
 * Shows what `client` knows and forwards what the visitor does; decides nothing about delivery.
 */
export class ThreadlinePanel extends View {
  client!: Client;
  shell!: Shell;

  #open = false;
  #view: 'chat' | 'list' = 'chat';
  /** A conversation's id, a `new:` thread, or null for one that has not begun. */
  #thread: string | null = null;
  #hasChosen = false;
  #isMenuOpen = false;
  #isEmojiOpen = false;
  #hasClaimed = false;
  #extras: Extras | null = null;
  #error = '';
  #newAfter = 0;
  #atBottom = true;
  #firstItem = '';
  #lastItem = '';
  #isNews = false;
  #height = 0;
  #peek: (Person & { text: string }) | null = null;

  connectedCallback(): void {
    this.dress(sheetText);
    phone.addEventListener('change', this.#fit);
    visualViewport?.addEventListener('resize', this.#fit);
  }

  disconnectedCallback(): void {
    phone.removeEventListener('change', this.#fit);
    visualViewport?.removeEventListener('resize', this.#fit);
    this.#extras?.forget();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** `byVisitor` alone moves the focus: what the site opens must not take it from what the visitor does. */
  show(byVisitor: boolean): void {
    if (!this.#open) {
      this.#open = true;
      this.#peek = null;
      this.#newAfter = this.#row?.readSeq ?? 0;
      this.shell.setOpen(true);
      this.#fit();
    }
    this.requestUpdate();
    if (byVisitor) void this.updateComplete.then(() => this.#focus());
  }

  hide(): void {
    if (!this.#open) return;
    const hadFocus = this.shell.root.activeElement === this;
    this.#open = false;
    this.#isMenuOpen = this.#isEmojiOpen = false;
    this.#fit();
    this.shell.setOpen(false);
    this.requestUpdate();
    if (hadFocus || phone.matches) this.shell.launcher.focus();
  }

  /** A message came while the chat was closed. */
  peek(conversationId: string): void {
    const event = this.client.delivery.state.threads[conversationId]?.events.findLast(
      (one) => one.kind === 'message',
    );
    if (this.#open || event?.kind !== 'message' || event.direction !== 'out') return;
    const name = this.nameOf(event.actor);
    this.#peek = { ...name, text: event.body.text || event.body.attachments[0]?.name || '' };
    this.requestUpdate();
  }

  /** Another person, or nobody: what was on the screen goes. */
  forget(): void {
    this.#thread = null;
    this.#hasChosen = this.#hasClaimed = false;
    this.#view = 'chat';
    this.#peek = null;
    this.#error = '';
    this.#extras?.forget();
    const field = this.#field;
    if (field) field.value = '';
    this.requestUpdate();
  }

  /** What few need comes with the need for it. */
  get #extra(): Extras | null {
    if (!this.#extras) void this.#loadExtras().catch((error) => this.shell.emit('error', error));
    return this.#extras;
  }

  async #loadExtras(): Promise<Extras> {
    const { createExtras } = await import('./extras.js');
    this.#extras ??= createExtras(this, { html, nothing, icon });
    this.requestUpdate();
    return this.#extras;
  }

  #attach(files: File[]): void {
    void this.#loadExtras().then((extras) => extras.attach(files));
  }

  /** Says above the composer what went wrong. */
  complain(words: string): void {
    this.#error = words;
    this.requestUpdate();
  }

  text: Text = textsOf('en');
  times = timesOf('en', this.text);

  get #field(): HTMLTextAreaElement | null {
    return this.renderRoot.querySelector('textarea');
  }

  get #row() {
    return this.client.conversations.find(({ id }) => id === this.#thread);
  }

  /** Who it is: the first name as people say it, and the face. */
  nameOf(actor: { type: string; id?: string }): Person {
    const { inbox } = this.client.session ?? {};
    const place = inbox?.availability.agents.findIndex(({ id }) => id === actor.id) ?? -1;
    const name = inbox?.availability.agents[place]?.name;
    const shown = inbox?.name ?? this.text('chat');
    return { name: name?.split(' ')[0] ?? shown, face: face(name ?? shown, place) };
  }

  /** Into what is to be filled in, else to the first button; a form that is still on its way is waited for. */
  #focus(): void {
    const { renderRoot } = this;
    if (this.#asksForEmail() && !this.#extras) {
      void this.#loadExtras()
        .then(() => this.updateComplete)
        .then(() => this.#focus());
    }
    (this.#field ?? renderRoot.querySelector<HTMLElement>('.f, button'))?.focus();
  }

  /** On phones the chat is the screen: the page under it is out of reach until it closes. */
  #fit = (): void => {
    const isFull = this.#open && phone.matches;
    document.body.inert = isFull;
    this.shell.launcher.hidden = isFull;
    this.shell.launcher.style.display = isFull ? 'none' : '';
    if (visualViewport) this.style.setProperty('--vvh', `${Math.round(visualViewport.height)}px`);
    this.requestUpdate();
  };

  protected override willUpdate(): void {
    const locale = this.shell.locale();
    this.text = textsOf(locale);
    this.times = timesOf(locale, this.text);
    const { delivery, conversations, session } = this.client;
    const begun = this.#thread === null ? undefined : delivery.state.begun[this.#thread];
    if (begun) this.#thread = begun;
    if (session && !this.#hasChosen) {
      this.#hasChosen = true;
      const waiting = delivery.state.outbox.at(-1)?.thread;
      this.#thread ??= conversations.find(({ status }) => status === 'open')?.id ?? waiting ?? null;
      this.#newAfter = this.#row?.readSeq ?? 0;
    }
    if (this.#thread && !this.#thread.startsWith('new:')) {
      if (!delivery.state.threads[this.#thread]) {
        const conversationId = this.#thread;
        queueMicrotask(() => delivery.input({ type: 'follow', conversationId }));
      }
    }
    const log = this.renderRoot.querySelector('.body');
    if (log) {
      this.#height = log.scrollHeight - log.scrollTop;
      this.#atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < pinned;
    }
  }

  protected override updated(): void {
    const log = this.renderRoot.querySelector('.body.chat');
    if (!log) return;
    // New lines pull a reader at the end along; older ones above leave the line being read where it is.
    if (this.#atBottom) log.scrollTop = log.scrollHeight;
    else if (log.scrollTop < nearTop) log.scrollTop = log.scrollHeight - this.#height;
    this.#atBottom = true;
    const row = this.#row;
    const thread = row && this.client.delivery.state.threads[row.id];
    if (
      row &&
      this.#open &&
      this.#view === 'chat' &&
      thread?.isLoaded &&
      document.visibilityState === 'visible'
    ) {
      if (thread.upTo > thread.seen && (row.unread > 0 || thread.upTo > row.readSeq)) {
        const { upTo } = thread;
        queueMicrotask(() => {
          this.client.seen(row.id, upTo);
          this.requestUpdate();
        });
      }
    }
    const field = this.#field;
    if (field && !field.dataset.restored) {
      field.dataset.restored = 'yes';
      field.value = readKept(this.shell.inboxId).drafts?.[this.#thread ?? ''] ?? '';
      this.requestUpdate();
    }
  }

  #choose(thread: string | null): void {
    this.#thread = thread;
    this.#hasChosen = true;
    this.#view = 'chat';
    this.#isMenuOpen = false;
    this.#newAfter = this.#row?.readSeq ?? 0;
    this.#lastItem = '';
    const field = this.#field;
    if (field) {
      field.value = readKept(this.shell.inboxId).drafts?.[thread ?? ''] ?? '';
    }
    this.requestUpdate();
    void this.updateComplete.then(() => this.#focus());
  }

  #keepDraft(): void {
    const drafts = { ...readKept(this.shell.inboxId).drafts, [this.#thread ?? '']: this.#field?.value ?? '' };
    keep(this.shell.inboxId, { drafts });
  }

  /** What stands against sending, in words; empty when nothing does. */
  #problem(text: string): string {
    const count = codePointLength(text);
    if (count > limits.messageCodePoints) {
      return this.text('tooLong', { limit: limits.messageCodePoints, count });
    }
    return byteLength(text) > limits.messageBytes ? this.text('tooManyBytes') : '';
  }

  #canSend(): boolean {
    const text = this.#field?.value ?? '';
    const { isReady = true, files = [] } = this.#extras?.attached() ?? {};
    return isReady && (text.trim() !== '' || files.length > 0) && !this.#problem(text);
  }

  #send(text: string = this.#field?.value ?? ''): void {
    const clientId = this.client.write(this.#thread, text.trim(), this.#extras?.attached().files ?? []);
    this.#extras?.detach();
    this.#thread ??= `new:${clientId}`;
    this.#atBottom = true;
    this.requestUpdate();
  }

  #submit = (event?: Event): void => {
    event?.preventDefault();
    if (!this.#canSend()) return;
    if (this.#thread && this.client.isOnline) this.#tellTyping(false);
    const draftOf = this.#thread ?? '';
    this.#send();
    this.#error = '';
    if (this.#field) this.#field.value = '';
    keep(this.shell.inboxId, { drafts: { ...readKept(this.shell.inboxId).drafts, [draftOf]: '' } });
    this.#field?.focus();
  };

  #tellTyping(isTyping: boolean): void {
    if (this.#thread && !this.#thread.startsWith('new:')) this.client.setTyping(this.#thread, isTyping);
  }

  #onInput = (): void => {
    const text = this.#field?.value ?? '';
    this.#error = this.#problem(text);
    this.#keepDraft();
    if (text.trim()) this.#tellTyping(true);
    this.requestUpdate();
  };

  #onKey = (event: KeyboardEvent): void => {
    // While an input method composes, Enter belongs to it (229: Safari ends composing before the key).
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      this.#submit(event);
    }
  };

  #onEscape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || event.isComposing) return;
    event.stopPropagation();
    if (!this.#isMenuOpen && !this.#isEmojiOpen) return this.hide();
    const opener = this.#isMenuOpen ? '#more' : '#smile';
    this.#isMenuOpen = this.#isEmojiOpen = false;
    this.requestUpdate();
    this.renderRoot.querySelector<HTMLElement>(opener)?.focus();
  };

  protected override render(): unknown {
    if (!this.#open) return this.#renderPeek();
    const { session } = this.client;
    const isFull = phone.matches;
    return html`<section
      class="panel ${isFull ? 'full' : ''}"
      role="dialog"
      aria-modal=${isFull ? 'true' : nothing}
      aria-labelledby="title"
      lang=${/^ru\b/i.test(this.shell.locale()) ? 'ru' : 'en'}
      dir=${getComputedStyle(document.documentElement).direction}
      @keydown=${this.#onEscape}
    >
      ${this.#view === 'list' ? this.#extra?.list((id) => this.#choose(id), this.#closeButton()) : this.#renderChat(session?.inbox)}
      <p class="hid" role="status">${this.#statusWords()}</p>
      ${
        this.#isMenuOpen
          ? this.#extra?.menu([
              ['newConversation', () => this.#choose(null)],
              ...(this.client.conversations.length
                ? [['conversations', () => this.#showList()] as const]
                : []),
              [
                'signOut',
                () => {
                  this.#isMenuOpen = false;
                  void this.client.signOut(this.shell.base);
                },
              ],
            ])
          : nothing
      }
    </section>`;
  }

  #showList(): void {
    this.#view = 'list';
    this.#isMenuOpen = false;
    this.requestUpdate();
    void this.updateComplete.then(() => this.#focus());
  }

  #renderPeek(): unknown {
    return this.#peek
      ? this.#extra?.peek(
          this.#peek,
          () => this.show(true),
          () => {
            this.#peek = null;
            this.requestUpdate();
          },
        )
      : nothing;
  }

  /** Said, not only shown: what happens to what the visitor wrote, and who types. */
  #statusWords(): string {
    const { delivery, isOnline, session, typing } = this.client;
    const last = delivery.state.outbox.at(-1);
    if (last?.state === 'refused') return this.text('notSent');
    if (!isOnline && session) return this.text('noConnection');
    if (last && last.state !== 'sent') return this.text('sending');
    const name = typing[this.#thread ?? ''];
    return name === undefined ? '' : this.text('typing', { name });
  }

  #closeButton = (): unknown =>
    html`<button type="button" class="ib" aria-label=${this.text('close')} @click=${() => this.hide()}>
      ${icon('x')}
    </button>`;

  #renderChat(
    inbox: { name: string; availability: { online: boolean; agents: { name: string }[] } } | undefined,
  ) {
    const text = this.text;
    const names = inbox?.availability.agents.map(({ name }) => name) ?? [];
    const isThere = inbox?.availability.online ?? false;
    return html`<header>
        ${names.length ? faces(names.slice(0, 2)) : nothing}
        <div class="ttl">
          <h2 id="title">${inbox?.name ?? text('chat')}</h2>
          ${
            inbox
              ? html`<p>
                  <span class=${isThere ? 'on' : 'off'}></span
                  ><span class="cut">${text(isThere ? 'online' : 'away')}</span>
                </p>`
              : nothing
          }
        </div>
        <button
          type="button"
          class="ib"
          id="more"
          aria-label=${text('menu')}
          aria-expanded=${this.#isMenuOpen}
          @click=${() => {
            this.#isMenuOpen = !this.#isMenuOpen;
            this.requestUpdate();
          }}
        >
          ${icon('more')}
        </button>
        ${this.#closeButton()}
      </header>
      ${this.#renderBar()}${this.#asksForEmail() ? this.#renderForm() : this.#renderConversation()}
      <p class="foot">Threadline</p>`;
  }

  #renderBar(): unknown {
    const { refusal, isOnline, session, delivery } = this.client;
    const text = this.text;
    if (refusal) {
      const key = refusal.code === 'protocol_too_old' ? 'reload' : 'unavailable';
      return html`<div class="bar">${icon('cloud')}<span>${text(key)}</span></div>`;
    }
    // Before the first answer nothing is wrong yet, unless somebody waits for it.
    if (isOnline || (!session && delivery.state.outbox.length === 0)) return nothing;
    return html`<div class="bar">
      ${icon('cloud')}<span><b>${text('noConnection')}</b> ${text('kept')}</span>
    </div>`;
  }

  #asksForEmail(): boolean {
    const { session } = this.client;
    return !!session?.inbox.asksForEmail && !session.identified && !this.#hasClaimed && this.#thread === null;
  }

  #renderForm(): unknown {
    const done = (): void => {
      this.#hasClaimed = true;
      this.requestUpdate();
      void this.updateComplete.then(() => this.#focus());
    };
    return html`<div class="body">${this.#extra?.form(done)}</div>`;
  }

  #renderConversation(): unknown {
    const { delivery, session, typing } = this.client;
    const thread = delivery.state.threads[this.#thread ?? ''];
    const outgoing = delivery.state.outbox.filter((item) => item.thread === this.#thread);
    const items = itemsOf(thread, outgoing, this.#newAfter, this.times.sameDay);
    const isEmpty = this.#thread === null;
    const last = items.at(-1);
    // Only a new message of theirs is announced: not history, not the visitor's own echo, not a state.
    const first = items[0]?.key ?? '';
    const end = last?.key ?? (isEmpty ? 'empty' : '');
    if (first !== this.#firstItem || end !== this.#lastItem) {
      this.#isNews = this.#lastItem !== '' && end !== this.#lastItem && last?.type === 'theirs';
      this.#firstItem = first;
      this.#lastItem = end;
    }
    const name = typing[this.#thread ?? ''];
    const place = session?.inbox.availability.agents.findIndex((agent) => agent.name === name) ?? -1;
    return html`<div
        class="body chat"
        tabindex="0"
        aria-label=${this.text('messages')}
        role="group"
        @scroll=${this.#onScroll}
      >
        ${isEmpty ? this.#renderHello() : html`<div class="top"></div>`}
        <div class="log" role="log" aria-live=${this.#isNews ? 'polite' : 'off'} aria-relevant="additions">
          ${items.map((item) => this.#renderItem(item))}
        </div>
        ${
          name === undefined
            ? nothing
            : html`<div class="m ag" aria-hidden="true">
                ${face(name, place)}
                <div class="b dots"><i></i><i></i><i></i></div>
              </div>`
        }
        ${isEmpty ? this.#renderQuick(session?.inbox.quickReplies ?? []) : nothing}
      </div>
      ${this.#renderComposer()}`;
  }

  #onScroll = (event: Event): void => {
    const { currentTarget: log } = event;
    const thread = this.client.delivery.state.threads[this.#thread ?? ''];
    if (!(log instanceof HTMLElement) || !this.#thread || !thread?.isLoaded || thread.isStart) return;
    if (log.scrollTop < nearTop && !thread.wantsOlder) {
      this.client.delivery.input({ type: 'older', conversationId: this.#thread });
    }
  };

  #renderHello(): unknown {
    const { inbox } = this.client.session ?? {};
    if (!inbox) return html`<div class="hello"></div>`;
    const { online, agents } = inbox.availability;
    const names = agents.map(({ name }) => name);
    const text = this.text;
    const joined = new Intl.ListFormat(/^ru\b/i.test(this.shell.locale()) ? 'ru' : 'en').format(
      names.slice(0, 3).map((name) => name.split(' ')[0] ?? ''),
    );
    const verb = text('isAre').split(',')[names.length > 1 ? 1 : 0] ?? '';
    const who = text('areOnline', { names: verb ? `${joined} ${verb}` : joined });
    return html`<div class="hello">
      ${names.length ? faces(names.slice(0, 3), true) : nothing}
      <p class="big" dir="auto">${inbox.greeting || text('greeting')}</p>
      <p class="now">
        <span class=${online ? 'on' : 'off'}></span>${online ? (names.length ? who : text('online')) : text('nobody')}
      </p>
    </div>`;
  }

  #renderQuick(replies: readonly string[]): unknown {
    return html`<div class="quick">
      ${replies.map(
        (reply) =>
          html`<button type="button" class="qr" dir="auto" @click=${() => this.#send(reply)}>${reply}</button>`,
      )}
    </div>`;
  }

  #files(refs: readonly FileRef[] = [], from: string = this.text('you')): unknown {
    return refs.length ? this.#extra?.files(refs, from) : nothing;
  }

  #renderItem(item: Item): unknown {
    const text = this.text;
    switch (item.type) {
      case 'day':
        return html`<p class="dsep">${this.times.day(item.at)}</p>`;
      case 'new':
        return html`<p class="dsep new">${text('newMessages')}</p>`;
      case 'status': {
        const { name } = this.nameOf(item.event.actor);
        const key = item.event.body.to === 'open' ? 'reopened' : 'closedBy';
        return html`<p class="sysn">${text(key, { name, time: this.times.time(item.event.occurredAt) })}</p>`;
      }
      case 'theirs': {
        const { event, isFirst, isLast } = item;
        const person = this.nameOf(event.actor);
        const { name } = person;
        return html`<div class="m ag">
          ${isLast ? person.face : html`<span></span>`}
          <div>
            ${
              isFirst
                ? html`<p class="nm">
                    ${name} <time datetime=${event.occurredAt}>${this.times.time(event.occurredAt)}</time>
                  </p>`
                : html`<span class="hid">${name}</span>`
            }
            ${bubble(event.erased ? text('erased') : event.body.text)}${this.#files(event.body?.attachments, name)}
          </div>
        </div>`;
      }
      case 'own': {
        const { event, state } = item;
        return html`<div class="m me">
          <span class="hid">${text('you')}</span>${bubble(event.erased ? text('erased') : event.body.text)}${this.#files(event.body?.attachments)}${
            state
              ? html`<p class="st">${icon(state === 'seen' ? 'seen' : 'check')}${text(state)}</p>`
              : nothing
          }
        </div>`;
      }
      case 'outgoing': {
        const { body } = item.item;
        return html`<div class="m me ${item.item.state === 'refused' ? 'fail' : item.item.state === 'sent' ? '' : 'waiting'}">
          <span class="hid">${text('you')}</span>${bubble(body.text)}${this.#files(body.attachments)}${
            item.shows ? this.#renderState(item.item) : nothing
          }
        </div>`;
      }
    }
  }

  #renderState(item: { clientId: string; state: string; error?: { code: string } }): unknown {
    const text = this.text;
    const { delivery, isOnline } = this.client;
    if (item.state === 'refused') {
      const isBlocked = item.error?.code === 'blocked';
      return html`<p class="st">
        ${icon('alert')}${isBlocked ? text('blocked') : text('notSent')}
        <button
          type="button"
          class="lk"
          @click=${() => delivery.input({ type: 'retry', clientId: item.clientId })}
        >
          ${text('tryAgain')}
        </button>
        <button
          type="button"
          class="lk"
          @click=${() => delivery.input({ type: 'discard', clientId: item.clientId })}
        >
          ${text('remove')}
        </button>
      </p>`;
    }
    if (item.state === 'sent') return html`<p class="st">${icon('check')}${text('sent')}</p>`;
    return html`<p class="st">${icon('clock')}${text(isOnline ? 'sending' : 'waiting')}</p>`;
  }

  #renderComposer(): unknown {
    const text = this.text;
    const isRefused = this.client.refusal !== null;
    return html`${this.#extras?.uploads()}
      ${
        this.#error
          ? html`<p class="err" id="problem" role="alert">${icon('alert')}${this.#error}</p>`
          : nothing
      }
      <form class="comp" @submit=${this.#submit}>
        <input
          type="file"
          multiple
          hidden
          @change=${(event: Event) => {
            if (!(event.target instanceof HTMLInputElement)) return;
            this.#attach([...(event.target.files ?? [])]);
            event.target.value = '';
          }}
        />
        <button
          type="button"
          class="ib"
          aria-label=${text('attach')}
          @click=${() => this.renderRoot.querySelector<HTMLInputElement>('[type=file]')?.click()}
        >
          ${icon('clip')}
        </button>
        <textarea
          rows="1"
          dir="auto"
          enterkeyhint="send"
          aria-label=${text('write')}
          placeholder=${text('write')}
          aria-invalid=${this.#error ? 'true' : nothing}
          aria-describedby=${this.#error ? 'problem' : nothing}
          ?disabled=${isRefused}
          @input=${this.#onInput}
          @keydown=${this.#onKey}
          @paste=${(event: ClipboardEvent) => {
            const pasted = event.clipboardData?.files;
            if (!pasted?.length) return;
            event.preventDefault();
            this.#attach([...pasted]);
          }}
        ></textarea>
        <button
          type="button"
          class="ib"
          id="smile"
          aria-label=${text('emoji')}
          aria-expanded=${this.#isEmojiOpen}
          @click=${() => {
            this.#isEmojiOpen = !this.#isEmojiOpen;
            this.requestUpdate();
          }}
        >
          ${icon('smile')}
        </button>
        <button class="send" aria-label=${text('send')} aria-disabled=${!this.#canSend()}>${icon('up')}</button>
        ${this.#isEmojiOpen ? this.#extra?.emoji((one) => this.#insert(one)) : nothing}
      </form>`;
  }

  #insert(one: string): void {
    const field = this.#field;
    this.#isEmojiOpen = false;
    field?.focus();
    field?.setRangeText(one, field.selectionStart, field.selectionEnd, 'end');
    this.#onInput();
  }
}
