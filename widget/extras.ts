import type { html, nothing } from 'lit/html.js';
import type { Outgoing } from '../shared/delivery/state.js';
import type { ErrorReply } from '../shared/errors.js';
import type { FileRef } from '../shared/events/parts.js';
import { byteLength, codePointLength } from '../shared/length.js';
import { limits } from '../shared/limits.js';
import type { Draft } from './client.js';
import type { ThreadlinePanel } from './panel-element.js';
import { files } from './parts/files.js';
import { emailForm } from './parts/form.js';
import { formatted } from './parts/formatted.js';
import type { icon, iconOf } from './parts/icons.js';
import { list } from './parts/list.js';
import type { link, said } from './parts/message.js';
import sheetText from './styles/extras.css';
import { extrasEn } from './texts/extras-en.js';
import { type ExtrasTexts, isRussian } from './texts/text.js';
import { fileAddresses, type Upload, upload } from './upload.js';

/** Lit and the parts that the panel has loaded: a copy of them here would be loaded twice. */
export interface Kit {
  html: typeof html;
  nothing: typeof nothing;
  icon: typeof icon;
  iconOf: typeof iconOf;
  link: typeof link;
  said: typeof said;
}

/**
 * What few conversations need: files, formatted text, the form before the chat, the list, menu and emoji, the preview of a message,
 * and what the server refused. A chunk of its own, on the first need.
 */
export interface Extras {
  readonly words: ExtrasTexts;
  /** Takes up the language of the shell. */
  speak: () => Promise<void>;
  /** Lets the visitor pick files. */
  pick: () => void;
  attach: (chosen: readonly File[]) => void;
  /** How many files will go with the message; -1 while one is still on its way. */
  ready: () => number;
  /** The files that go with the message which is being sent: they are its own from here on. */
  detach: () => FileRef[];
  /** Another person: nothing of the former one's files stays. */
  forget: () => void;
  /** Says above the composer what went wrong; an empty text takes it back. */
  complain: (said: string) => void;
  /** What stands against sending this text, or went wrong, in words. */
  problem: (text: string) => string;
  /** What stands above the composer. */
  above: (problem: string | undefined) => unknown;
  files: (refs: readonly FileRef[], from: string) => unknown;
  /** What an agent wrote, with its lists, bold words and links. */
  formatted: (text: string) => unknown;
  form: () => unknown;
  list: (closeButton: unknown) => unknown;
  emoji: () => unknown;
  menu: () => unknown;
  /** A message that came while the chat was closed, beside the launcher. */
  peek: (conversationId: string, dismiss: () => void) => unknown;
  /** Why a message was not sent, and what can be done. */
  refused: (item: Outgoing<Draft>) => unknown;
  /** Why the server does not want this page. */
  refusal: (error: ErrorReply) => unknown;
}

const emoji = [...'😀😊😂😍😉🤔😢😡👍👎👋🙏👏💪🎉🤝🔥⭐✅❌❓⏰📦🚲'];
/** lucide (ISC). */
const alert = 'm21.7 18-8-14a2 2 0 0 0-3.5 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.7-3M12 9v4M12 17h.01';

