import { html, nothing } from 'lit';
import type { ContactDetail } from '../../shared/api.js';
import { refuse } from '../conversation/actions.js';
import type { Mode } from '../conversation/drafts.js';
import { drawnKeys } from '../keys/registry.js';
import { failure } from '../parts/failure.js';
import { icon } from '../parts/icon.js';
import { box, face, keyCaps } from '../parts/marks.js';
import '../parts/menu.js';
import { View } from '../parts/view.js';
import { addressOf } from '../router.js';
import { fieldText } from '../texts/language.js';
import { valueText } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { monthYear, shortDate } from '../texts/time.js';
import '../timeline/story.js';
import { dismissSuggestion, loadContact, mergeContacts, setBlocked } from './actions.js';
import { openMerge, openUnmerge } from './dialogs.js';
import { nameOf, openClaims, suggestionWords, visitLine, whereabouts } from './proofs.js';

const editable = ['name', 'company', 'city', 'language'] as const;
type Editable = (typeof editable)[number];

/** A contact's own page: the facts at the left, the timeline at full width. */
class ContactPage extends View {
  static override properties = {
    ...View.properties,
    contactId: { attribute: false },
    at: { attribute: false },
    year: { state: true },
    editing: { state: true },
  };
  declare contactId: string;
  declare at: string | undefined;
  declare year: number | null;
  declare editing: Editable | null;
  #asked = '';
  #stopKeys: (() => void) | undefined;

  constructor() {
    super();
    this.year = null;
    this.editing = null;
  }

  protected override watched() {
    const { contacts, clock, agents, pictures } = this.app;
    return [contacts.of(this.contactId), clock, agents, pictures.of(this.contactId)];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopKeys?.();
  }

