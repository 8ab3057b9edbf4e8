import type { html, nothing } from 'lit/html.js';
import type { FileRef } from '../shared/events/parts.js';
import { limits } from '../shared/limits.js';
import type { Client } from './client.js';
import { files } from './parts/files.js';
import { emailForm } from './parts/form.js';
import type { icon } from './parts/icons.js';
import type { Person } from './parts/people.js';
import type { Times } from './parts/time.js';
import type { Shell } from './shell.js';
import sheetText from './styles/extras.css';
import type { Text, TextKey } from './texts/text.js';
import { fileAddresses, type Upload, upload } from './upload.js';

/** Lit and the parts that the panel has loaded: a copy of them here would be loaded twice. */
export interface Kit {
  html: typeof html;
  nothing: typeof nothing;
  icon: typeof icon;
}

/** What the panel lends. */
interface Lender {
  client: Client;
  shell: Shell;
  text: Text;
  times: Times;
  renderRoot: ShadowRoot;
  nameOf: (actor: { type: string; id?: string }) => Person;
  complain: (words: string) => void;
  requestUpdate: () => void;
  updateComplete: Promise<void>;
}

/** Files, the form before the chat, the list of conversations, emoji: a chunk of its own, after the first look. */
export interface Extras {
  attach: (chosen: readonly File[]) => void;
  attached: () => { isReady: boolean; files: FileRef[] };
  /** They went with a message. */
  detach: () => void;
  /** Another person: nothing of the former one's files stays. */
  forget: () => void;
  uploads: () => unknown;
  files: (refs: readonly FileRef[], from: string) => unknown;
  form: (done: () => void) => unknown;
  list: (choose: (id: string | null) => void, closeButton: unknown) => unknown;
  emoji: (insert: (one: string) => void) => unknown;
  menu: (entries: readonly (readonly [TextKey, () => void])[]) => unknown;
  /** A message that came while the chat was closed, beside the launcher. */
  peek: (said: Person & { text: string }, open: () => void, dismiss: () => void) => unknown;
}

const emoji = [...'😀😊😂😍😉🤔😢😡👍👎👋🙏👏💪🎉🤝🔥⭐✅❌❓⏰📦🚲'];

export function createExtras(panel: Lender, kit: Kit): Extras {
  const { html, nothing, icon } = kit;
  const { client, shell } = panel;
  const token = (): string => client.token();
  const addresses = fileAddresses(shell.base, token);
  const redraw = (): void => panel.requestUpdate();
  let uploads: Upload[] = [];
  let isEmailWrong = false;

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(sheetText);
  panel.renderRoot.adoptedStyleSheets.push(sheet);

  function uploadRow(one: Upload): unknown {
    const { text } = panel;
    const { name } = one;
    const drop = (): void => {
      one.abort();
      uploads = uploads.filter((other) => other !== one);
      redraw();
    };
    const words = one.failed ? text('fileFailed', { name }) : one.file ? name : text('uploading', { name });
    return html`<div class="file">
      ${icon(one.failed ? 'alert' : 'clip')}<span class="cut">${words}</span>
      ${one.file || one.failed ? nothing : html`<progress .value=${one.progress} aria-label=${words}></progress>`}
      ${one.failed ? html`<button type="button" class="lk" @click=${one.retry}>${text('tryAgain')}</button>` : nothing}
      <button type="button" class="ib" aria-label="${text('remove')} ${name}" @click=${drop}>${icon('x')}</button>
    </div>`;
  }

  return {
    attach(chosen) {
      const { text } = panel;
      for (const one of chosen) {
        if (uploads.length >= limits.attachmentsPerMessage) {
          panel.complain(text('filesTooMany', { limit: limits.attachmentsPerMessage }));
          break;
        }
        if (one.size > limits.attachmentBytes) {
          const limit = limits.attachmentBytes / 1024 / 1024;
          panel.complain(text('fileTooLarge', { name: one.name, limit }));
          continue;
        }
        uploads = [...uploads, upload(shell.base, token, one, redraw)];
      }
      redraw();
    },
    attached: () => ({
      isReady: uploads.every(({ file }) => file),
      files: uploads.flatMap(({ file }) => (file ? [file] : [])),
    }),
    detach() {
      uploads = [];
    },
    forget() {
      for (const one of uploads) one.abort();
      uploads = [];
      addresses.forget();
    },
    uploads: () => (uploads.length ? html`<div class="ups">${uploads.map(uploadRow)}</div>` : nothing),
    files: (refs, from) =>
      files(refs, from, kit, {
        addresses,
        text: panel.text,
        locale: shell.locale(),
        onFailure: () => panel.complain(panel.text('noConnection')),
        onLoad: redraw,
      }),
    form: (done) =>
      emailForm(kit, panel.text, isEmailWrong, (said) => {
        const wrong = (): void => {
          isEmailWrong = true;
          redraw();
          void panel.updateComplete.then(() =>
            panel.renderRoot.querySelector<HTMLElement>('[name=email]')?.focus(),
          );
        };
        if (said) client.request('claim', said).then(done, wrong);
        else wrong();
      }),
    list: (choose, closeButton) => {
      const { text, times } = panel;
      const rows = client.conversations.map(({ id, subject, unread, lastAt, status }) => {
        const message = client.delivery.state.threads[id]?.events.findLast(
          (event) => event.kind === 'message',
        );
        const isTheirs = message?.direction === 'out';
        const person = panel.nameOf(isTheirs ? message.actor : { type: 'agent' });
        const said = message?.kind === 'message' ? message.body.text : '';
        return html`<button type="button" class="li ${unread ? 'un' : ''}" @click=${() => choose(id)}>
          ${person.face}
          <span class="l2"
            ><span class="r1"
              ><b class="cut" dir="auto">${subject || text('noSubject')}</b
              ><time datetime=${lastAt}>${times.brief(lastAt)}</time></span
            ><span class="r2"
              ><span class="cut" dir="auto">${said || (status === 'closed' ? text('isClosed') : '')}</span
              >${unread ? html`<span class="cnt">${unread}</span>` : nothing}</span
            ></span
          >
        </button>`;
      });
      return html`<header>
          <div class="ttl"><h2 id="title">${text('conversations')}</h2></div>
          ${closeButton}
        </header>
        <div class="body lst">${rows}</div>
        <div class="new">
          <button type="button" class="btn" @click=${() => choose(null)}>${text('newConversation')}</button>
        </div>`;
    },
    emoji: (insert) =>
      html`<div class="emo">
        ${emoji.map((one) => html`<button type="button" @click=${() => insert(one)}>${one}</button>`)}
      </div>`,
    menu: (entries) =>
      html`<div class="menu">
        ${entries.map(([key, act]) => html`<button type="button" @click=${act}>${panel.text(key)}</button>`)}
      </div>`,
    peek: (said, open, dismiss) =>
      html`<div class="peek" dir=${getComputedStyle(document.documentElement).direction}>
        <button type="button" class="txt" @click=${open}>
          ${said.face}<span><b>${said.name}</b><span class="say" dir="auto">${said.text}</span></span>
        </button>
        <button type="button" class="ib" aria-label=${panel.text('dismiss')} @click=${dismiss}>
          ${icon('x')}
        </button>
      </div>`,
  };
}
