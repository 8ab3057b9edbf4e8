import { html, nothing } from 'lit';
import { drawnKeys } from '../keys/registry.js';
import { inboxRouteOf } from '../list/actions.js';
import { failure } from '../parts/failure.js';
import { icon } from '../parts/icon.js';
import { box, face, keyCaps } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { addressOf } from '../router.js';
import { t } from '../texts/text.js';
import { monthYear } from '../texts/time.js';
import '../timeline/story.js';
import { dismissSuggestion, loadContact, mergeContacts } from './actions.js';
import { openMerge, openUnmerge } from './dialogs.js';
import { identityLine, nameOf, suggestionWords, visitLine, whereabouts } from './proofs.js';

/** The customer of the open conversation: who it is, how one knows, and the one timeline. */
class Customer extends View {
  static override properties = { ...View.properties, contactId: { attribute: false } };
  declare contactId: string;
  #asked = '';
  #stopKeys: (() => void) | undefined;

  protected override watched() {
    const { contacts, clock, route, agents } = this.app;
    return [contacts.of(this.contactId), clock, route, agents];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopKeys?.();
    this.#stopKeys = undefined;
  }

  protected override willUpdate(): void {
    super.willUpdate();
    if (this.#asked !== this.contactId) {
      this.#asked = this.contactId;
      void loadContact(this.app, this.contactId);
    }
    const contact = this.app.contacts.of(this.contactId).get();
    const suggestion = contact.state === 'ready' ? contact.value.suggestions[0] : undefined;
    this.#stopKeys?.();
    // The key is there only while there is something to say yes to.
    this.#stopKeys = suggestion
      ? this.app.keys.handle({
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
        })
      : undefined;
  }

  protected override render() {
    const { app } = this;
    const loaded = app.contacts.of(this.contactId).get();
    const route = inboxRouteOf(app);
    const now = new Date(app.clock.get());
    if (loaded.state === 'failed')
      return html`<div class="bar"><h3>${t('customer.title')}</h3></div>${failure(loaded.error, { title: t('customer.failed'), still: t('timeline.still') }, () => void loadContact(app, this.contactId))}`;
    if (loaded.state === 'loading')
      return html`<div class="bar"><span class="late">${box(90, 12)}</span></div>
        <div class="who-head late"><i class="sk sk-face-l"></i><div>${box(130, 12)}${box(210, 9, 8)}</div></div>`;
    const contact = loaded.value;
    const name = nameOf(contact);
    const [suggestion] = contact.suggestions;
    const page = route
      ? addressOf({ page: 'contact', workspaceId: route.workspaceId, contactId: contact.id })
      : '/';
    const { timeline: _timeline, ...place } = route ?? { page: 'home' as const };
    return html`
      <div class="bar has-back">
        <a class="ib back" href=${addressOf(place as Parameters<typeof addressOf>[0])} title=${t('conversation.back')} aria-label=${t('conversation.back')}>${icon('arrow-left')}</a>
        <h3>${t('customer.title')}</h3>
        ${contact.since ? html`<span class="lab">${t('customer.since', { date: monthYear(contact.since) })}</span>` : nothing}
        <span class="grow"></span>
        <button class="ib" type="button" title=${t('merge.with')} aria-label=${t('merge.with')} @click=${() => openMerge(app, contact.id)}>${icon('git-merge')}</button>
        <a class="ib" href=${page} title=${t('customer.page')} aria-label=${t('customer.page')}>${icon('maximize-2', 's')}</a>
      </div>
      <div class="who-head">
        <span class=${contact.visit?.online ? 'presence' : nothing}>${face({ id: contact.id, name }, { size: 'l', customer: true })}</span>
        <div class="grow"><h3 class="cut" dir="auto">${name}</h3><p class="cut">${whereabouts(contact, now, { alone: true })}</p></div>
        ${contact.blocked ? html`<span class="tag">${icon('ban', 'xs')}${t('customer.blocked')}</span>` : nothing}
      </div>
      ${identityLine(contact, now)}${visitLine(contact)}
      ${
        suggestion
          ? html`<div class="suggest" role="note">
              <p><b>${t('suggestion.title')}</b> ${suggestionWords(suggestion)}</p>
              <p class="acts">
                <button class="btn" type="button" @click=${() => app.keys.run('same')}>${icon('git-merge', 's')}${t('suggestion.yes')}${keyCaps(drawnKeys('same', app.keys.isMac))}</button>
                <button class="btn ghost" type="button" @click=${() => openMerge(app, contact.id, suggestion.otherId)}>${t('suggestion.compare')}</button>
                <button class="btn ghost" type="button" @click=${() => void dismissSuggestion(app, contact.id, suggestion.otherId)}>${t('suggestion.no')}</button>
              </p>
            </div>`
          : nothing
      }
      <tl-story .app=${app} .contactId=${contact.id} .layout=${'pane'} @unmerge=${(event: CustomEvent<string>) => openUnmerge(app, contact.id, event.detail)}></tl-story>
    `;
  }
}
customElements.define('tl-customer', Customer);
