import { html, nothing } from 'lit/html.js';
import type { Client, Known } from './client.js';
import type { Extras } from './extras.js';
import { composer } from './parts/composer.js';
import { conversation } from './parts/conversation.js';
import { closeButton, head } from './parts/head.js';
import { icon, iconOf } from './parts/icons.js';
import { link, said } from './parts/message.js';
import { type Person, personOf } from './parts/people.js';
import { type Place, placeOf, takePlace } from './parts/scroll.js';
import { timesOf } from './parts/time.js';
import { View } from './parts/view.js';
import { readKept, type Shell } from './shell.js';
import { keep } from './storage.js';
import sheetText from './styles/panel.css';
import { en } from './texts/en.js';
import { isRussian, localesOf, type Texts, textsOf } from './texts/text.js';

const phone = matchMedia('(max-width: 480px)');

/**
 * The chat beside the launcher: a dialog that leaves the page usable, on phones one that fills the screen.
 * Shows what `client` knows and forwards what the visitor does; decides nothing about delivery.
 */
export class ThreadlinePanel extends View {
  /** There from the first opening on. */
  client!: Client;
  shell!: Shell;
  words: Texts = en;
  times = timesOf(['en'], en);
  /** What few need, once there was a need for it. */
  extras: Extras | undefined;

  isOpen = false;
  isList = false;
  /** The id of the button whose menu is open. */
  popup = '';
  /** A conversation's id, a `new:` thread, or null for one that has not begun. */
  thread: string | null = null;
  /** How far it was read when it was opened. */
  newAfter = 0;
  /** Whether the newest line of the log came after the log was first shown, and is theirs. */
  isNews = false;
  ends: readonly [first: string, last: string] = ['', ''];
  #loading: Promise<Extras> | undefined;
  #hasChosen = false;
  #hasClaimed = false;
  /** Whose message came while the chat was closed. */
  #peeked = '';
  #place: Place | undefined;
  /** Goes to the end with the next drawing, wherever the reader was. */
  #toEnd = true;
  /** The field that holds the draft of `thread`. */
  #filled: HTMLTextAreaElement | undefined;
  readonly #ended = new AbortController();

  connectedCallback(): void {
    const { signal } = this.#ended;
    this.dress(sheetText);
    phone.addEventListener('change', this.#fit, { signal });
    visualViewport?.addEventListener('resize', this.#fit, { signal });
    // Whatever the visitor did may have changed what is shown.
    for (const type of ['click', 'input', 'keydown', 'submit']) {
      this.renderRoot.addEventListener(type, () => this.requestUpdate());
    }
  }

  disconnectedCallback(): void {
    this.#ended.abort();
    this.extras?.forget();
  }

  /** `byVisitor` alone moves the focus: what the site opens must not take it from what the visitor does. */
  show(byVisitor: boolean): void {
    if (!this.isOpen) {
      this.isOpen = true;
      this.#peeked = '';
      this.#markRead();
      this.shell.setOpen(true);
    }
    this.#fit();
    if (byVisitor) void this.#focus();
  }

  hide(): void {
    if (!this.isOpen) return;
    const hadFocus = this.shell.root.activeElement === this;
    this.isOpen = false;
    this.popup = '';
    this.#fit();
    this.shell.setOpen(false);
    if (hadFocus || phone.matches) this.shell.launcher.focus();
  }

  /** A message came while the chat was closed. */
  peek(conversationId: string): void {
    if (!this.isOpen) this.#peeked = conversationId;
  }

  /** Another person, or nobody: what was on the screen goes. */
  forget(): void {
    this.#hasChosen = this.#hasClaimed = this.isList = false;
    this.#peeked = this.popup = '';
    this.thread = null;
    this.#filled = undefined;
    this.extras?.forget();
    this.requestUpdate();
  }

  /** Takes up the language of the shell; its texts are loaded. */
  speak(): void {
    const locale = this.shell.locale();
    this.words = textsOf(locale);
    this.times = timesOf(localesOf(locale), this.words);
    void this.extras?.speak();
    this.requestUpdate();
  }

  /** Goes to a conversation, or to one that has not begun. */
  choose(thread: string | null): void {
    this.thread = thread;
    this.#hasChosen = true;
    this.isList = false;
    this.popup = '';
    this.ends = ['', ''];
    this.#toEnd = true;
    this.#filled = undefined;
    this.#markRead();
    void this.#focus();
  }

  /** Opens or closes the menu of the button with this id. */
  toggleMenu(id: string): void {
    this.popup = this.popup === id ? '' : id;
  }

  /** The form before the chat was filled in. */
  claimed(): void {
    this.#hasClaimed = true;
    void this.#focus();
  }

  /** What few need comes with the need for it. */
  get extra(): Extras | undefined {
    if (!this.extras) this.need(() => undefined);
    return this.extras;
  }

  /** Does with the extras what few need, now or when they have come. */
  need(act: (extras: Extras) => void): void {
    void this.loadExtras().then(act, (error) => this.shell.emit('error', error));
  }

  loadExtras(): Promise<Extras> {
    this.#loading ??= import('./extras.js')
      .then(({ createExtras }) => createExtras(this, { html, nothing, icon, iconOf, link, said }))
      .then((extras) => {
        this.extras = extras;
        this.requestUpdate();
        return extras;
      });
    // One that did not come is asked for again at the next need.
    this.#loading.catch(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  get field(): HTMLTextAreaElement | null {
    return this.renderRoot.querySelector('textarea');
  }

  get row(): Known['conversations'][number] | undefined {
    return this.client.conversations.find(({ id }) => id === this.thread);
  }

  /** Who it is: the first name as people say it, and the face. */
  nameOf(actor: object): Person {
    const id = 'id' in actor ? actor.id : '';
    const { inbox } = this.client.session ?? {};
    const agents = inbox?.availability.agents ?? [];
    return personOf(agents, (agent) => agent.id === id, inbox?.name ?? this.words.chatTitle);
  }

  saveDraft(text: string): void {
    const { inboxId } = this.shell;
    keep(inboxId, { drafts: { ...readKept(inboxId).drafts, [this.thread ?? '']: text } });
  }

  /** Sends what is written; it stays on the screen from here on. */
  send(text: string): void {
    // Not crypto.randomUUID: pages without TLS have none.
    const clientId = [...crypto.getRandomValues(new Uint32Array(4))]
      .map((part) => part.toString(36))
      .join('-');
    this.client.write(clientId, this.thread, text.trim(), this.extras?.detach() ?? []);
    this.thread ??= `new:${clientId}`;
    this.#toEnd = true;
  }

  #markRead(): void {
    this.newAfter = this.row?.readSeq ?? 0;
  }

  get needsForm(): boolean {
    const { session } = this.client;
    return !!session?.inbox.asksForEmail && !session.identified && !this.#hasClaimed && this.thread === null;
  }

  /** Into what is to be filled in, else to the first button; a form that is still on its way is waited for. */
  async #focus(): Promise<void> {
    this.requestUpdate();
    if (this.needsForm) await this.loadExtras();
    await this.updateComplete;
    (this.field ?? this.renderRoot.querySelector<HTMLElement>('.f, button'))?.focus();
  }

