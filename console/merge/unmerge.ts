import { html, nothing } from 'lit';
import type { UnmergePreview } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import { replyOf } from '../api/request.js';
import { unmerge } from '../contact/actions.js';
import { changeWords } from '../conversation/said.js';
import { Dialog } from '../parts/dialog.js';
import { failure } from '../parts/failure.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import { shortDate } from '../texts/time.js';

/** Taking a merge apart: what nobody's identity brought is asked about once; by default it stays. */
class UnmergeDialog extends Dialog {
  static override properties = {
    ...View.properties,
    contactId: { attribute: false },
    mergeId: { attribute: false },
    preview: { state: true },
    error: { state: true },
    moved: { state: true },
  };
  declare contactId: string;
  declare mergeId: string;
  declare preview: UnmergePreview | null;
  declare error: ErrorReply | null;
  declare moved: ReadonlySet<string>;

  constructor() {
    super();
    this.preview = null;
    this.error = null;
    this.moved = new Set();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.preview = await this.app.api.unmergePreview(this.mergeId);
      this.error = null;
      await this.updateComplete;
      this.querySelector<HTMLButtonElement>('footer .pri')?.focus();
    } catch (error) {
      this.error = replyOf(error);
    }
  }

  protected override render() {
    const { app } = this;
    const now = new Date(app.clock.get());
    const contact = app.contacts.of(this.contactId).get();
    const merge =
      contact.state === 'ready'
        ? contact.value.merges.find((one) => one.mergeId === this.mergeId)
        : undefined;
    const name = merge?.mergedName ?? t('contact.unnamed');
    return html`<dialog class="pop ask" aria-labelledby="unmerge-title">
      <header><h2 id="unmerge-title">${t('unmerge.title', { name })}</h2><p>${t('unmerge.lead')}</p></header>
      ${this.error ? failure(this.error, { title: t('merge.failed') }, () => void this.#load()) : nothing}
      ${
        this.preview && this.preview.askAbout.length > 0
          ? html`<fieldset class="askabout"><legend>${t('unmerge.ask', { name })}</legend>${this.preview.askAbout.map(
              (event) =>
                html`<label><input type="checkbox" .checked=${this.moved.has(event.id)} @change=${() => {
                  const next = new Set(this.moved);
                  if (!next.delete(event.id)) next.add(event.id);
                  this.moved = next;
                }} /><span class="cut">${event.kind === 'note' && !event.erased ? event.body.text : changeWords(app, event).words}</span><time class="lab">${shortDate(event.occurredAt, now)}</time></label>`,
            )}</fieldset>`
          : nothing
      }
      <footer><span class="grow"></span>
        <button class="btn big" type="button" @click=${() => this.close()}>${t('dialog.cancel')}</button>
        <button class="btn pri big" type="button" autofocus ?disabled=${!this.preview} @click=${() => {
          void unmerge(app, this.contactId, this.mergeId, [...this.moved]);
          this.close();
        }}>${t('unmerge.do')}</button>
      </footer>
    </dialog>`;
  }
}
customElements.define('tl-unmerge', UnmergeDialog);
