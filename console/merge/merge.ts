import { html, nothing, svg } from 'lit';
import type { MergePreview, MergeSide } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import { replyOf } from '../api/request.js';
import { dismissSuggestion, mergeContacts } from '../contact/actions.js';
import { suggestionWords } from '../contact/proofs.js';
import { drawnTogether } from '../keys/registry.js';
import { Dialog } from '../parts/dialog.js';
import { failure } from '../parts/failure.js';
import { face } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { fieldText } from '../texts/language.js';
import { phone, valueText } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { monthYear } from '../texts/time.js';
import { layOutStrands } from './strands.js';

const fields = ['name', 'company', 'city', 'language', 'timeZone'] as const;
type Field = (typeof fields)[number];

/** Two people, the result, the reason, and what is not known. The undo is promised before the click. */
class MergeDialog extends Dialog {
  static override properties = {
    ...View.properties,
    contactId: { attribute: false },
    otherId: { attribute: false },
    preview: { state: true },
    error: { state: true },
    chosen: { state: true },
  };
  declare contactId: string;
  declare otherId: string;
  declare preview: MergePreview | null;
  declare error: ErrorReply | null;
  /** For each field that differs, whose is shown. */
  declare chosen: Partial<Record<Field, 'left' | 'right'>>;

  constructor() {
    super();
    this.preview = null;
    this.error = null;
    this.chosen = {};
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.error = null;
    try {
      this.preview = await this.app.api.mergePreview(this.contactId, this.otherId);
      await this.updateComplete;
      this.querySelector<HTMLButtonElement>('footer .pri')?.focus();
    } catch (error) {
      this.error = replyOf(error);
    }
  }

