import { html, nothing } from 'lit';
import type { ConversationView } from '../../shared/api.js';
import type { IconName } from '../icons/sprite.js';
import { drawnTogether } from '../keys/registry.js';
import { channelColour, channelIcon, icon } from '../parts/icon.js';
import { face, keyCaps, logo } from '../parts/marks.js';
import '../parts/menu.js';
import { refuse } from '../conversation/actions.js';
import { withKey } from '../parts/tooltip.js';
import { View } from '../parts/view.js';
import { addressOf, type InboxRoute, type Route } from '../router.js';
import { meOf } from '../state/console.js';
import { signOut } from '../state/session.js';
import { figure, t } from '../texts/text.js';

const views: readonly {
  view: ConversationView;
  icon: IconName;
  count: 'mine' | 'unassigned' | 'all' | null;
}[] = [
  { view: 'mine', icon: 'inbox', count: 'mine' },
  { view: 'unassigned', icon: 'circle-dashed', count: 'unassigned' },
  { view: 'all', icon: 'layers', count: 'all' },
  { view: 'closed', icon: 'circle-check', count: null },
  { view: 'spam', icon: 'shield-alert', count: null },
];

/** The rail of views, inboxes and pages, with the workspace above it and oneself below it. */
class Views extends View {
  protected override watched() {
    const { route, counts, inboxes, session } = this.app;
    return [route, counts, inboxes, session];
  }

  protected override render() {
    const { app } = this;
    const route = app.route.get();
    if (!('workspaceId' in route)) return nothing;
    const { workspaceId } = route;
    const me = meOf(app);
    const counts = app.counts.get();
    const workspace = me.workspaces.find((one) => one.id === workspaceId);
    const place = (view: ConversationView, inboxId?: string): InboxRoute => ({
      page: 'inbox',
      workspaceId,
      view,
      sort: route.page === 'inbox' ? route.sort : 'waiting',
      ...(inboxId && { inboxId }),
    });
    const link = (to: Route, isHere: boolean, name: string, glyph: unknown, count?: number) => html`<a
      class="view"
      href=${addressOf(to)}
      title=${name}
      aria-current=${isHere ? 'page' : nothing}
      >${glyph}<span class="cut">${name}</span>${count ? html`<span class="num">${figure(count)}</span>` : nothing}</a
    >`;
    const inInbox = (view: ConversationView, inboxId?: string) =>
      route.page === 'inbox' && route.view === view && route.inboxId === inboxId;
    return html`
      ${
        me.workspaces.length > 1
          ? html`<tl-menu
              class="ws"
              .app=${app}
              .items=${me.workspaces.map((one) => ({ id: one.id, label: one.name, isCurrent: one.id === workspaceId }))}
              .label=${t('views.switch')}
              .align=${'start'}
              triggerClass="ws-button"
              .trigger=${html`${logo()}<span class="cut grow">${workspace?.name}</span>${icon('chevrons-up-down', 's')}`}
              @choose=${(event: CustomEvent<string>) =>
                app.go({ page: 'inbox', workspaceId: event.detail, view: 'all', sort: 'waiting' })}
            ></tl-menu>`
          : html`<div class="ws">${logo()}<span class="cut grow">${workspace?.name}</span></div>`
      }
      <button
        class="view find"
        type="button"
        title=${withKey(app, t('views.search'), 'palette')}
        @click=${() => app.keys.run('palette')}
      >
        ${icon('search')}<span>${t('views.search')}</span><span class="num">${keyCaps([drawnTogether('palette', app.keys.isMac)])}</span>
      </button>
      ${views.map(({ view, icon: name, count }) =>
        link(
          place(view),
          inInbox(view),
          t(`view.${view}`),
          icon(name),
          count && counts ? counts[count] : undefined,
        ),
      )}
      ${app.inboxes.get().length > 0 ? html`<h3>${t('views.inboxes')}</h3><div class="gap"></div>` : nothing}
      ${app.inboxes
        .get()
        .map((inbox) =>
          link(
            place('all', inbox.id),
            route.page === 'inbox' && route.inboxId === inbox.id,
            inbox.name,
            icon(channelIcon[inbox.channel], undefined, channelColour[inbox.channel]),
            counts?.inboxes[inbox.id] ?? inbox.open,
          ),
        )}
      <div class="gap-more"></div>
      ${link(
        { page: 'contacts', workspaceId, query: '' },
        route.page === 'contacts' || route.page === 'contact',
        t('views.contacts'),
        icon('users'),
      )}
      ${link(
        { page: 'settings', workspaceId, section: 'profile' },
        route.page === 'settings',
        t('views.settings'),
        icon('settings'),
      )}
      <tl-menu
        class="me-menu"
        .app=${app}
        .items=${[
          { id: 'available', label: t('me.available'), isCurrent: me.availability === 'available' },
          { id: 'away', label: t('me.away'), isCurrent: me.availability === 'away' },
          { id: 'profile', label: t('settings.profile'), icon: 'user' as const },
          { id: 'sign-out', label: t('me.sign_out'), icon: 'log-out' as const },
        ]}
        .label=${t('me.menu', { name: me.name })}
        .align=${'start'}
        .drop=${'up'}
        triggerClass="me"
        .trigger=${html`<span class="presence ${me.availability === 'away' ? 'off' : ''}">${face(me, { size: 'm' })}</span
          ><span class="grow cut">${me.name}<small>${t(me.availability === 'away' ? 'me.away' : 'me.available')}</small></span>`}
        @choose=${(event: CustomEvent<string>) => void this.#choose(event.detail, workspaceId)}
      ></tl-menu>`;
  }

  async #choose(id: string, workspaceId: string): Promise<void> {
    const { app } = this;
    if (id === 'sign-out') return signOut(app);
    if (id === 'profile') return app.go({ page: 'settings', workspaceId, section: 'profile' });
    if (id !== 'available' && id !== 'away') return;
    const me = meOf(app);
    app.session.set({ state: 'signed-in', me: { ...me, availability: id } });
    try {
      app.session.set({ state: 'signed-in', me: await app.api.changeMe({ availability: id }) });
    } catch (error) {
      app.session.set({ state: 'signed-in', me });
      refuse(app, error);
    }
  }
}
customElements.define('tl-views', Views);
