import { html } from 'lit';
import { Dialog } from '../parts/dialog.js';
import { icon } from '../parts/icon.js';
import { keyCaps } from '../parts/marks.js';
import { addressOf } from '../router.js';
import { type TextKey, t } from '../texts/text.js';
import { type CommandGroup, type CommandId, commandIds, commands, drawnKeys } from './registry.js';

const columns: readonly (readonly CommandGroup[])[] = [
  ['move', 'go'],
  ['answer', 'conversation'],
  ['timeline'],
];
/** Commands that are told in one line with another. */
const told: Partial<Record<CommandId, { label: TextKey; ids: readonly CommandId[] }>> = {
  next: { label: 'sheet.next_previous', ids: ['previous'] },
  'only-chat': { label: 'sheet.only_channel', ids: ['only-email', 'only-phone'] },
};
const isTold = new Set(Object.values(told).flatMap(({ ids }) => ids));

/** Every key, by what it is for. Drawn from the registry: what is not there does not exist. */
class Sheet extends Dialog {
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.app.overlay.set(null);
  }
  protected override closed(): void {
    this.app.overlay.set(null);
  }

  #line(id: CommandId) {
    const together = told[id];
    const ids = together ? [id, ...together.ids] : [id];
    const keys = ids.map((one) => drawnKeys(one, this.app.keys.isMac));
    return html`<p><span>${t(together?.label ?? commands[id].label)}</span><span>${keyCaps(keys.flat())}<span class="vh">${keys.map((one) => one.join(' ')).join(', ')}</span></span></p>`;
  }

  protected override render() {
    const { app } = this;
    const route = app.route.get();
    const settings =
      'workspaceId' in route
        ? addressOf({ page: 'settings', workspaceId: route.workspaceId, section: 'profile' })
        : '/';
    return html`<dialog class="pop sheet" aria-labelledby="sheet-title" tabindex="-1" autofocus>
      <header><h2 id="sheet-title">${t('sheet.title')}</h2><span class="lab">${t(app.preferences.get().shortcuts ? 'sheet.typing' : 'sheet.off')}</span><span class="grow"></span><a class="link" href=${settings} @click=${() => this.close()}>${t('sheet.change')}</a><button class="ib" type="button" title=${t('dialog.close')} aria-label=${t('dialog.close')} @click=${() => this.close()}>${icon('x')}</button></header>
      <div class="keys">${columns.map(
        (column) =>
          html`<div>${column.map(
            (group) =>
              html`<section><h3>${t(`keys.${group}`)}</h3>${commandIds
                .filter(
                  (id) => commands[id].group === group && commands[id].keys.length > 0 && !isTold.has(id),
                )
                .map((id) => this.#line(id))}</section>`,
          )}</div>`,
      )}</div>
    </dialog>`;
  }
}
customElements.define('tl-sheet', Sheet);
