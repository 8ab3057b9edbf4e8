import { html, nothing, type PropertyValues } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { TimelinePicture } from '../../shared/api.js';
import { replyOf } from '../api/request.js';
import { inboxRouteOf } from '../list/actions.js';
import { failure } from '../parts/failure.js';
import { box } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import { drawEntry, type EntryContext } from './entries.js';
import type { Entry, Fold } from './entry.js';
import { filterBar } from './filters.js';
import { monthOf } from './fold.js';
import './glance.js';
import { groupTimeline } from './group.js';
import { type Filter, loadPicture } from './load.js';
import { monthsUpTo } from './picture.js';
import { createReading } from './reading.js';

/**
 * A contact's one timeline: the year picture as its map, the filters, and all that happened, newest on top.
 *
 * @event unmerge - `detail` is the merge to undo
 */
class Story extends View {
  static override properties = {
    ...View.properties,
    contactId: { attribute: false },
    layout: { attribute: false },
    at: { attribute: false },
    filter: { state: true },
    window: { state: true },
    unfolded: { state: true },
    year: { attribute: false },
    yearPicture: { state: true },
    isPicking: { state: true },
  };
  declare contactId: string;
  declare layout: 'pane' | 'wide';
  /** Begin at this time instead of now. */
  declare at: string | undefined;
  declare filter: Filter;
  declare window: { from: string; to: string } | null;
  declare unfolded: ReadonlySet<string>;
  /** A calendar year in the picture; null is the last twelve months. */
  declare year: number | null;
  declare yearPicture: TimelinePicture | null;
  declare isPicking: boolean;