  protected override willUpdate(): void {
    super.willUpdate();
    if (this.#asked !== this.contactId) {
      this.#asked = this.contactId;
      this.year = null;
      void loadContact(this.app, this.contactId);
    }
    const contact = this.app.contacts.of(this.contactId).get();
    const suggestion = contact.state === 'ready' ? contact.value.suggestions[0] : undefined;
    this.#stopKeys?.();
    this.#stopKeys = this.app.keys.handle({
      back: () => history.back(),
      block: () => {
        if (contact.state === 'ready') void setBlocked(this.app, contact.value.id, !contact.value.blocked);
      },
      ...(suggestion && {
        same: () =>
          void mergeContacts(
            this.app,
            this.contactId,
            suggestion.otherId,
            suggestion.otherName ?? t('contact.unnamed'),
            {
              reason: suggestionWords(suggestion),
            },
          ),
      }),
    });
  }

  protected override render() {
    const { app } = this;
    const loaded = app.contacts.of(this.contactId).get();
    const route = app.route.get();
    const workspaceId = 'workspaceId' in route ? route.workspaceId : '';
    const picture = app.pictures.of(this.contactId).get();
    return html`<aside class="pane facts-pane on" aria-label=${t('contact.title')}>
        ${
          loaded.state === 'ready'
            ? this.#facts(loaded.value, workspaceId)
            : html`<div class="bar"><a class="ib" href=${addressOf({ page: 'contacts', workspaceId, query: '' })} aria-label=${t('conversation.back')}>${icon('arrow-left')}</a><h2>${t('contact.title')}</h2></div>
              ${loaded.state === 'failed' ? failure(loaded.error, { title: t('customer.failed') }, () => void loadContact(app, this.contactId)) : html`<div class="who-head late"><i class="sk sk-face-l"></i><div>${box(130, 12)}${box(210, 9, 8)}</div></div>`}`
        }
      </aside>
      <main class="pane wide" aria-label=${t('timeline.title')}>
        <div class="bar">
          <h2>${t('timeline.title')}</h2>
          ${picture && loaded.state === 'ready' && loaded.value.since ? html`<span class="lab num cut hide-sm">${t('contact.span', { count: picture.counts.all, date: monthYear(loaded.value.since) })}</span>` : nothing}
          <span class="grow"></span>
          <div class="years" role="toolbar" aria-label=${t('contact.years')}>
            ${(picture?.years ?? [])
              .slice(0, 3)
              .reverse()
              .map(
                (year) =>
                  html`<button type="button" aria-pressed=${this.year === year} @click=${() => {
                    this.year = year;
                    this.querySelector<HTMLElement & { jump(at: string): void }>('tl-story')?.jump(
                      new Date(year + 1, 0, 1).toISOString(),
                    );
                  }}>${year}</button>`,
              )}
            <button type="button" aria-pressed=${this.year === null} @click=${() => {
              this.year = null;
            }}>${t('contact.last_year')}</button>
          </div>
        </div>
        ${loaded.state === 'ready' ? html`<tl-story .app=${app} .contactId=${this.contactId} .layout=${'wide'} .year=${this.year} .at=${this.at} @unmerge=${(event: CustomEvent<string>) => openUnmerge(app, this.contactId, event.detail)}></tl-story>` : nothing}
      </main>`;
  }

  #facts(contact: ContactDetail, workspaceId: string) {
    const { app } = this;
    const now = new Date(app.clock.get());
    const name = nameOf(contact);
    const claims = openClaims(contact);
    const [suggestion] = contact.suggestions;
    const mergeOf = (contactId: string) => contact.merges.find((one) => one.mergedId === contactId);
    return html`<div class="bar">
        <a class="ib back-always" href=${addressOf({ page: 'contacts', workspaceId, query: '' })} title=${t('conversation.back')} aria-label=${t('conversation.back')}>${icon('arrow-left')}</a>
        <h2>${t('contact.title')}</h2><span class="grow"></span>
        <tl-menu .app=${app} .label=${t('conversation.more')} .trigger=${icon('ellipsis')} .items=${[
          { id: 'merge', label: t('merge.with'), icon: 'git-merge' as const },
          {
            id: 'block',
            label: t(contact.blocked ? 'key.unblock' : 'key.block'),
            icon: 'ban' as const,
            isDanger: !contact.blocked,
          },
        ]} @choose=${(event: CustomEvent<string>) => (event.detail === 'merge' ? openMerge(app, contact.id) : void setBlocked(app, contact.id, !contact.blocked))}></tl-menu>
      </div>
      <div class="who-head"><span class=${contact.visit?.online ? 'presence' : nothing}>${face({ id: contact.id, name }, { size: 'l', customer: true })}</span><div class="grow"><h3 class="cut" dir="auto">${name}</h3><p class="cut">${whereabouts(contact, now, { alone: false })}</p></div></div>
      ${visitLine(contact)}
      ${this.#acts(contact, workspaceId)}
      <div class="facts scroll" tabindex="0" role="region" aria-label=${t('contact.details')}>
        ${
          contact.identities.length > 0
            ? html`<h4>${t('contact.proved')}</h4>${contact.identities.map((identity) => {
                const merge = mergeOf(identity.contactId);
                return html`<div class="idrow"><span class="ok">${icon('badge-check')}</span><span class="cut" title=${identity.value}>${valueText(identity.type, identity.value)}</span><small>${t('proof.since', { proof: t(`proof.${identity.proof}`), date: shortDate(identity.provedAt, now, true) })}${merge ? html`. ${t('contact.merged_on', { date: shortDate(merge.at, now) }).replace(/\.?$/, '.')} <button class="link" type="button" @click=${() => openUnmerge(app, contact.id, merge.mergeId)}>${t('timeline.unmerge')}</button>` : nothing}</small></div>`;
              })}`
            : nothing
        }
        ${
          claims.length > 0
            ? html`<h4>${t('contact.claimed')}</h4>${claims.map((claim) => html`<div class="idrow"><span class="warn">${icon('circle-dashed')}</span><span class="unproved cut" title=${claim.value}>${valueText(claim.type, claim.value)}</span><small>${t('claim.made', { source: t(`source.${claim.source}`), date: shortDate(claim.madeAt, now) })}</small></div>`)}`
            : nothing
        }
        ${
          suggestion
            ? html`<div class="same"><p><b>${t('suggestion.title')}</b> ${suggestionWords(suggestion)}</p><p class="acts">
                <button class="btn" type="button" @click=${() => app.keys.run('same')}>${t('suggestion.yes')}${keyCaps(drawnKeys('same', app.keys.isMac))}</button>
                <button class="btn ghost" type="button" @click=${() => openMerge(app, contact.id, suggestion.otherId)}>${t('suggestion.compare')}</button>
                <button class="btn ghost" type="button" @click=${() => void dismissSuggestion(app, contact.id, suggestion.otherId)}>${t('suggestion.no')}</button></p></div>`
            : nothing
        }
        <h4>${t('contact.details')}</h4>
        <dl>${editable.map((field) => html`<dt>${t(`field.${field}`)}</dt><dd>${this.#field(contact, field)}</dd>`)}
          ${contact.firstTouch ? html`<dt>${t('contact.first_touch')}</dt><dd title=${contact.firstTouch.landingPage}>${touchWords(contact.firstTouch)}</dd>` : nothing}
          ${contact.since ? html`<dt>${t('contact.since')}</dt><dd>${shortDate(contact.since, now, true)}</dd>` : nothing}
        </dl>
      </div>`;
  }

  /** What one can do for somebody: answer where they wrote last, call their number, keep a note. */
  #acts(contact: ContactDetail, workspaceId: string) {
    const { app } = this;
    const row = contact.conversations.find(({ status }) => status === 'open') ?? contact.conversations[0];
    const number = [...contact.identities, ...openClaims(contact)].find(({ type }) => type === 'phone');
    if (!row && !number) return nothing;
    const place = row && {
      page: 'inbox' as const,
      workspaceId,
      view: row.status === 'open' ? ('all' as const) : row.status,
      sort: 'recent' as const,
      conversationId: row.id,
    };
    const begin = (mode: Mode) => () => row && app.writing.set({ conversationId: row.id, mode });
    return html`<div class="fact-acts">
      ${place ? html`<a class="btn pri" href=${addressOf(place)} @click=${begin('reply')}>${icon('message-circle', 's')}${t('contact.write')}</a>` : nothing}
      ${number ? html`<a class="btn" href="tel:${number.value}" title=${valueText('phone', number.value)}>${icon('phone', 's')}${t('contact.call')}</a>` : nothing}
      ${place ? html`<a class="btn" href=${addressOf(place)} @click=${begin('note')}>${icon('lock', 's')}${t('contact.note')}</a>` : nothing}
    </div>`;
  }

  #field(contact: ContactDetail, field: Editable) {
    const value = contact.fields[field];
    if (this.editing === field)
      return html`<input class="field inline" aria-label=${t(`field.${field}`)} .value=${value ?? ''} maxlength="200" @keydown=${(
        event: KeyboardEvent & { currentTarget: HTMLInputElement },
      ) => {
        if (event.key === 'Enter' && !event.isComposing)
          void this.#save(contact, field, event.currentTarget.value);
        else if (event.key === 'Escape') {
          this.editing = null;
          event.stopPropagation();
        }
      }} @blur=${(event: FocusEvent & { currentTarget: HTMLInputElement }) => void this.#save(contact, field, event.currentTarget.value)} />`;
    return html`<button class="value" type="button" title=${t('contact.edit', { field: t(`field.${field}`) })} @click=${() => {
      this.editing = field;
      void this.updateComplete.then(() => this.querySelector<HTMLInputElement>('.field.inline')?.select());
    }}>${fieldText(field, value) ?? html`<span class="dim">${t('contact.add')}</span>`}<span class="vh">${t('contact.edit', { field: t(`field.${field}`) })}</span></button>`;
  }

  async #save(contact: ContactDetail, field: Editable, text: string): Promise<void> {
    if (this.editing !== field) return;
    this.editing = null;
    const value = text.trim() === '' ? null : text.trim();
    if (value === contact.fields[field]) return;
    try {
      this.app.contacts.of(contact.id).set({
        state: 'ready',
        value: await this.app.api.changeContact(contact.id, { fields: { [field]: value } }),
      });
    } catch (error) {
      refuse(this.app, error);
    }
  }
}
customElements.define('tl-contact-page', ContactPage);

function touchWords(touch: NonNullable<ContactDetail['firstTouch']>): string {
  const page = touch.landingPage.replace(/^https?:\/\/[^/]+/, '').split('?')[0] || '/';
  const source =
    touch.parameters.utm_source ??
    (touch.referrer ? touch.referrer.replace(/^https?:\/\//, '').split('/')[0] : undefined);
  return source ? `${source}, ${page}` : page;
}
