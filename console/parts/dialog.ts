import { View } from './view.js';

/** A modal dialog that removes itself when closed. Its `render` draws one `<dialog>`. */
export abstract class Dialog extends View {
  #before: Element | null = null;

  protected override firstUpdated(): void {
    this.#before = document.activeElement;
    const dialog = this.querySelector('dialog');
    if (!dialog) return;
    dialog.addEventListener('close', () => {
      this.remove();
      if (this.#before instanceof HTMLElement && this.#before.isConnected) this.#before.focus();
      this.closed();
    });
    // A click beside it closes it; a click in it does not.
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.showModal();
  }

  /** Told once it is gone. */
  protected closed(): void {}

  protected close(): void {
    this.querySelector('dialog')?.close();
  }
}
