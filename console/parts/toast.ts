import { html, nothing } from 'lit';
import { drawnTogether } from '../keys/registry.js';
import type { Toast } from '../state/console.js';
import { t } from '../texts/text.js';
import { keyCaps } from './marks.js';
import { View } from './view.js';

const shownMs = 8_000;

/** What was just done, and how to undo it. One at a time; it stays while hovered or focused. */
class ToastView extends View {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown: Toast | null = null;
  #stopKeys: (() => void) | undefined;

  protected override watched() {
    return [this.app.toast];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#stopKeys?.();
  }

  protected override updated(): void {
    const toast = this.app.toast.get();
    if (toast === this.#shown) return;
    this.#shown = toast;
    this.#stopKeys?.();
    this.#stopKeys = toast?.undo ? this.app.keys.handle({ undo: () => this.#undo() }) : undefined;
    this.#leaveSoon();
  }

  #leaveSoon = () => {
    clearTimeout(this.#timer);
    if (this.app.toast.get()) this.#timer = setTimeout(() => this.app.toast.set(null), shownMs);
  };
  #stay = () => clearTimeout(this.#timer);

  #undo(): void {
    const toast = this.app.toast.get();
    this.app.toast.set(null);
    toast?.undo?.();
  }

  protected override render() {
    const toast = this.app.toast.get();
    return html`<div role="status" aria-live="polite">${
      toast
        ? html`<div class="toast at ${toast.undo ? '' : 'plain'}" @pointerenter=${this.#stay} @pointerleave=${this.#leaveSoon} @focusin=${this.#stay} @focusout=${this.#leaveSoon}>
            <span>${toast.text}</span>${toast.undo ? html`<button class="btn" type="button" @click=${() => this.#undo()}>${t('toast.undo')}${keyCaps([drawnTogether('undo', this.app.keys.isMac)])}</button>` : nothing}
          </div>`
        : nothing
    }</div>`;
  }
}
customElements.define('tl-toast', ToastView);