  async #merge(): Promise<void> {
    const { preview } = this;
    if (!preview) return;
    const preferences: Record<string, string> = {};
    for (const field of fields) {
      const side = this.chosen[field];
      if (side) preferences[field] = preview[side].id;
    }
    const reason = this.#reason();
    const merged = await mergeContacts(
      this.app,
      this.contactId,
      this.otherId,
      preview.right.fields.name ?? t('contact.unnamed'),
      { ...(reason && { reason }), ...(Object.keys(preferences).length > 0 && { preferences }) },
    );
    if (merged) this.close();
  }

  #reason(): string {
    const contact = this.app.contacts.of(this.contactId).get();
    const suggestion =
      contact.state === 'ready'
        ? contact.value.suggestions.find((one) => one.otherId === this.otherId)
        : undefined;
    return suggestion ? suggestionWords(suggestion) : '';
  }

  protected override render() {
    return html`<dialog class="pop merge" aria-labelledby="merge-title" @keydown=${(event: KeyboardEvent) => {
      if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) void this.#merge();
    }}>
      <header><h2 id="merge-title">${t('merge.title')}</h2><p>${this.#reason() || t('merge.lead')}</p></header>
      ${this.error ? failure(this.error, { title: t('merge.failed') }, () => void this.#load()) : this.preview ? this.#table(this.preview) : html`<div class="merge-wait"></div>`}
      <footer>
        <p>${t('merge.promise')}</p>
        <button class="btn ghost big" type="button" @click=${() => {
          void dismissSuggestion(this.app, this.contactId, this.otherId);
          this.close();
        }}>${t('suggestion.no')}</button>
        <button class="btn big" type="button" @click=${() => this.close()}>${t('merge.later')}</button>
        <button class="btn pri big" type="button" autofocus ?disabled=${!this.preview} @click=${() => void this.#merge()}>${t('merge.do')}<span class="kbd" aria-hidden="true">${drawnTogether('send', this.app.keys.isMac)}</span></button>
      </footer>
    </dialog>`;
  }

  #table({ left, right }: MergePreview) {
    const now = left.events + right.events;
    const head = (side: MergeSide) =>
      html`<div class="hd">${face({ id: side.id, name: side.fields.name }, { size: 'm', customer: side === left })}<span><span dir="auto">${side.fields.name ?? t('contact.unnamed')}</span><small>${
        side.since
          ? t('merge.events_since', { count: side.events, date: monthYear(side.since) })
          : t('merge.events', { count: side.events })
      }</small></span></div>`;
    return html`<div class="mgrid">
      <div class="k hd"></div>${head(left)}${head(right)}<div class="hd res"><span>${t('merge.after')}<small>${t('merge.one_timeline', { count: now })}</small></span></div>
      ${fields.filter((field) => isCompared(left.fields[field], right.fields[field], field)).map((field) => this.#field(field, left, right))}
      ${this.#values('email', left.emails, right.emails)}${this.#values('phone', left.phones, right.phones)}
      ${
        left.open.length + right.open.length === 0
          ? nothing
          : html`<div class="k">${t('merge.open')}</div>${[left, right].map((side) => html`<div><span class="cut">${side.open.length === 0 ? html`<span class="dim">${t('field.none')}</span>` : side.open.map((one) => `#${one.number} ${phone(one.subject)}`).join(', ')}</span></div>`)}<div class="res"><span class="cut">${t(left.open.length > 0 && right.open.length > 0 ? 'merge.both_stay' : 'merge.stays')}</span></div>`
      }
      ${this.#strands(left, right)}
    </div>`;
  }

  #field(field: Field, left: MergeSide, right: MergeSide) {
    const [a, b] = [left.fields[field], right.fields[field]];
    const differs = a !== null && b !== null && a !== b;
    const side = this.chosen[field] ?? 'left';
    const cell = (value: string | null, which: 'left' | 'right') =>
      differs
        ? html`<label class=${side === which ? '' : 'off'}><input class="vh" type="radio" name="merge-${field}" .checked=${side === which} @change=${() => {
            this.chosen = { ...this.chosen, [field]: which };
          }} /><i class="radio ${side === which ? 'on' : ''}"></i><span class="cut" dir="auto">${fieldText(field, value)}</span></label>`
        : html`<div><span class="cut ${value === null ? 'dim' : ''}" dir="auto">${fieldText(field, value) ?? t('field.none')}</span></div>`;
    return html`<div class="k">${t(`field.${field}`)}</div>${cell(a, 'left')}${cell(b, 'right')}<div class="res"><span class="cut" dir="auto">${fieldText(field, differs && side === 'right' ? b : (a ?? b)) ?? ''}</span></div>`;
  }

  #values(kind: 'email' | 'phone', left: MergeSide['emails'], right: MergeSide['emails']) {
    if (left.length + right.length === 0) return nothing;
    const draw = (values: MergeSide['emails']) =>
      values.length === 0
        ? html`<span class="dim">${t('field.none')}</span>`
        : values.map(
            (one, index) =>
              html`${index > 0 ? ', ' : ''}<span class=${one.proved ? '' : 'unproved'}>${valueText(kind, one.value)}</span>`,
          );
    const all = [...left, ...right];
    // The same unproved value twice is still not proved.
    const result = [...new Set(all.map((one) => one.value))].map((value) => ({
      value,
      proved: all.some((one) => one.value === value && one.proved),
    }));
    return html`<div class="k">${t(`field.${kind}`)}</div><div><span class="cut">${draw(left)}</span></div><div><span class="cut">${draw(right)}</span></div><div class="res"><span class="cut">${draw(result)}${result.some((one) => !one.proved) ? html`<span class="lab still">${t('merge.still_unproved')}</span>` : nothing}</span></div>`;
  }

  #strands(left: MergeSide, right: MergeSide) {
    const { left: a, right: b, joined } = layOutStrands(left.marks, right.marks);
    const mark = (one: { channel: string; x: number; y: number }) =>
      one.channel === 'chat'
        ? svg`<circle cx=${one.x.toFixed(1)} cy=${one.y.toFixed(1)} r="4.5" fill="var(--chat)" />`
        : one.channel === 'email'
          ? svg`<rect x=${(one.x - 4).toFixed(1)} y=${(one.y - 4).toFixed(1)} width="8" height="8" rx="1.5" fill="var(--mail)" />`
          : svg`<rect x=${(one.x - 2.5).toFixed(1)} y=${(one.y - 7).toFixed(1)} width="5" height="14" rx="2" fill="var(--phone)" />`;
    return html`<div class="strands"><svg viewBox="0 0 1040 128" fill="none" aria-hidden="true">
      <path d="M151 0C151 62 560 30 744 92" stroke="var(--hair-2)" stroke-width="2" /><path class="joins" d="M436 0C436 52 640 44 744 92" stroke="var(--hair-2)" stroke-width="2" /><path d="M744 92C766 98 780 100 800 100H1040" stroke="var(--accent)" stroke-width="2" />
      ${a.map(mark)}${b.map(mark)}<circle cx="744" cy="92" r="5" fill="var(--surface)" stroke="var(--accent)" stroke-width="2" />${joined.map(mark)}</svg></div>`;
  }
}
/** The name always; the rest where both say something, or where it would be lost from sight. */
const isCompared = (left: string | null, right: string | null, field: Field) =>
  field === 'name' || field === 'timeZone' || field === 'language'
    ? left !== null && right !== null && (field === 'name' || left !== right)
    : left !== null || right !== null;

customElements.define('tl-merge', MergeDialog);
