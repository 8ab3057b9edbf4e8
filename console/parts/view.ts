import { LitElement } from 'lit';
import type { Console } from '../state/console.js';
import type { Watchable } from '../state/slice.js';

/**
 * What every element of the console is built on. Elements render into the light DOM: the look is one stylesheet,
 * and ids of labels and descriptions reach across elements. An element names the slices it shows in `watched()`;
 * it wakes for those alone.
 */
export abstract class View extends LitElement {
  static override properties = { app: { attribute: false } };
  declare app: Console;

  #watched: readonly Watchable[] = [];
  #stops: (() => void)[] = [];

  /** The slices this element shows. Asked before each rendering: it may depend on properties. */
  protected watched(): readonly Watchable[] {
    return [];
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) {
      this.requestUpdate();
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch();
  }

  protected override willUpdate(): void {
    const watched = this.app ? this.watched() : [];
    if (
      this.#stops.length > 0 &&
      watched.length === this.#watched.length &&
      watched.every((w, i) => w === this.#watched[i])
    )
      return;
    this.#unwatch();
    this.#watched = watched;
    this.#stops = watched.map((slice) => slice.subscribe(() => this.requestUpdate()));
  }

  #unwatch(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }
}
