import { html, nothing } from 'lit';
import { keyed } from 'lit/directives/keyed.js';
import './conversation/conversation.js';
import './contact/customer.js';
import './list/list.js';
import './list/views.js';
import { drawnKeys } from './keys/registry.js';
import { inboxRouteOf } from './list/actions.js';
import { emptyThread } from './parts/empty.js';
import { icon, installIcons } from './parts/icon.js';
import { keyCaps } from './parts/marks.js';
import './parts/toast.js';
import { View } from './parts/view.js';
import { addressOf, type InboxRoute, type Route } from './router.js';
import { homeOf } from './state/session.js';
import { phone } from './texts/phone.js';
import { language, t } from './texts/text.js';

/** The whole console: what stands on the screen for an address. */
class App extends View {
  static override properties = { ...View.properties, loaded: { state: true } };
  /** Pages whose code has come. */
  declare loaded: ReadonlySet<string>;
  #stopKeys: (() => void) | undefined;

  constructor() {
    super();
    this.loaded = new Set();
  }

  protected override watched() {
    const { route, session, rows, list, offlineSince, counts, overlay } = this.app;
    const current = route.get();
    const open = current.page === 'inbox' ? current.conversationId : undefined;
    return [route, session, list, offlineSince, counts, overlay, language, ...(open ? [rows.of(open)] : [])];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    installIcons(document.body);
    const { app } = this;
    const go = (to: (workspaceId: string) => Route) => () => {
      const route = app.route.get();
      if ('workspaceId' in route) app.go(to(route.workspaceId));
    };
    const inbox = (view: InboxRoute['view']) =>
      go((workspaceId) => ({ page: 'inbox', workspaceId, view, sort: 'waiting' }));
    this.#stopKeys = app.keys.handle({
      palette: () => app.overlay.set('palette'),
      search: () => app.overlay.set('palette'),
      sheet: () => app.overlay.set('sheet'),
      'go-all': inbox('all'),
      'go-mine': inbox('mine'),
      'go-unassigned': inbox('unassigned'),
      'go-closed': inbox('closed'),
      'go-contacts': go((workspaceId) => ({ page: 'contacts', workspaceId, query: '' })),
      'go-settings': go((workspaceId) => ({ page: 'settings', workspaceId, section: 'profile' })),
      timeline: () => this.#toggleTimeline(),
    });
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopKeys?.();
  }

  /** On a narrow window the timeline lies over the conversation; on a wide one the key goes to it. */
  #toggleTimeline(): void {
    const route = inboxRouteOf(this.app);
    if (!route?.conversationId) return;
    if (this.offsetWidth >= 1280) {
      this.querySelector<HTMLElement>('.time .scroll')?.focus();
      return;
    }
    const { timeline, ...place } = route;
    this.app.go(timeline ? place : { ...place, timeline: true });
  }

  #need(page: 'entry' | 'contact' | 'contacts' | 'settings' | 'palette' | 'sheet'): boolean {
    if (this.loaded.has(page)) return true;
    const code = {
      entry: () => import('./entry/entry.js'),
      contact: () => import('./contact/page.js'),
      contacts: () => import('./contact/list.js'),
      settings: () => import('./settings/settings.js'),
      palette: () => import('./palette/palette.js'),
      sheet: () => import('./keys/sheet.js'),
    }[page];
    void code().then(() => {
      this.loaded = new Set([...this.loaded, page]);
    });
    return false;
  }

  protected override updated(): void {
    document.title = this.#title();
  }

  #title(): string {
    const route = this.app.route.get();
    if (this.app.session.get().state !== 'signed-in') return 'Threadline';
    if (route.page === 'inbox') {
      const row = route.conversationId ? this.app.rows.of(route.conversationId).get() : null;
      return `${row ? phone(row.subject) || row.contact.name || '' : t(`view.${route.view}`)} · Threadline`;
    }
    if (route.page === 'contacts' || route.page === 'contact') return `${t('views.contacts')} · Threadline`;
    if (route.page === 'settings') return `${t('views.settings')} · Threadline`;
    return 'Threadline';
  }

  protected override render() {
    const { app } = this;
    const session = app.session.get();
    if (session.state === 'unknown')
      return app.offlineSince.get() === null
        ? nothing
        : html`<div class="blank" role="status"><h3>${t('offline.title')}</h3><p>${t('offline.again')}</p></div>`;
    const route = app.route.get();
    if (session.state === 'signed-out')
      return this.#need('entry') ? keyed(language.get(), html`<tl-entry .app=${app}></tl-entry>`) : nothing;
    const overlay = app.overlay.get();
    return keyed(
      language.get(),
      html`${this.#page(route)}<tl-toast .app=${app}></tl-toast>
        ${overlay === 'palette' && this.#need('palette') ? html`<tl-palette .app=${app}></tl-palette>` : nothing}
        ${overlay === 'sheet' && this.#need('sheet') ? html`<tl-sheet .app=${app}></tl-sheet>` : nothing}`,
    );
  }

  #page(route: Route) {
    const { app } = this;
    const session = app.session.get();
    const me = session.state === 'signed-in' ? session.me : null;
    const isMember = 'workspaceId' in route && me?.workspaces.some((one) => one.id === route.workspaceId);
    if (!isMember)
      return html`<main class="blank"><h3>${t('unknown.title')}</h3><p>${t('unknown.help')}</p><div class="acts"><a class="btn" href=${me ? addressOf(homeOf(me)) : '/'}>${t('unknown.home')}</a></div></main>`;
    const rail = html`<nav class="pane views" aria-label=${t('views.label')}><tl-views .app=${app}></tl-views></nav>`;
    switch (route.page) {
      case 'inbox':
        return this.#inbox(rail, route);
      case 'contacts':
        return html`<div class="app two">${rail}${this.#need('contacts') ? html`<main class="pane on"><tl-contacts .app=${app}></tl-contacts></main>` : nothing}${this.#mobile(route)}</div>`;
      case 'contact':
        return html`<div class="app cpage">${rail}${this.#need('contact') ? html`<tl-contact-page .app=${app} .contactId=${route.contactId} .at=${route.at}></tl-contact-page>` : nothing}</div>`;
      case 'settings':
        return html`<div class="app two">${rail}${this.#need('settings') ? html`<main class="pane on"><tl-settings .app=${app}></tl-settings></main>` : nothing}${this.#mobile(route)}</div>`;
      default:
        return nothing;
    }
  }

  #inbox(rail: unknown, route: InboxRoute) {
    const { app } = this;
    const id = route.conversationId;
    const row = id ? app.rows.of(id).get() : null;
    const on = (isOn: boolean) => (isOn ? 'on' : '');
    const list = app.list.get();
    return html`<div class="app ${route.timeline ? 'with-time' : ''}">
      ${rail}
      <section class="pane list ${on(!id)}" aria-label=${t('list.label')}><tl-list .app=${app}></tl-list></section>
      ${
        id
          ? html`<main class="pane conv ${on(!route.timeline)}" aria-label=${t('conversation.label')}><tl-conversation .app=${app} .conversationId=${id}></tl-conversation></main>
            <aside class="pane time ${on(route.timeline === true)}" aria-label=${t('customer.label')}>${row ? keyed(row.contact.id, html`<tl-customer .app=${app} .contactId=${row.contact.id}></tl-customer>`) : nothing}</aside>`
          : html`<main class="pane conv nothing-open" aria-label=${t('conversation.label')}>${list.state === 'ready' && list.ids.length === 0 ? this.#empty(route) : list.state === 'ready' ? html`<div class="blank"><p>${t('conversation.choose')}</p></div>` : nothing}</main>`
      }
      ${this.#mobile(route)}
    </div>`;
  }

  #empty(route: InboxRoute) {
    const counts = this.app.counts.get();
    const unassigned = counts?.unassigned ?? 0;
    const keys = drawnKeys('go-unassigned', this.app.keys.isMac);
    return html`<div class="blank">
      ${emptyThread()}
      <h3>${route.view === 'closed' || route.view === 'spam' ? t(`empty.${route.view}`) : t('empty.title')}</h3>
      ${this.app.inboxes.get().length === 0 ? html`<p>${t('empty.no_inbox')}</p><div class="acts"><a class="btn" href=${addressOf({ page: 'settings', workspaceId: route.workspaceId, section: 'inboxes' })}>${icon('plus', 's')}${t('inboxes.add')}</a></div>` : nothing}
      ${
        route.view === 'mine' && unassigned > 0
          ? html`<p>${t('empty.unassigned', { count: unassigned })}</p><div class="acts"><a class="btn" href=${addressOf({ page: 'inbox', workspaceId: route.workspaceId, view: 'unassigned', sort: 'waiting' })}>${t('empty.take')}${keyCaps([keys.join(' ')])}</a></div>`
          : nothing
      }
    </div>`;
  }

  /** The four places of a phone. */
  #mobile(route: Route) {
    if (!('workspaceId' in route)) return nothing;
    const { workspaceId } = route;
    const here = (page: Route['page']) => (route.page === page ? 'page' : nothing);
    return html`<nav class="mobnav" aria-label=${t('views.label')}>
      <a href=${addressOf({ page: 'inbox', workspaceId, view: 'all', sort: 'waiting' })} aria-current=${here('inbox')}>${icon('inbox')}${t('mobile.inbox')}</a>
      <button type="button" @click=${() => this.app.overlay.set('palette')}>${icon('search')}${t('views.search')}</button>
      <a href=${addressOf({ page: 'contacts', workspaceId, query: '' })} aria-current=${here('contacts')}>${icon('users')}${t('views.contacts')}</a>
      <a href=${addressOf({ page: 'settings', workspaceId, section: 'profile' })} aria-current=${here('settings')}>${icon('user')}${t('mobile.you')}</a>
    </nav>`;
  }
}
customElements.define('tl-app', App);
