import { html, nothing, type PropertyValues } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { failure } from '../parts/failure.js';
import { icon } from '../parts/icon.js';
import { box } from '../parts/marks.js';
import '../parts/menu.js';
import { View } from '../parts/view.js';
import { figure, t } from '../texts/text.js';
import { clock } from '../texts/time.js';
import { inboxRouteOf, loadMoreRows, openList, pointAtList } from './actions.js';
import { neighbour } from './reduce.js';
import './row.js';
import { virtualRows } from './virtual.js';

/** From here on only the rows near the screen are in the page. */
const virtualFrom = 80;

/** The conversations of a view. Nothing in it moves by itself. */
class List extends View {
  #stopKeys: (() => void) | undefined;
  #end: IntersectionObserver | undefined;

  protected override watched() {
    const { route, list, counts, inboxes, offlineSince } = this.app;
    return [route, list, counts, inboxes, offlineSince];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopKeys = this.app?.keys.handle({
      next: () => this.#step(1),
      previous: () => this.#step(-1),
      open: () => document.querySelector<HTMLElement>('.log')?.focus(),
    });
    this.#end = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) void loadMoreRows(this.app);
      },
      { rootMargin: '600px' },
    );
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopKeys?.();
    this.#end?.disconnect();
  }

  #step(step: 1 | -1): void {
    const route = inboxRouteOf(this.app);
    if (!route) return;
    const { ids } = this.app.list.get();
    const next = neighbour(ids, route.conversationId, step);
    if (next === null) return;
    this.app.go({ ...route, conversationId: next }, { replace: route.conversationId !== undefined });
    const { timeline: _timeline } = route;
    this.#show(next);
    if (step === 1 && ids.indexOf(next) > ids.length - 10) void loadMoreRows(this.app);
  }

  /** Scrolls no further than needed; a row far away is not in the page yet, so its place is computed. */
  #show(id: string): void {
    const scroller = this.querySelector<HTMLElement>('.rows');
    const index = this.app.list.get().ids.indexOf(id);
    const height = this.querySelector<HTMLElement>('.row')?.offsetHeight;
    if (!scroller || index === -1 || !height) return;
    const top = index * height;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + height > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = top + height - scroller.clientHeight;
  }

  protected override updated(_changed: PropertyValues): void {
    const route = inboxRouteOf(this.app);
    if (route) void openList(this.app, route);
    const end = this.querySelector('.list-end');
    this.#end?.disconnect();
    if (end) this.#end?.observe(end);
  }

  protected override render() {
    const { app } = this;
    const route = inboxRouteOf(app);
    if (!route) return nothing;
    const list = app.list.get();
    const counts = app.counts.get();
    const inbox = app.inboxes.get().find((one) => one.id === route.inboxId);
    const title = inbox?.name ?? t(`view.${route.view}`);
    const count = inbox
      ? counts?.inboxes[inbox.id]
      : route.view === 'closed' || route.view === 'spam'
        ? undefined
        : counts?.[route.view];
    const since = app.offlineSince.get();
    return html`
      <div class="bar">
        <h2 class="cut">${title}</h2>
        ${count === undefined ? nothing : html`<span class="num lab">${figure(count)}</span>`}
      </div>
      <div class="toolrow">
        <tl-menu
          .app=${app}
          .items=${(['waiting', 'recent'] as const).map((sort) => ({ id: sort, label: t(`sort.${sort}`), isCurrent: sort === route.sort }))}
          .label=${t('sort.label')}
          .align=${'start'}
          triggerClass="btn ghost sort"
          .trigger=${html`<span>${t(`sort.${route.sort}`)}</span>${icon('chevron-down', 'xs')}`}
          @choose=${(event: CustomEvent<'waiting' | 'recent'>) => app.go({ ...route, sort: event.detail }, { replace: true })}
        ></tl-menu>
        <span class="grow"></span>
        ${
          list.waiting.length > 0
            ? html`<button class="chip new" type="button" title=${t('list.show_new', { count: list.waiting.length })} @click=${() => void this.#showWaiting()}>
                ${icon('arrow-up', 'xs')}<span>${t('list.new', { count: list.waiting.length })}</span>
              </button>`
            : nothing
        }
      </div>
      ${
        since === null
          ? nothing
          : html`<p class="banner" role="status">${icon('cloud-off')}<span>${t('offline.banner', { time: clock(new Date(since).toISOString()) })}</span></p>`
      }
      ${this.#body()}
    `;
  }

  async #showWaiting(): Promise<void> {
    const route = inboxRouteOf(this.app);
    if (!route) return;
    await openList(this.app, route, true);
    this.querySelector('.rows')?.scrollTo({ top: 0 });
  }

  #body() {
    const { app } = this;
    const list = app.list.get();
    const route = inboxRouteOf(app);
    if (list.state === 'loading')
      return html`<div class="scroll late" aria-busy="true">${skeletonRows()}</div>`;
    if (list.state === 'failed' && list.error)
      return failure(list.error, { title: t('list.failed') }, () => route && void openList(app, route));
    const row = (id: string, index: number) =>
      html`<tl-row
        .app=${app}
        .rowId=${id}
        .index=${index}
        .isOpen=${route?.conversationId === id}
        .isFirst=${index === 0 && !list.ids.includes(route?.conversationId ?? '')}
        .isLeaving=${list.leaving.includes(id)}
      ></tl-row>`;
    return html`<div
        class="scroll rows"
        role="listbox"
        aria-label=${t('list.label')}
        tabindex=${list.ids.length === 0 ? '0' : nothing}
        @pointerenter=${() => pointAtList(app, true)}
        @pointerleave=${() => pointAtList(app, false)}
      >
        ${
          list.ids.length >= virtualFrom
            ? html`<div class="virtual" role="presentation">${virtualRows(list.ids, row)}</div>`
            : repeat(list.ids, (id) => id, row)
        }
        ${list.nextCursor === null ? nothing : html`<div class="list-end" role="presentation"></div>`}
      </div>`;
  }
}
customElements.define('tl-list', List);

const widths = [
  [90, 150, 120],
  [164, 219, 151],
  [220, 196, 182],
  [127, 173, 213],
  [201, 150, 120],
] as const;
const skeletonRows = () =>
  Array.from({ length: 11 }, (_, index) => {
    const [who, sub, snip] = widths[index % widths.length] ?? widths[0];
    return html`<div class="row" aria-hidden="true"><i class="sk sk-icon"></i><span class="l1">${box(who)}${box(34)}</span>${box(sub, 10, 8)}<i class="sk av"></i>${box(snip, 9, 8)}</div>`;
  });
