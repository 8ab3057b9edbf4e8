import { html } from 'lit';
import { icon } from '../parts/icon.js';
import { face } from '../parts/marks.js';
import { withKey } from '../parts/tooltip.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import './glance.js';
import { loadPicture } from './load.js';
import { monthsUpTo } from './picture.js';

/** The customer folded into a strip, where the window is narrow: face, name, twelve months, one button. */
class Strip extends View {
  static override properties = {
    ...View.properties,
    contactId: { attribute: false },
    name: { attribute: false },
  };
  declare contactId: string;
  declare name: string | null;
  #asked = '';

  protected override watched() {
    return [this.app.pictures.of(this.contactId), this.app.clock];
  }

  protected override updated(): void {
    // Hidden on a wide window: then the pane beside it asks.
    if (this.#asked === this.contactId || this.offsetParent === null) return;
    this.#asked = this.contactId;
    void loadPicture(this.app, this.contactId);
  }

  protected override render() {
    const { app } = this;
    const picture = app.pictures.of(this.contactId).get();
    return html`<div class="strip">
      ${face({ id: this.contactId, name: this.name }, { size: 'm', customer: true })}
      <b class="hide-sm strip-name cut" dir="auto">${this.name ?? t('contact.unnamed')}</b>
      <figure class="glance g-any"><tl-glance .app=${app} .marks=${picture?.marks ?? []} .range=${monthsUpTo(new Date(app.clock.get()), null)} .style_=${'strip'} .window=${null} @jump=${() => app.keys.run('timeline')}></tl-glance></figure>
      <button class="ib" type="button" title=${withKey(app, t('strip.open'), 'timeline')} aria-label=${t('strip.open')} @click=${() => app.keys.run('timeline')}>${icon('panel-right')}</button>
    </div>`;
  }
}
customElements.define('tl-strip', Strip);
