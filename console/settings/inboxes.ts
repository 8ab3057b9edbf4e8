import { html, nothing } from 'lit';
import type { ErrorReply } from '../../shared/errors.js';
import type { InboxDetail } from '../api/endpoints.js';
import { replyOf } from '../api/request.js';
import { failure } from '../parts/failure.js';
import { type Channel, channelColour, channelIcon, icon } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { addressOf } from '../router.js';
import { refreshTeam } from '../state/session.js';
import { t } from '../texts/text.js';
import { copyable, field, outcome } from './form.js';

/** Where customers reach the company: make an inbox, name it, and take its snippet to the site. */
class Inboxes extends View {
  static override properties = {
    ...View.properties,
    workspaceId: { attribute: false },
    inboxId: { attribute: false },
    inbox: { state: true },
    error: { state: true },
    state: { state: true },
    secret: { state: true },
  };
  declare workspaceId: string;
  declare inboxId: string | undefined;
  declare inbox: InboxDetail | null;
  declare error: ErrorReply | null;
  declare state: 'idle' | 'busy' | 'saved' | ErrorReply;
  /** Just made: shown this once. */
  declare secret: string | null;
  #asked: string | undefined;

  constructor() {
    super();
    this.inbox = null;
    this.error = null;
    this.state = 'idle';
    this.secret = null;
  }

  protected override watched() {
    return [this.app.inboxes];
  }

  protected override willUpdate(): void {
    super.willUpdate();
    if (this.#asked === this.inboxId) return;
    this.#asked = this.inboxId;
    this.inbox = null;
    this.state = 'idle';
    this.secret = null;
    if (this.inboxId) void this.#load(this.inboxId);
    else void refreshTeam(this.app);
  }

  async #load(id: string): Promise<void> {
    try {
      const inbox = await this.app.api.inbox(id);
      if (this.inboxId === id) this.inbox = inbox;
      this.error = null;
    } catch (error) {
      this.error = replyOf(error);
    }
  }

