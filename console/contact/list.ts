import { html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { ContactSummary } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import { replyOf } from '../api/request.js';
import { failure } from '../parts/failure.js';
import { icon } from '../parts/icon.js';
import { box, face } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { addressOf } from '../router.js';
import { phone } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { exactTime, rowTime } from '../texts/time.js';

/** Everyone, those heard of last first. */
class Contacts extends View {
  static override properties = {
    ...View.properties,
    rows: { state: true },
    error: { state: true },
    next: { state: true },
  };
  declare rows: readonly ContactSummary[] | null;
  declare error: ErrorReply | null;
  declare next: string | null;
  #asked: string | null = null;
  #token = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #end: IntersectionObserver | undefined;

  constructor() {
    super();
    this.rows = null;
    this.error = null;
    this.next = null;
  }

  protected override watched() {
    return [this.app.route, this.app.clock];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#end = new IntersectionObserver(
      (entries) => {
        if (this.next !== null && entries.some((entry) => entry.isIntersecting)) void this.#load(this.next);
      },
      { rootMargin: '400px' },
    );
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#end?.disconnect();
    clearTimeout(this.#timer);
  }

  #query(): string {
    const route = this.app.route.get();
    return route.page === 'contacts' ? route.query : '';
  }

  protected override willUpdate(): void {
    super.willUpdate();
    if (this.#asked === this.#query()) return;
    this.#asked = this.#query();
    void this.#load(null);
  }

  protected override updated(): void {
    this.#end?.disconnect();
    const end = this.querySelector('.list-end');
    if (end) this.#end?.observe(end);
  }

  async #load(cursor: string | null): Promise<void> {
    const token = ++this.#token;
    try {
      const list = await this.app.api.contacts({
        query: this.#query(),
        ...(cursor !== null && { cursor }),
        limit: 60,
      });
      if (token !== this.#token) return;
      const known = cursor === null ? [] : (this.rows ?? []);
      const ids = new Set(known.map((row) => row.id));
      this.rows = [...known, ...list.rows.filter((row) => !ids.has(row.id))];
      this.next = list.nextCursor ?? null;
      this.error = null;
    } catch (error) {
      if (token === this.#token) this.error = replyOf(error);
    }
  }

  protected override render() {
    const { app } = this;
    const route = app.route.get();
    if (route.page !== 'contacts') return nothing;
    const now = new Date(app.clock.get());
    return html`<div class="bar"><h2>${t('views.contacts')}</h2><span class="grow"></span></div>
      <div class="toolrow wide-tools"><label class="searchbox">${icon('search', 's')}<input class="field" type="search" aria-label=${t('contacts.search')} placeholder=${t('contacts.search')} .value=${route.query} @input=${(
        event: Event & { currentTarget: HTMLInputElement },
      ) => {
        const query = event.currentTarget.value;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => app.go({ ...route, query }, { replace: true }), 150);
      }} /></label></div>
      ${
        this.error
          ? failure(this.error, { title: t('contacts.failed') }, () => void this.#load(null))
          : this.rows === null
            ? html`<div class="scroll late">${Array.from({ length: 9 }, () => html`<div class="person" aria-hidden="true"><i class="sk sk-face"></i>${box(150)}${box(190)}</div>`)}</div>`
            : this.rows.length === 0
              ? html`<div class="blank"><p>${t(route.query ? 'contacts.nothing' : 'contacts.empty')}</p></div>`
              : html`<ul class="scroll people">${repeat(
                  this.rows,
                  (row) => row.id,
                  (
                    row,
                  ) => html`<li><a class="person" href=${addressOf({ page: 'contact', workspaceId: route.workspaceId, contactId: row.id })}>
                    ${face({ id: row.id, name: row.name ?? row.email ?? row.phone }, { size: 'm', customer: true })}
                    <span class="cut who" dir="auto">${row.name ?? row.email ?? phone(row.phone ?? t('contact.unnamed'))}</span>
                    <span class="cut mark">${reachedBy(row)}</span>
                    <span class="cut dim hide-sm" dir="auto">${row.company ?? ''}</span>
                    <time class="dim num" datetime=${row.lastAt} title=${exactTime(row.lastAt)}>${rowTime(row.lastAt, now)}</time>
                  </a></li>`,
                )}${this.next === null ? nothing : html`<li class="list-end" aria-hidden="true"></li>`}</ul>`
      }`;
  }
}

/** An address or a number, proved or not; nothing of a visitor who said neither. */
function reachedBy({ email, phone: number, proved }: ContactSummary) {
  const shown = email ?? (number === null ? null : phone(number));
  if (shown === null) return nothing;
  return proved
    ? html`${icon('badge-check', 's')}<span class="vh">${t('proof.proved')}</span><span class="cut">${shown}</span>`
    : html`${icon('circle-dashed', 's')}<span class="vh">${t('timeline.unverified')}</span><span class="cut unproved">${shown}</span>`;
}

customElements.define('tl-contacts', Contacts);