  readonly #reading = createReading(
    { timeline: (contactId, query) => this.app.api.timeline(contactId, query) },
    () => this.requestUpdate(),
  );
  #shown = '';
  /** Months that stand open: unfolded, or shown before there was enough in them to fold. */
  readonly #open = new Set<string>();
  #version = -1;
  #yearShown: number | null = null;
  #jumpTo: string | null = null;
  #stopKeys: (() => void) | undefined;
  #frame = 0;
  #sentinels: IntersectionObserver | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.layout = 'pane';
    this.filter = 'all';
    this.window = null;
    this.unfolded = new Set();
    this.year = null;
    this.yearPicture = null;
    this.isPicking = false;
  }

  protected override watched() {
    const { contacts, pictures, timelines, agents, inboxes, clock, route } = this.app;
    const id = this.contactId;
    return [contacts.of(id), pictures.of(id), timelines.of(id), agents, inboxes, clock, route];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const choose = (filter: Filter) => () => {
      this.filter = this.filter === filter ? 'all' : filter;
    };
    this.#stopKeys = this.app.keys.handle({
      'only-all': () => {
        this.filter = 'all';
      },
      'only-chat': choose('chat'),
      'only-email': choose('email'),
      'only-phone': choose('phone'),
      'jump-date': () => this.#pickDate(),
    });
    this.#sentinels = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          void this.#further(entry.target.classList.contains('tl-top') ? 'newer' : 'older');
        }
      },
      { rootMargin: '800px' },
    );
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopKeys?.();
    this.#sentinels?.disconnect();
    clearTimeout(this.#refreshTimer);
    cancelAnimationFrame(this.#frame);
    this.#shown = '';
  }

  protected override willUpdate(): void {
    super.willUpdate();
    const shown = `${this.contactId}/${this.filter}/${this.at ?? ''}`;
    const version = this.app.timelines.of(this.contactId).get();
    if (shown !== this.#shown) {
      if (!this.#shown.startsWith(`${this.contactId}/`)) {
        this.#reading.forget();
        this.window = null;
        this.unfolded = new Set();
        this.#open.clear();
        void loadPicture(this.app, this.contactId);
      }
      this.#shown = shown;
      this.#version = version;
      void this.#begin(this.at ?? null);
    } else if (version !== this.#version) {
      this.#version = version;
      this.#refreshSoon();
    }
    if (this.year !== this.#yearShown) {
      this.#yearShown = this.year;
      this.yearPicture = null;
      if (this.year !== null) void this.#loadYear(this.year);
    }
  }

  async #loadYear(year: number): Promise<void> {
    const { from, to } = monthsUpTo(new Date(), year);
    try {
      const picture = await this.app.api.picture(this.contactId, from.toISOString(), to.toISOString());
      if (this.year === year) this.yearPicture = picture;
    } catch (error) {
      replyOf(error);
    }
  }

  /** Reads anew, from now or around a time, and goes there. */
  async #begin(at: string | null): Promise<void> {
    const isThere = await this.#reading.begin(this.contactId, this.filter, at);
    if (!isThere || at === null) return;
    this.#jumpTo = at;
    this.requestUpdate();
  }

  async #further(way: 'older' | 'newer'): Promise<void> {
    const scroller = this.querySelector<HTMLElement>('.scroll');
    const before = scroller ? scroller.scrollHeight - scroller.scrollTop : 0;
    if (!(await this.#reading.further(way))) return;
    await this.updateComplete;
    // Newer ones came above: what one looks at stays where it is.
    if (way === 'newer' && scroller) scroller.scrollTop = scroller.scrollHeight - before;
  }

  /** Something happened: it is read a moment later, with what came meanwhile. */
  #refreshSoon(): void {
    clearTimeout(this.#refreshTimer);
    this.#refreshTimer = setTimeout(() => {
      void loadPicture(this.app, this.contactId);
      void this.#reading.refresh();
    }, 150);
  }

  protected override updated(_changed: PropertyValues): void {
    this.#sentinels?.disconnect();
    for (const sentinel of this.querySelectorAll('.tl-top, .tl-bottom')) this.#sentinels?.observe(sentinel);
    if (this.#jumpTo !== null && this.#reading.state === 'ready') {
      this.#scrollTo(this.#jumpTo);
      this.#jumpTo = null;
    }
    this.#measureSoon();
  }

  #measureSoon = () => {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#measure());
  };

  /** Which times are on screen: the grey window in the picture. */
  #measure(): void {
    const scroller = this.querySelector<HTMLElement>('.scroll');
    if (!scroller) return;
    const { top, bottom } = scroller.getBoundingClientRect();
    let from: string | undefined;
    let to: string | undefined;
    for (const entry of scroller.querySelectorAll<HTMLElement>('.ev[data-at]')) {
      const box = entry.getBoundingClientRect();
      if (box.bottom < top + 30) continue;
      // Its first line must be in sight, not its upper edge alone.
      if (box.top + 20 > bottom) break;
      to ??= entry.dataset.at;
      from = entry.dataset.from ?? entry.dataset.at;
    }
    if (!from || !to) return;
    if (this.window?.from === from && this.window.to === to) return;
    this.window = { from, to };
  }

  /** Goes to a time: scrolls when it has been read, else reads around it. */
  jump(at: string): void {
    const { events, hasOlder, hasNewer } = this.#reading;
    const oldest = events.at(-1)?.occurredAt;
    const newest = events[0]?.occurredAt;
    const isRead =
      oldest !== undefined &&
      newest !== undefined &&
      (at >= oldest || !hasOlder) &&
      (at <= newest || !hasNewer);
    if (isRead) this.#scrollTo(at);
    else void this.#begin(at);
  }

  #scrollTo(at: string): void {
    const scroller = this.querySelector<HTMLElement>('.scroll');
    if (!scroller) return;
    const entries = [...scroller.querySelectorAll<HTMLElement>('.ev[data-at]')];
    const fold = this.#folds.find((one) => one.from <= at && at <= one.at);
    if (fold) {
      this.#unfold(fold);
      void this.updateComplete.then(() => this.#scrollTo(at));
      return;
    }
    const target = entries.find((entry) => (entry.dataset.at ?? '') <= at) ?? entries.at(-1);
    if (target) scroller.scrollTop = Math.max(0, target.offsetTop - 34);
  }

  #folds: Fold[] = [];
  #unfold(fold: Fold): void {
    for (const month of fold.months) this.#open.add(month);
    this.#folds = this.#folds.filter((one) => one !== fold);
    this.requestUpdate();
  }

  /** The entries as they stand. Who filters looks for something: then nothing is folded. */
  #entries(now: Date): Entry[] {
    const isFolding = this.#reading.filter === 'all';
    const entries = groupTimeline(this.#reading.events, now, isFolding ? this.#open : null);
    this.#folds = entries.filter((entry) => entry.type === 'fold');
    if (isFolding)
      for (const entry of entries)
        if ('at' in entry && entry.type !== 'fold') this.#open.add(monthOf(entry.at));
    return entries;
  }

  #pickDate(): void {
    this.isPicking = true;
    void this.updateComplete.then(() => this.querySelector<HTMLInputElement>('.pick input')?.focus());
  }

  protected override render() {
    const { app } = this;
    const contact = app.contacts.of(this.contactId).get();
    const picture = this.year === null ? app.pictures.of(this.contactId).get() : this.yearPicture;
    const counts = app.pictures.of(this.contactId).get()?.counts;
    const now = new Date(app.clock.get());
    const route = app.route.get();
    const context: EntryContext = {
      app,
      contact: contact.state === 'ready' ? contact.value : null,
      openId: inboxRouteOf(app)?.conversationId,
      workspaceId: 'workspaceId' in route ? route.workspaceId : '',
      unfolded: this.unfolded,
      toggle: (key) => {
        const next = new Set(this.unfolded);
        if (!next.delete(key)) next.add(key);
        this.unfolded = next;
      },
      onUnfold: (fold) => this.#unfold(fold),
      onUnmerge: (mergeId) =>
        this.dispatchEvent(new CustomEvent('unmerge', { detail: mergeId, bubbles: true })),
    };
    return html`
      <figure class="glance">
        <tl-glance .app=${app} .marks=${picture?.marks ?? []} .range=${monthsUpTo(now, this.year)} .style_=${this.layout} .window=${this.window} @jump=${(event: CustomEvent<string>) => this.jump(event.detail)}></tl-glance>
      </figure>
      ${filterBar({
        app,
        counts,
        filter: this.filter,
        choose: (filter) => {
          this.filter = filter;
        },
        now,
        isPicking: this.isPicking,
        pick: (isPicking) => {
          this.isPicking = isPicking;
        },
        jump: (at) => this.jump(at),
      })}
      ${this.#body(context, now)}
    `;
  }

  #body(context: EntryContext, now: Date) {
    const { state, events, hasOlder, hasNewer, filter } = this.#reading;
    if (typeof state === 'object')
      return failure(state.error, { title: t('timeline.failed'), still: t('timeline.still') }, () => {
        this.#reading.forget();
        void this.#begin(this.at ?? null);
        this.requestUpdate();
      });
    if (state === 'loading') return html`<div class="scroll late" aria-busy="true">${skeleton}</div>`;
    if (events.length === 0)
      return html`<div class="blank"><p>${t(filter === 'all' ? 'timeline.empty' : 'timeline.empty_filter')}</p></div>`;
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${t('timeline.title')} @scroll=${this.#measureSoon}>
      <ol class="tl">
        ${!hasNewer ? nothing : html`<li class="tl-top" aria-hidden="true"></li>`}
        ${repeat(
          this.#entries(now),
          (entry) => entry.key,
          (entry) => drawEntry(context, entry),
        )}
        ${!hasOlder ? nothing : html`<li class="tl-bottom" aria-hidden="true"></li>`}
      </ol>
    </div>`;
  }
}
customElements.define('tl-story', Story);

const skeleton = html`<ol class="tl sk-tl" aria-hidden="true">${Array.from(
  { length: 7 },
  () =>
    html`<li class="ev"><span class="sk-time">${box(34, 9)}</span><i class="sk knot"></i><div>${box(170, 10, 6)}${box(250, 9, 9)}</div></li>`,
)}</ol>`;
