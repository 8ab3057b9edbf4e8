import { render } from 'lit/html.js';

/**
 * The part of LitElement that the panel needs, on lit's own templates: renders at most once a microtask, into a shadow
 * root whose styles need no `style-src`. LitElement itself is a sixth of the widget's whole budget.
 */
export abstract class View extends HTMLElement {
  readonly renderRoot: ShadowRoot = this.attachShadow({ mode: 'open' });
  /** Resolves when what was asked for last is on the screen. */
  updateComplete: Promise<void> = Promise.resolve();
  #isDue = false;

  /** Adds a style sheet's text. */
  dress(css: string): void {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.renderRoot.adoptedStyleSheets.push(sheet);
  }

  requestUpdate(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.updateComplete = Promise.resolve().then(() => {
      this.#isDue = false;
      if (!this.isConnected) return;
      this.willUpdate();
      render(this.picture(), this.renderRoot);
      this.updated();
    });
  }

  protected abstract willUpdate(): void;
  protected abstract picture(): unknown;
  protected abstract updated(): void;
}
