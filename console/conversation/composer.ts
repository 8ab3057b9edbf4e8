import { html, nothing, type PropertyValues } from 'lit';
import { live as liveValue } from 'lit/directives/live.js';
import type { ConversationDetail } from '../../shared/api.js';
import type { FileRef } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import { byteLength, codePointLength } from '../../shared/text.js';
import { replyOf } from '../api/request.js';
import { drawnKeys, drawnTogether } from '../keys/registry.js';
import { icon } from '../parts/icon.js';
import '../parts/menu.js';
import { withKey } from '../parts/tooltip.js';
import { View } from '../parts/view.js';
import { firstName } from '../state/console.js';
import { t } from '../texts/text.js';
import { fileSize } from '../texts/time.js';
import { changeStatus } from './actions.js';
import type { Mode } from './drafts.js';

interface Attachment {
  key: string;
  file: File;
  state: 'uploading' | 'ready' | 'failed';
  ref?: FileRef;
  problem?: string;
  /** Trying again cannot help: it is too large. */
  isFinal?: boolean;
}

const typingEveryMs = 3_000;

/** Where an answer is written: reply or private note, how it travels, files, and sending. */
export class Composer extends View {
  static override properties = {
    ...View.properties,
    conversationId: { attribute: false },
    mode: { state: true },
    text: { state: true },
    attachments: { state: true },
    isDragged: { state: true },
  };
  declare conversationId: string;
  declare mode: Mode;
  declare text: string;
  declare attachments: readonly Attachment[];
  declare isDragged: boolean;

  #shown: string | null = null;
  #stopKeys: (() => void) | undefined;
  /** Asked for before it was known how the customer is reached. */
  #sendWhenKnown: { andClose: boolean } | null = null;
  #typingAt = Number.NEGATIVE_INFINITY;
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #kept = new Map<string, readonly Attachment[]>();

  constructor() {
    super();
    this.mode = 'reply';
    this.text = '';
    this.attachments = [];
    this.isDragged = false;
  }