  async #add(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const data = new FormData(event.currentTarget);
    const name = String(data.get('name') ?? '').trim();
    const channel = String(data.get('channel') ?? 'chat') as Channel;
    if (name === '') return;
    this.state = 'busy';
    try {
      const made = await this.app.api.addInbox({ channel, name });
      await refreshTeam(this.app);
      this.app.go({ page: 'settings', workspaceId: this.workspaceId, section: 'inboxes', id: made.id });
    } catch (error) {
      this.state = replyOf(error);
    }
  }

  async #save(event: SubmitEvent, inbox: InboxDetail): Promise<void> {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const data = new FormData(event.currentTarget);
    const text = (name: string) => String(data.get(name) ?? '').trim();
    const lines = (name: string) =>
      text(name)
        .split(/\s*\n\s*/)
        .filter(Boolean);
    this.state = 'busy';
    try {
      this.inbox = await this.app.api.changeInbox(inbox.id, {
        name: text('name'),
        ...(inbox.channel === 'chat' && {
          greeting: text('greeting'),
          accent: text('accent'),
          quickReplies: lines('quickReplies'),
          allowedOrigins: lines('allowedOrigins').map((origin) => origin.toLowerCase().replace(/\/$/, '')),
          asksForEmail: data.get('asksForEmail') === 'on',
          identityPublicKey: text('identityPublicKey') || null,
        }),
        ...(inbox.channel === 'email' && text('address') && { address: text('address') }),
        ...(inbox.channel === 'phone' && text('timeZone') && { timeZone: text('timeZone') }),
      });
      this.state = 'saved';
      await refreshTeam(this.app);
    } catch (error) {
      this.state = replyOf(error);
    }
  }

  async #renew(inbox: InboxDetail): Promise<void> {
    try {
      this.secret = await this.app.api.renewIdentitySecret(inbox.id);
    } catch (error) {
      this.state = replyOf(error);
    }
  }

  protected override render() {
    if (!this.inboxId) return this.#list();
    const back = html`<a class="link backlink" href=${addressOf({ page: 'settings', workspaceId: this.workspaceId, section: 'inboxes' })}>${icon('arrow-left', 's')}${t('settings.inboxes')}</a>`;
    if (this.error)
      return html`${back}${failure(this.error, { title: t('inboxes.failed') }, () => this.inboxId && void this.#load(this.inboxId))}`;
    return this.inbox ? html`${back}${this.#form(this.inbox)}` : html`${back}`;
  }

  #list() {
    return html`<section><h3>${t('settings.inboxes')}</h3>
        <ul class="team">${this.app.inboxes.get().map((inbox) => html`<li><a class="view" href=${addressOf({ page: 'settings', workspaceId: this.workspaceId, section: 'inboxes', id: inbox.id })}>${icon(channelIcon[inbox.channel], undefined, channelColour[inbox.channel])}<span class="cut grow">${inbox.name}</span>${icon('chevron-right', 's')}</a></li>`)}</ul>
      </section>
      <section><h3>${t('inboxes.add')}</h3>
        <form class="inline" @submit=${(event: SubmitEvent) => void this.#add(event)}>
          <input class="field" name="name" required maxlength="200" aria-label=${t('field.name')} placeholder=${t('inboxes.name_example')} />
          <select class="field" name="channel" aria-label=${t('inboxes.channel')}>${(['chat', 'email', 'phone'] as const).map((channel) => html`<option value=${channel}>${t(`channel.${channel}`)}</option>`)}</select>
          <button class="btn pri" type="submit">${icon('plus', 's')}${t('inboxes.do_add')}</button>
        </form>${outcome(this.state)}
      </section>`;
  }

  #form(inbox: InboxDetail) {
    const snippet = `<script src="${location.origin}/threadline.js" data-inbox="${inbox.id}" async></script>`;
    return html`<section><h3>${icon(channelIcon[inbox.channel], undefined, channelColour[inbox.channel])} ${inbox.name}</h3>
        ${inbox.channel === 'chat' ? html`<p class="hint">${t('inboxes.snippet')}</p>${copyable(snippet, t('inboxes.snippet'))}` : nothing}
      </section>
      <section><form @submit=${(event: SubmitEvent) => void this.#save(event, inbox)}>
        ${field(t('field.name'), html`<input class="field" name="name" required maxlength="200" .value=${inbox.name} />`)}
        ${
          inbox.channel === 'chat'
            ? html`${field(t('inboxes.greeting'), html`<textarea class="field area" name="greeting" rows="2" maxlength="500" .value=${inbox.greeting ?? ''}></textarea>`, t('inboxes.greeting_hint'))}
              ${field(t('inboxes.accent'), html`<input class="field colour" type="color" name="accent" .value=${inbox.accent ?? '#1d6b54'} />`)}
              ${field(t('inboxes.quick'), html`<textarea class="field area" name="quickReplies" rows="3" .value=${(inbox.quickReplies ?? []).join('\n')}></textarea>`, t('inboxes.quick_hint'))}
              <label class="check"><input type="checkbox" name="asksForEmail" .checked=${inbox.asksForEmail ?? false} />${t('inboxes.asks_email')}</label>
              ${field(t('inboxes.origins'), html`<textarea class="field area" name="allowedOrigins" rows="3" spellcheck="false" .value=${(inbox.allowedOrigins ?? []).join('\n')}></textarea>`, t('inboxes.origins_hint'))}
              <div class="formrow"><span class="formlabel">${t('inboxes.secret')}</span>${this.secret === null ? html`<span><button class="btn" type="button" @click=${() => void this.#renew(inbox)}>${t('inboxes.new_secret')}</button></span>` : copyable(this.secret, t('inboxes.secret'))}<span class="lab hint">${t('inboxes.secret_hint')}</span></div>
              ${field(t('inboxes.public_key'), html`<textarea class="field area mono" name="identityPublicKey" rows="3" spellcheck="false" .value=${inbox.identityPublicKey ?? ''}></textarea>`, t('inboxes.public_key_hint'))}`
            : inbox.channel === 'email'
              ? field(
                  t('inboxes.address'),
                  html`<input class="field" type="email" name="address" .value=${inbox.address ?? ''} />`,
                  t('inboxes.address_hint'),
                )
              : field(
                  t('inboxes.zone'),
                  html`<input class="field" name="timeZone" .value=${inbox.timeZone ?? ''} placeholder="Europe/London" />`,
                  t('inboxes.zone_hint'),
                )
        }
        <div class="formacts"><button class="btn pri" type="submit" ?disabled=${this.state === 'busy'}>${t('form.save')}</button>${outcome(this.state)}</div>
      </form></section>`;
  }
}
customElements.define('tl-inboxes', Inboxes);