  /** On phones the chat is the screen: the page under it is out of reach until it closes. */
  #fit = (): void => {
    const { launcher } = this.shell;
    const isFull = this.isOpen && phone.matches;
    document.body.inert = launcher.hidden = isFull;
    launcher.style.display = isFull ? 'none' : '';
    this.style.setProperty('--vvh', `${Math.round(visualViewport?.height ?? innerHeight)}px`);
    this.requestUpdate();
  };

  protected override willUpdate(): void {
    if (!this.isOpen) return;
    const { state, conversations, session, input } = this.client;
    this.thread = state.begun[this.thread ?? ''] ?? this.thread;
    if (session && !this.#hasChosen) {
      // Or one that begins later: in another tab, or by an agent.
      const open = conversations.find(({ status }) => status === 'open')?.id;
      this.thread ??= open ?? state.outbox.at(-1)?.thread ?? null;
      this.#hasChosen = this.thread !== null;
      this.#markRead();
    }
    const { thread } = this;
    if (thread && !thread.startsWith('new:') && !state.threads[thread]) {
      queueMicrotask(() => input({ type: 'follow', conversationId: thread }));
    }
    this.#place = this.#toEnd ? undefined : placeOf(this.renderRoot);
  }

  protected override updated(): void {
    takePlace(this.renderRoot, this.#place);
    this.#toEnd = false;
    if (this.isOpen && document.visibilityState === 'visible') this.#tellSeen();
    const { field } = this;
    if (!field || field === this.#filled) return;
    this.#filled = field;
    field.value = readKept(this.shell.inboxId).drafts?.[this.thread ?? ''] ?? '';
    this.requestUpdate();
  }

  #tellSeen(): void {
    const { row, client } = this;
    const thread = client.state.threads[row?.id ?? ''];
    if (!row || !thread?.isLoaded || this.isList || thread.upTo <= thread.seen) return;
    if (row.unread || thread.upTo > row.readSeq) queueMicrotask(() => client.seen(row.id, thread.upTo));
  }

  #onEscape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || event.isComposing) return;
    event.stopPropagation();
    const { popup } = this;
    if (!popup) return this.hide();
    this.popup = '';
    this.requestUpdate();
    this.renderRoot.getElementById(popup)?.focus();
  };

  protected override picture(): unknown {
    if (!this.isOpen) return this.#peeked ? this.extra?.peek(this.#peeked, () => this.#dismiss()) : nothing;
    const isFull = phone.matches;
    return html`<section
      class="panel ${isFull ? 'full' : ''}"
      role="dialog"
      aria-modal=${isFull || nothing}
      aria-labelledby="title"
      lang=${isRussian(this.shell.locale()) ? 'ru' : 'en'}
      dir=${getComputedStyle(document.documentElement).direction}
      @keydown=${this.#onEscape}
    >
      ${this.isList ? this.extra?.list(closeButton(this)) : this.#chat()}
      <p class="hid" role="status">${this.#status()}</p>
      ${this.popup === 'more' ? this.extra?.menu() : nothing}
    </section>`;
  }

  #dismiss(): void {
    this.#peeked = '';
  }

  #chat(): unknown {
    const isForm = this.needsForm;
    return html`${head(this)}${
      isForm
        ? html`<div class="body">${this.extra?.form()}</div>`
        : html`${conversation(this)}${composer(this)}`
    }
      <p class="foot">Threadline</p>`;
  }

  /** Said, not only shown: what happens to what the visitor wrote, and who types. */
  #status(): string {
    const { state, isOnline, session, typing } = this.client;
    const last = state.outbox.at(-1)?.state ?? 'sent';
    if (last === 'refused') return this.extra?.words.wasRefused ?? '';
    if (!isOnline && session) return this.words.notConnected;
    if (last !== 'sent') return this.words.isSending;
    const said = typing[this.thread ?? ''];
    return said ? this.words.isTyping(said.name) : '';
  }
}
