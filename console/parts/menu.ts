import { html, nothing, type TemplateResult } from 'lit';
import type { IconName } from '../icons/sprite.js';
import { icon } from './icon.js';
import { keyCaps } from './marks.js';
import { View } from './view.js';

export interface MenuItem {
  id: string;
  label: string;
  icon?: IconName;
  /** At the right: a word, or keys. */
  end?: string;
  keys?: readonly string[];
  /** Drawn as the one that holds now. */
  isCurrent?: boolean;
  isDanger?: boolean;
}

/**
 * A button with a menu. Arrows, Home, End and first letters move; Enter chooses; Esc closes and gives the focus back.
 *
 * @event choose - `detail` is the id of the item chosen
 */
export class Menu extends View {
  static override properties = {
    ...View.properties,
    items: { attribute: false },
    trigger: { attribute: false },
    triggerClass: { type: String },
    label: { type: String },
    align: { type: String },
    drop: { type: String },
    isOpen: { state: true },
  };
  declare items: readonly MenuItem[];
  /** What the button shows. */
  declare trigger: TemplateResult | string;
  declare triggerClass: string;
  /** The button's tooltip and the menu's name. */
  declare label: string;
  declare align: 'start' | 'end';
  declare drop: 'down' | 'up';
  declare isOpen: boolean;

  constructor() {
    super();
    this.items = [];
    this.trigger = '';
    this.triggerClass = 'ib';
    this.label = '';
    this.align = 'end';
    this.drop = 'down';
    this.isOpen = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener('keydown', this.#onKeyDown);
    this.addEventListener('focusout', this.#onFocusOut);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.removeEventListener('keydown', this.#onKeyDown);
    this.removeEventListener('focusout', this.#onFocusOut);
  }

  /** Opens it and moves the focus to the item that holds now. */
  open(): void {
    this.isOpen = true;
    void this.updateComplete.then(() => {
      const current = this.#options().find((option) => option.getAttribute('aria-checked') === 'true');
      (current ?? this.#options()[0])?.focus();
    });
  }

  close(): void {
    if (!this.isOpen) return;
    const hadFocus = this.contains(document.activeElement);
    this.isOpen = false;
    if (hadFocus) this.querySelector<HTMLButtonElement>(':scope > button')?.focus();
  }

  #options(): HTMLButtonElement[] {
    return [...this.querySelectorAll<HTMLButtonElement>('.opt')];
  }

  #onFocusOut = (event: FocusEvent) => {
    if (event.relatedTarget instanceof Node && this.contains(event.relatedTarget)) return;
    this.isOpen = false;
  };

  #onKeyDown = (event: KeyboardEvent) => {
    if (!this.isOpen) return;
    const options = this.#options();
    const { activeElement } = document;
    const at = activeElement instanceof HTMLButtonElement ? options.indexOf(activeElement) : -1;
    const move = (to: number) => options[(to + options.length) % options.length]?.focus();
    if (event.key === 'Escape' || event.key === 'Tab') this.close();
    else if (event.key === 'ArrowDown') move(at + 1);
    else if (event.key === 'ArrowUp') move(at === -1 ? options.length - 1 : at - 1);
    else if (event.key === 'Home') move(0);
    else if (event.key === 'End') move(-1);
    else if (event.key.length === 1 && event.key !== ' ' && !event.ctrlKey && !event.metaKey) {
      const letter = event.key.toLocaleLowerCase();
      const after = [...options.slice(at + 1), ...options.slice(0, at + 1)];
      after.find((option) => option.textContent?.trim().toLocaleLowerCase().startsWith(letter))?.focus();
    } else return;
    // The page's own keys are not meant while a menu is open.
    event.stopPropagation();
    if (event.key !== 'Tab') event.preventDefault();
  };

  #choose(id: string): void {
    this.close();
    this.dispatchEvent(new CustomEvent('choose', { detail: id }));
  }

  protected override render() {
    return html`<button
        type="button"
        class=${this.triggerClass}
        title=${this.label}
        aria-label=${/^(ib|btn pri)/.test(this.triggerClass) ? this.label : nothing}
        aria-haspopup="menu"
        aria-expanded=${this.isOpen}
        @click=${() => (this.isOpen ? this.close() : this.open())}
      >
        ${this.trigger}
      </button>
      ${
        this.isOpen
          ? html`<div class="pop menu ${this.align} ${this.drop}" role="menu" aria-label=${this.label}>
              <div class="opts" role="presentation">
                ${this.items.map(
                  (item) => html`<button
                    type="button"
                    class="opt ${item.isDanger ? 'danger' : ''}"
                    role=${item.isCurrent === undefined ? 'menuitem' : 'menuitemradio'}
                    aria-checked=${item.isCurrent === undefined ? nothing : String(item.isCurrent)}
                    tabindex="-1"
                    @click=${() => this.#choose(item.id)}
                  >
                    ${item.icon ? icon(item.icon) : nothing}<span class="cut">${item.label}</span
                    ><span class="end"
                      >${item.end ?? nothing}${item.keys ? keyCaps(item.keys) : nothing}${
                        item.isCurrent ? icon('check', 's') : nothing
                      }</span
                    >
                  </button>`,
                )}
              </div>
            </div>`
          : nothing
      }`;
  }
}
customElements.define('tl-menu', Menu);
declare global {
  interface HTMLElementTagNameMap {
    'tl-menu': Menu;
  }
}
