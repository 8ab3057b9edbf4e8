import { html, nothing } from 'lit';
import type { ErrorReply } from '../../shared/errors.js';
import { replyOf } from '../api/request.js';
import { icon } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import { type CleanMail, cleanMail } from './mail-html.js';

const sheetStyle = `
  :root { color-scheme: light; background: #fff; color: #1b1f1d; font: 14px/1.5 system-ui, sans-serif; }
  body { margin: 0; padding: 12px 16px; overflow-wrap: anywhere; }
  img { max-width: 100%; height: auto; }
  a { color: #1d6b54; }
`;

/**
 * An e-mail's own layout, on its own white sheet. The HTML is cleaned, then stands in a frame that runs no scripts
 * and, until the agent asks for it, fetches nothing: its own policy allows embedded pictures alone.
 */
class MailSheet extends View {
  static override properties = {
    ...View.properties,
    eventId: { attribute: false },
    source: { state: true },
    error: { state: true },
    allowRemote: { state: true },
    blocked: { state: true },
  };
  declare eventId: string;
  declare source: string | null;
  declare error: ErrorReply | null;
  declare allowRemote: boolean;
  declare blocked: number;
  #sizes: ResizeObserver | undefined;

  constructor() {
    super();
    this.source = null;
    this.error = null;
    this.allowRemote = false;
    this.blocked = 0;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.source === null) void this.#load();
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sizes?.disconnect();
  }

  async #load(): Promise<void> {
    this.error = null;
    try {
      this.source = await this.app.api.emailHtml(this.eventId);
    } catch (error) {
      this.error = replyOf(error);
    }
  }

  #fill = (event: Event) => {
    const frame = event.currentTarget;
    if (!(frame instanceof HTMLIFrameElement) || this.source === null) return;
    const page = frame.contentDocument;
    if (!page) return;
    const clean = cleanMail(this.source, { allowRemote: this.allowRemote });
    this.blocked = clean.blocked;
    writeInto(page, clean);
    const fitHeight = () => {
      frame.style.height = `${Math.min(4_000, Math.max(40, page.body.scrollHeight))}px`;
    };
    this.#sizes?.disconnect();
    this.#sizes = new ResizeObserver(() => requestAnimationFrame(fitHeight));
    this.#sizes.observe(page.body);
    fitHeight();
  };

  protected override render() {
    if (this.error)
      return html`<p class="err" role="alert">${icon('triangle-alert', 'xs')}${t('mail.html_failed')}
        <button class="link" type="button" @click=${() => void this.#load()}>${t('failure.retry')}</button></p>`;
    if (this.source === null) return nothing;
    // The frame that may fetch pictures is a page of the server's with a policy of its own.
    return html`${
      this.blocked > 0 && !this.allowRemote
        ? html`<p class="held-back">${icon('image-off', 's')}<span class="grow">${t('mail.blocked', { count: this.blocked })}</span
              ><button class="link" type="button" @click=${() => {
                this.allowRemote = true;
              }}>${t('mail.show_remote')}</button></p>`
        : nothing
    }
      ${
        this.allowRemote
          ? html`<iframe class="mail-sheet" title=${t('mail.sheet')} sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" src="/mail-frame.html" @load=${this.#fill}></iframe>`
          : html`<iframe class="mail-sheet" title=${t('mail.sheet')} sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" .srcdoc=${blankPage} @load=${this.#fill}></iframe>`
      }`;
  }
}
customElements.define('tl-mail-sheet', MailSheet);

const blankPage =
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:">` +
  '<meta name="referrer" content="no-referrer"><title>E-mail</title></head><body></body></html>';

/** Puts the cleaned mail into a frame's page. Styles come as objects, so that no policy has to allow inline ones. */
function writeInto(page: Document, mail: CleanMail): void {
  const view = page.defaultView;
  page.body.innerHTML = mail.body;
  for (const element of page.querySelectorAll<HTMLElement>('[data-style]')) {
    element.style.cssText = element.dataset.style ?? '';
    element.removeAttribute('data-style');
    // A mail cannot lay itself over the console: it stays in its frame; but it should not hide its own text either.
    if (element.style.position === 'fixed') element.style.position = 'static';
  }
  if (!view) return;
  page.adoptedStyleSheets = [sheetStyle, ...mail.styles].map((css) => {
    const sheet = new view.CSSStyleSheet();
    sheet.replaceSync(css);
    return sheet;
  });
}