export async function createExtras(panel: ThreadlinePanel, kit: Kit): Promise<Extras> {
  const { html, nothing, icon } = kit;
  const { shell } = panel;
  const addresses = fileAddresses(shell);
  const redraw = (): void => panel.requestUpdate();
  let words: ExtrasTexts = extrasEn;
  let uploads: Upload[] = [];
  let complaint = '';
  let isEmailWrong = false;

  panel.dress(sheetText);
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = input.hidden = true;
  input.onchange = () => {
    attach([...(input.files ?? [])]);
    input.value = '';
  };
  panel.renderRoot.append(input);

  /** A catalogue that does not come leaves what is said here in English. */
  async function speak(): Promise<void> {
    words = isRussian(shell.locale()) ? (await import('./texts/extras-ru.js')).extrasRu : extrasEn;
    redraw();
  }

  function complain(said: string): void {
    complaint = said;
    redraw();
  }

  const warning = (said: string, id = ''): unknown =>
    html`<span class="err" id=${id || nothing}>${kit.iconOf(alert)}${said}</span>`;

  function uploadRow(one: Upload): unknown {
    const { name, failed, file, progress } = one;
    const remove = (): void => {
      one.abort();
      uploads = uploads.filter((other) => other !== one);
    };
    const said = failed ? words.fileFailed(name) : file ? name : words.isUploading(name);
    return html`<div class="file">
      ${failed ? kit.iconOf(alert) : icon('clip')}<span class="cut">${said}</span>
      ${file || failed ? nothing : html`<progress value=${progress} aria-label=${said}></progress>`}
      ${failed ? html`<button type="button" class="lk" @click=${one.retry}>${words.tryAgain}</button>` : nothing}
      <button type="button" class="ib" aria-label="${words.takeOut} ${name}" @click=${remove}>${icon('close')}</button>
    </div>`;
  }

  function attach(chosen: readonly File[]): void {
    for (const one of chosen) {
      if (uploads.length >= limits.attachmentsPerMessage) {
        complain(words.tooManyFiles(limits.attachmentsPerMessage));
        break;
      }
      if (one.size > limits.attachmentBytes) {
        complain(words.fileTooLarge(one.name, limits.attachmentBytes / 1024 / 1024));
        continue;
      }
      uploads = [...uploads, upload(shell, one, redraw)];
    }
    redraw();
  }

  function insert(one: string): void {
    const { field } = panel;
    panel.popup = '';
    field?.focus();
    field?.setRangeText(one, field.selectionStart, field.selectionEnd, 'end');
    field?.dispatchEvent(new Event('input', { bubbles: true }));
  }

  await speak().catch((error) => shell.emit('error', error));

  return {
    get words() {
      return words;
    },
    speak,
    pick: () => input.click(),
    attach,
    ready: () => (uploads.every(({ file }) => file) ? uploads.length : -1),
    detach() {
      const sent = uploads.flatMap(({ file }) => (file ? [file] : []));
      uploads = [];
      return sent;
    },
    forget() {
      for (const one of uploads) one.abort();
      uploads = [];
      complaint = '';
      addresses.forget();
    },
    complain,
    problem(written) {
      const count = codePointLength(written);
      if (count > limits.messageCodePoints) return words.textTooLong(limits.messageCodePoints, count);
      return byteLength(written) > limits.messageBytes ? words.tooManyBytes : complaint;
    },
    above: (problem) =>
      html`${uploads.length ? html`<div class="ups">${uploads.map(uploadRow)}</div>` : nothing}
      ${problem ? html`<p role="alert">${warning(problem, 'problem')}</p>` : nothing}`,
    formatted: (text) => formatted(kit, text),
    files: (refs, from) =>
      files(refs, from, kit, {
        addresses,
        words,
        locale: shell.locale(),
        onFailure: () => complain(panel.words.notConnected),
        onLoad: redraw,
      }),
    form: () =>
      emailForm(kit, words, isEmailWrong && warning(words.emailWrong, 'wrong'), async (said) => {
        try {
          if (!said) throw new Error('That is no address.');
          await panel.client.request('claim', said);
          panel.claimed();
        } catch {
          isEmailWrong = true;
          redraw();
          await panel.updateComplete;
          panel.renderRoot.querySelector<HTMLElement>('[name=email]')?.focus();
        }
      }),
    list: (closeButton) => list(panel, kit, words, closeButton),
    emoji: () =>
      html`<div class="emo">
        ${emoji.map((one) => html`<button type="button" @click=${() => insert(one)}>${one}</button>`)}
      </div>`,
    menu() {
      const entry = (said: string, act: () => void): unknown =>
        html`<button type="button" @click=${act}>${said}</button>`;
      const showList = (): void => {
        panel.choose(panel.thread);
        panel.isList = true;
      };
      const signOut = (): void => {
        panel.popup = '';
        void shell.signOut();
      };
      return html`<div class="menu">
        ${entry(words.newConversation, () => panel.choose(null))}
        ${panel.client.conversations.length ? entry(words.yourConversations, showList) : nothing}
        ${entry(words.signOutHere, signOut)}
      </div>`;
    },
    peek(conversationId, dismiss) {
      const said = panel.client.state.threads[conversationId]?.events.findLast(
        ({ kind }) => kind === 'message',
      );
      if (said?.kind !== 'message' || said.direction !== 'out') return nothing;
      const { name, face } = panel.nameOf(said.actor);
      const { text = '', attachments } = said.body ?? {};
      return html`<div class="peek" dir=${getComputedStyle(document.documentElement).direction}>
        <button type="button" class="txt" @click=${() => panel.show(true)}>
          ${face}<span><b>${name}</b><span class="say" dir="auto">${text || attachments?.[0]?.name}</span></span>
        </button>
        <button type="button" class="ib" aria-label=${words.dismissIt} @click=${dismiss}>
          ${icon('close')}
        </button>
      </div>`;
    },
    refused({ clientId, error }) {
      const { input } = panel.client;
      const whyNot: Record<string, string> = {
        blocked: words.isBlocked,
        too_many_conversations: words.hasTooMany,
      };
      const button = (said: string, type: 'retry' | 'discard'): unknown =>
        html`<button type="button" class="lk" @click=${() => input({ type, clientId })}>${said}</button>`;
      return html`<p class="st">
        <span>${kit.iconOf(alert)} ${whyNot[error?.code ?? ''] ?? words.wasRefused}</span>
        ${button(words.tryAgain, 'retry')} ${button(words.takeOut, 'discard')}
      </p>`;
    },
    refusal: ({ code }) =>
      html`<div class="bar">
        ${icon('cloud')}<span>${code === 'protocol_too_old' ? words.pageOutdated : words.chatUnavailable}</span>
      </div>`,
  };
}
