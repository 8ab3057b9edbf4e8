import { html, nothing } from 'lit';
import type { FileRef } from '../../shared/events/parts.js';
import { replyOf } from '../api/request.js';
import { icon } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import { fileSize } from '../texts/time.js';

/** Types that a browser draws as a picture and cannot run. The server read them from the bytes. */
const pictures = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']);
const previewBytes = 10 * 1024 * 1024;

/** A file of a message: a picture is shown, all else is a row that saves it. */
class FileView extends View {
  static override properties = {
    ...View.properties,
    file: { attribute: false },
    url: { state: true },
    failed: { state: true },
  };
  declare file: FileRef;
  declare url: string | null;
  declare failed: boolean;

  constructor() {
    super();
    this.url = null;
    this.failed = false;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  get #isPicture(): boolean {
    return pictures.has(this.file.type) && this.file.size <= previewBytes;
  }

  protected override firstUpdated(): void {
    // Files ask for the agent's token, which an <img> does not send: the bytes come by fetch and stand under a blob.
    if (this.#isPicture) void this.#load();
  }

  async #load(): Promise<void> {
    try {
      const blob = await this.app.api.file(this.file.fileId);
      if (this.isConnected) this.url = URL.createObjectURL(new Blob([blob], { type: this.file.type }));
    } catch (error) {
      replyOf(error);
      this.failed = true;
    }
  }

  async #save(): Promise<void> {
    try {
      const url = URL.createObjectURL(await this.app.api.file(this.file.fileId));
      const link = document.createElement('a');
      link.href = url;
      link.download = this.file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      replyOf(error);
      this.failed = true;
    }
  }

  protected override render() {
    const { file } = this;
    if (this.#isPicture && !this.failed)
      return html`<a class="photo ${this.url ? '' : 'empty'}" href=${this.url ?? nothing} target="_blank" rel="noopener"
          >${this.url ? html`<img src=${this.url} alt=${t('file.picture', { name: file.name })} />` : nothing}</a
        >
        <p class="cap">${file.name}, ${fileSize(file.size)}</p>`;
    return html`<button class="file" type="button" title=${t('file.save', { name: file.name })} @click=${() => void this.#save()}>
        ${icon('file-text')}<span class="cut grow">${file.name}</span><span class="lab num">${fileSize(file.size)}</span>
      </button>
      ${this.failed ? html`<p class="err" role="alert">${icon('triangle-alert', 'xs')}${t('file.failed')}</p>` : nothing}`;
  }
}
customElements.define('tl-file', FileView);
