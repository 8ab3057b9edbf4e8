import { html } from 'lit';
import { Dialog } from '../parts/dialog.js';
import { icon } from '../parts/icon.js';
import { keyCaps } from '../parts/marks.js';
import { addressOf } from '../router.js';
import { t } from '../texts/text.js';
import { commandIds, commands, drawnKeys, groups } from './registry.js';

/** Every key, by what it is for. Drawn from the registry: what is not there does not exist. */
class Sheet extends Dialog {
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.app.overlay.set(null);
  }
  protected override closed(): void {
    this.app.overlay.set(null);
  }

  protected override render() {
    const { app } = this;
    const route = app.route.get();
    const settings =
      'workspaceId' in route
        ? addressOf({ page: 'settings', workspaceId: route.workspaceId, section: 'profile' })
        : '/';
    return html`<dialog class="pop sheet" aria-labelledby="sheet-title">
      <header><h2 id="sheet-title">${t('sheet.title')}</h2><span class="lab">${t(app.preferences.get().shortcuts ? 'sheet.typing' : 'sheet.off')}</span><span class="grow"></span><a class="link" href=${settings} @click=${() => this.close()}>${t('sheet.change')}</a><button class="ib" type="button" autofocus title=${t('dialog.close')} aria-label=${t('dialog.close')} @click=${() => this.close()}>${icon('x')}</button></header>
      <div class="keys">${groups.map(
        (group) =>
          html`<section><h3>${t(`keys.${group}`)}</h3>${commandIds
            .filter((id) => commands[id].group === group && commands[id].keys.length > 0)
            .map(
              (id) =>
                html`<div><span>${t(commands[id].label)}</span><span>${keyCaps(drawnKeys(id, app.keys.isMac))}<span class="vh">${drawnKeys(id, app.keys.isMac).join(' ')}</span></span></div>`,
            )}</section>`,
      )}</div>
    </dialog>`;
  }
}
customElements.define('tl-sheet', Sheet);
