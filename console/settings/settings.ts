import { html, nothing } from 'lit';
import { icon } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { addressOf, type SettingsSection } from '../router.js';
import { meOf } from '../state/console.js';
import { t } from '../texts/text.js';
import './agents.js';
import './inboxes.js';
import './profile.js';

/** Settings: only what works. */
class Settings extends View {
  protected override watched() {
    return [this.app.route, this.app.session];
  }

  protected override render() {
    const { app } = this;
    const route = app.route.get();
    if (route.page !== 'settings') return nothing;
    const role = meOf(app).workspaces.find((one) => one.id === route.workspaceId)?.role ?? 'agent';
    const sections: { id: SettingsSection; icon: 'user' | 'inbox' | 'users' }[] = [
      { id: 'profile', icon: 'user' },
      { id: 'inboxes', icon: 'inbox' },
      { id: 'agents', icon: 'users' },
    ];
    const isAllowed = route.section === 'profile' || role !== 'agent';
    return html`<div class="bar"><h2>${t('views.settings')}</h2></div>
      <div class="settings">
        <nav aria-label=${t('views.settings')}>${sections.map((section) => html`<a class="view" href=${addressOf({ page: 'settings', workspaceId: route.workspaceId, section: section.id })} aria-current=${route.section === section.id ? 'page' : nothing}>${icon(section.icon)}<span class="cut">${t(`settings.${section.id}`)}</span></a>`)}</nav>
        <div class="scroll settings-page">${
          !isAllowed
            ? html`<div class="blank"><h3>${t('failure.forbidden')}</h3><p>${t('failure.forbidden_help')}</p></div>`
            : route.section === 'profile'
              ? html`<tl-profile .app=${app}></tl-profile>`
              : route.section === 'inboxes'
                ? html`<tl-inboxes .app=${app} .workspaceId=${route.workspaceId} .inboxId=${route.id}></tl-inboxes>`
                : html`<tl-agents .app=${app} .role=${role}></tl-agents>`
        }</div>
      </div>`;
  }
}
customElements.define('tl-settings', Settings);