  protected override watched() {
    const { details, rows, contacts, offlineSince, writing } = this.app;
    const row = rows.of(this.conversationId).get();
    return [
      details.of(this.conversationId),
      rows.of(this.conversationId),
      offlineSince,
      writing,
      ...(row ? [contacts.of(row.contact.id)] : []),
    ];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopKeys = this.app.keys.handle({
      send: () => this.#send(false),
      'send-close': () => this.#send(true),
    });
    document.addEventListener('visibilitychange', this.#save);
    addEventListener('pagehide', this.#save);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#save();
    this.#stopKeys?.();
    document.removeEventListener('visibilitychange', this.#save);
    removeEventListener('pagehide', this.#save);
  }

  /** Opens the composer in a mode and moves the caret to the end. */
  write(mode: Mode): void {
    this.#switch(mode);
    void this.updateComplete.then(() => {
      const area = this.querySelector('textarea');
      area?.focus();
      area?.setSelectionRange(area.value.length, area.value.length);
    });
  }

  protected override willUpdate(): void {
    super.willUpdate();
    if (this.#shown === this.conversationId) return;
    this.#sendWhenKnown = null;
    if (this.#shown !== null) {
      this.#save();
      this.#kept.set(this.#shown, this.attachments);
    }
    this.#shown = this.conversationId;
    const hasNote =
      this.app.drafts.read(this.conversationId, 'reply') === '' &&
      this.app.drafts.read(this.conversationId, 'note') !== '';
    this.mode = hasNote ? 'note' : 'reply';
    this.text = this.app.drafts.read(this.conversationId, this.mode);
    this.attachments = this.#kept.get(this.conversationId) ?? [];
  }

  protected override updated(_changed: PropertyValues): void {
    const wanted = this.app.writing.get();
    if (wanted?.conversationId === this.conversationId) {
      this.app.writing.set(null);
      this.write(wanted.mode);
    }
    // A conversation nobody can be answered in still takes notes.
    const reply = this.#reply();
    if (reply?.by === 'none' && this.mode === 'reply') this.#switch('note');
    else if (reply && this.#sendWhenKnown) {
      const { andClose } = this.#sendWhenKnown;
      this.#sendWhenKnown = null;
      this.#send(andClose);
    }
  }

  #reply(): ConversationDetail['reply'] | null {
    const detail = this.app.details.of(this.conversationId).get();
    return detail.state === 'ready' ? detail.value.reply : null;
  }

  #switch(mode: Mode): void {
    if (mode !== this.mode) {
      this.#sendWhenKnown = null;
      this.#save();
      this.mode = mode;
    }
    this.text = this.app.drafts.read(this.conversationId, mode);
  }

  #save = () => {
    clearTimeout(this.#saveTimer);
    if (this.#shown !== null) this.app.drafts.write(this.#shown, this.mode, this.text);
  };

  #onInput(event: InputEvent & { currentTarget: HTMLTextAreaElement }): void {
    this.text = event.currentTarget.value;
    this.#sendWhenKnown = null;
    clearTimeout(this.#saveTimer);
    this.#saveTimer = setTimeout(this.#save, 300);
    const now = performance.now();
    if (this.mode === 'reply' && this.text !== '' && now - this.#typingAt > typingEveryMs) {
      this.#typingAt = now;
      this.#tellTyping(true);
    }
  }

  #tellTyping(typing: boolean): void {
    if (!typing) {
      if (this.#typingAt === Number.NEGATIVE_INFINITY) return;
      this.#typingAt = Number.NEGATIVE_INFINITY;
    }
    this.app.live.request('typing', { conversationId: this.conversationId, typing }).catch(() => undefined);
  }

  /** Why the text cannot go as it is; null when it can. */
  #problem(): string | null {
    const length = codePointLength(this.text);
    if (length > limits.messageCodePoints)
      return t('composer.too_long', { count: length, limit: limits.messageCodePoints });
    if (byteLength(this.text) > limits.messageBytes)
      return t('composer.too_many_bytes', { limit: fileSize(limits.messageBytes) });
    return null;
  }

  #canSend(): boolean {
    const reply = this.#reply();
    if (reply === null || (this.mode === 'reply' && reply.by === 'none')) return false;
    if (this.#problem() !== null || this.attachments.some((one) => one.state !== 'ready')) return false;
    return this.text.trim() !== '' || this.attachments.length > 0;
  }

  #send(andClose: boolean): void {
    // Faster than the answer to how this customer is reached: it goes as soon as that is known.
    if (this.#reply() === null) this.#sendWhenKnown = { andClose };
    if (!this.#canSend()) return;
    this.app.sync.send(this.conversationId, {
      mode: this.mode,
      text: this.text.trim(),
      attachments: this.attachments.flatMap((one) => (one.ref ? [one.ref] : [])),
    });
    this.#tellTyping(false);
    this.text = '';
    this.attachments = [];
    this.#kept.delete(this.conversationId);
    this.#save();
    if (andClose && this.mode === 'reply') void changeStatus(this.app, this.conversationId, 'closed');
  }

  #attach(files: Iterable<File>): void {
    for (const file of files) {
      const key = crypto.randomUUID();
      if (this.attachments.length >= limits.attachmentsPerMessage) {
        this.#set({
          key,
          file,
          state: 'failed',
          isFinal: true,
          problem: t('attach.too_many', { count: limits.attachmentsPerMessage }),
        });
        return;
      }
      if (file.size > limits.attachmentBytes) {
        this.#set({
          key,
          file,
          state: 'failed',
          isFinal: true,
          problem: t('attach.too_large', { limit: fileSize(limits.attachmentBytes) }),
        });
        continue;
      }
      void this.#upload({ key, file, state: 'uploading' });
    }
  }

  async #upload(attachment: Attachment): Promise<void> {
    this.#set({ key: attachment.key, file: attachment.file, state: 'uploading' });
    try {
      const ref = await this.app.api.upload(attachment.file);
      this.#set({ ...attachment, state: 'ready', ref });
    } catch (error) {
      this.#set({ ...attachment, state: 'failed', problem: t(`error.${replyOf(error).code}`) });
    }
  }

  #set(attachment: Attachment): void {
    this.attachments = this.attachments.some((one) => one.key === attachment.key)
      ? this.attachments.map((one) => (one.key === attachment.key ? attachment : one))
      : [...this.attachments, attachment];
  }

  #onPaste = (event: ClipboardEvent) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    this.#attach(files);
  };

  #onDrop = (event: DragEvent) => {
    event.preventDefault();
    this.isDragged = false;
    this.#attach([...(event.dataTransfer?.files ?? [])]);
  };

  protected override render() {
    const { app } = this;
    const row = app.rows.of(this.conversationId).get();
    const reply = this.#reply();
    const isNote = this.mode === 'note';
    const name = row?.contact.name;
    const problem = this.#problem();
    const sendKeys = drawnTogether('send', app.keys.isMac);
    const tab = (mode: Mode, label: string, glyph: 'reply' | 'lock') => html`<button
      type="button"
      class="mode"
      role="tab"
      aria-selected=${this.mode === mode}
      ?disabled=${mode === 'reply' && reply?.by === 'none'}
      title=${withKey(app, label, mode)}
      @click=${() => this.write(mode)}
    >${icon(glyph, 's')}<span>${label}</span></button>`;
    return html`<form
      class="composer ${isNote ? 'is-note' : ''} ${this.isDragged ? 'is-dragged' : ''}"
      aria-label=${t(isNote ? 'note.private' : 'composer.reply')}
      @submit=${(event: Event) => {
        event.preventDefault();
        this.#send(false);
      }}
      @dragover=${(event: DragEvent) => {
        if (!event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        this.isDragged = true;
      }}
      @dragleave=${() => {
        this.isDragged = false;
      }}
      @drop=${this.#onDrop}
    >
      <div class="modes">
        <span class="tabs" role="tablist" aria-label=${t('composer.modes')}>${tab('reply', t('composer.reply'), 'reply')}${tab('note', t(isNote ? 'note.private' : 'composer.note'), 'lock')}</span>
        <span class="via">${isNote ? html`${icon('eye-off', 's')}<span class="cut">${t('note.only_team')}</span>` : this.#via(reply)}</span>
      </div>
      ${!isNote && reply?.by === 'email' ? this.#recipients(reply) : nothing}
      ${!isNote && reply?.by === 'email' && !reply.configured ? html`<p class="notice">${icon('triangle-alert', 's')}<span>${t('composer.mail_off')}</span></p>` : nothing}
      <textarea
        class="text"
        aria-label=${t(isNote ? 'note.private' : 'composer.reply')}
        placeholder=${isNote ? t('composer.note_placeholder') : t('composer.placeholder', { name: name ? firstName(name) : t('composer.customer') })}
        dir="auto"
        rows="2"
        aria-invalid=${problem !== null}
        aria-describedby="composer-problem"
        .value=${liveValue(this.text)}
        @input=${this.#onInput}
        @paste=${this.#onPaste}
        @blur=${() => {
          this.#save();
          this.#tellTyping(false);
        }}
      ></textarea>
      <div id="composer-problem" role="alert">${problem ? html`<p class="err in-composer">${icon('triangle-alert', 'xs')}${problem}</p>` : nothing}</div>
      ${this.attachments.length > 0 ? html`<ul class="attached">${this.attachments.map((one) => this.#attachment(one))}</ul>` : nothing}
      <div class="tools">
        <button class="ib" type="button" title=${t('attach.label')} aria-label=${t('attach.label')} @click=${() => this.querySelector<HTMLInputElement>('input[type=file]')?.click()}>${icon('paperclip')}</button>
        <input type="file" multiple hidden @change=${(event: Event & { currentTarget: HTMLInputElement }) => {
          this.#attach([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }} />
        <span class="grow"></span>
        ${
          isNote
            ? html`<button class="btn pri send" type="submit" ?disabled=${!this.#canSend()}><span>${t('composer.add_note')}</span><span class="kbd" aria-hidden="true">${sendKeys}</span></button>`
            : html`<span class="split"
                ><button class="btn pri send" type="submit" ?disabled=${!this.#canSend()} title=${withKey(app, t('key.send'), 'send')}><span>${t('key.send')}</span><span class="kbd" aria-hidden="true">${sendKeys}</span></button
                ><tl-menu
                  .app=${app}
                  .items=${[{ id: 'close', label: t('key.send_close'), icon: 'check' as const, keys: drawnKeys('send-close', app.keys.isMac) }]}
                  .label=${t('composer.more_ways')}
                  .drop=${'up'}
                  .triggerClass=${this.#canSend() ? 'btn pri' : 'btn pri off'}
                  .trigger=${icon('chevron-down', 's')}
                  @choose=${() => this.#send(true)}
                ></tl-menu
              ></span>`
        }
      </div>
    </form>`;
  }

  /** How the answer travels, said before anything is typed. */
  #via(reply: ConversationDetail['reply'] | null) {
    const row = this.app.rows.of(this.conversationId).get();
    if (!reply || !row) return nothing;
    const name = row.contact.name ? firstName(row.contact.name) : t('composer.customer');
    if (this.app.offlineSince.get() !== null && reply.by !== 'none')
      return html`${icon(reply.by === 'chat' ? 'message-circle' : 'mail', 's', reply.by === 'chat' ? 'c-chat' : 'c-mail')}<span class="cut">${t('composer.offline')}</span>`;
    switch (reply.by) {
      case 'chat': {
        const contact = this.app.contacts.of(row.contact.id).get();
        const online =
          contact.state === 'ready' && contact.value.visit ? contact.value.visit.online : reply.online;
        return html`${icon('message-circle', 's', 'c-chat')}<span class="hide-sm">${t('composer.by_chat')}</span><span class="cut">${t(online ? 'composer.online' : 'composer.away', { name })}</span>`;
      }
      case 'email':
        return html`${icon('mail', 's', 'c-mail')}<span class="cut">${t('composer.by_email', { address: reply.to })}${reply.cc.length > 0 ? `, ${t('composer.cc_count', { count: reply.cc.length })}` : ''}</span>`;
      case 'none':
        return html`<span class="cut">${t(`composer.none_${reply.reason}`)}</span>`;
    }
  }

  #recipients(reply: Extract<ConversationDetail['reply'], { by: 'email' }>) {
    const detail = this.app.details.of(this.conversationId).get();
    const answersTo = detail.state === 'ready' ? detail.value.answersTo : undefined;
    return html`<div class="to">
      <span class="lab">${t('mail.to')}</span><span class="tag ${reply.proved ? '' : 'unp'}" title=${reply.proved ? nothing : t('proof.mail_none')}>${reply.proved ? nothing : icon('circle-dashed', 'xs')}${reply.to}</span>
      ${reply.cc.length > 0 ? html`<span class="lab">${t('mail.cc')}</span>${reply.cc.map((one) => html`<span class="tag">${one}</span>`)}` : nothing}
      ${answersTo ? html`<span class="lab warn-text">${t('mail.answers_to', { address: answersTo })}</span>` : nothing}
    </div>`;
  }

  #attachment(one: Attachment) {
    return html`<li class="file ${one.state === 'failed' ? 'bad' : ''}">
        ${icon('file-text')}<span class="cut grow">${one.file.name}</span>
        <span class="lab num">${one.state === 'uploading' ? t('attach.uploading') : fileSize(one.file.size)}</span>
        ${one.state === 'failed' && !one.isFinal ? html`<button class="ib" type="button" title=${t('failure.retry')} aria-label=${t('attach.retry', { name: one.file.name })} @click=${() => void this.#upload(one)}>${icon('rotate-cw', 's')}</button>` : nothing}
        <button class="ib" type="button" title=${t('attach.remove')} aria-label=${t('attach.remove_name', { name: one.file.name })} @click=${() => {
          this.attachments = this.attachments.filter((other) => other.key !== one.key);
        }}>${icon('x', 's')}</button>
      </li>
      ${one.problem ? html`<li class="err" role="alert">${icon('triangle-alert', 'xs')}${one.problem}</li>` : nothing}`;
  }
}
customElements.define('tl-composer', Composer);
