import { html, nothing } from 'lit';
import type { ContactSummary } from '../../shared/api.js';
import { replyOf } from '../api/request.js';
import { Dialog } from '../parts/dialog.js';
import { icon } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { phone } from '../texts/phone.js';
import { t } from '../texts/text.js';

/** Chooses the other contact of a merge. */
class PickContact extends Dialog {
  static override properties = {
    ...View.properties,
    contactId: { attribute: false },
    choose: { attribute: false },
    rows: { state: true },
    at: { state: true },
  };
  declare contactId: string;
  /** Told which contact was chosen. */
  declare choose: (otherId: string) => void;
  declare rows: readonly ContactSummary[];
  declare at: number;
  #token = 0;

  constructor() {
    super();
    this.rows = [];
    this.at = 0;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#search('');
  }

  async #search(query: string): Promise<void> {
    const token = ++this.#token;
    try {
      const list = await this.app.api.contacts({ query, limit: 20 });
      if (token !== this.#token) return;
      this.rows = list.rows.filter((row) => row.id !== this.contactId);
      this.at = 0;
    } catch (error) {
      replyOf(error);
    }
  }

  #choose(row: ContactSummary | undefined): void {
    if (!row) return;
    this.close();
    this.choose(row.id);
  }

  protected override render() {
    return html`<dialog class="pop palette" aria-label=${t('merge.with')}>
      <div class="q">${icon('search')}<input type="text" autofocus role="combobox" aria-expanded="true" aria-controls="pick-list" aria-activedescendant=${this.rows.length > 0 ? `pick-${this.at}` : nothing} placeholder=${t('merge.search')} aria-label=${t('merge.search')} @input=${(event: Event & { currentTarget: HTMLInputElement }) => void this.#search(event.currentTarget.value)} @keydown=${(
        event: KeyboardEvent,
      ) => {
        if (event.key === 'ArrowDown') this.at = Math.min(this.rows.length - 1, this.at + 1);
        else if (event.key === 'ArrowUp') this.at = Math.max(0, this.at - 1);
        else if (event.key === 'Enter') this.#choose(this.rows[this.at]);
        else return;
        event.preventDefault();
      }} /><span class="kbd">esc</span></div>
      <div class="opts" role="listbox" id="pick-list" aria-label=${t('palette.contacts')}>${this.rows.map(
        (row, index) =>
          html`<div class="opt" id="pick-${index}" role="option" aria-selected=${index === this.at} @click=${() => this.#choose(row)}>${icon('user')}<span class="cut" dir="auto">${row.name ?? row.email ?? phone(row.phone ?? t('contact.unnamed'))}</span><span class="end">${row.email ?? phone(row.phone ?? '')}</span></div>`,
      )}</div>
      ${this.rows.length === 0 ? html`<p class="none">${t('palette.nothing')}</p>` : nothing}
    </dialog>`;
  }
}
customElements.define('tl-pick-contact', PickContact);
