import { html, nothing, type TemplateResult } from 'lit';
import type { TimelinePicture } from '../../shared/api.js';
import type { IconName } from '../icons/sprite.js';
import { icon } from '../parts/icon.js';
import { withKey } from '../parts/tooltip.js';
import type { Console } from '../state/console.js';
import { figure, t } from '../texts/text.js';
import { type Filter, filters } from './load.js';

const glyphs: Record<Exclude<Filter, 'all'>, [IconName, string]> = {
  chat: ['message-circle', 'c-chat'],
  email: ['mail', 'c-mail'],
  phone: ['phone', 'c-phone'],
  note: ['lock', ''],
  change: ['history', ''],
};

export interface FilterBar {
  app: Console;
  counts: TimelinePicture['counts'] | undefined;
  filter: Filter;
  choose: (filter: Filter) => void;
  now: Date;
  /** The field for a date stands open. */
  isPicking: boolean;
  pick: (isPicking: boolean) => void;
  jump: (at: string) => void;
}

/** What one sees of a timeline, and how to come to a day of it. */
export function filterBar(bar: FilterBar): TemplateResult {
  return html`<div class="filters" role="toolbar" aria-label=${t('filter.label')}>
    ${filters.map((filter) => chip(bar, filter))}
    <span class="grow"></span>
    ${bar.isPicking ? dateField(bar) : html`<button class="ib small" type="button" title=${withKey(bar.app, t('timeline.jump'), 'jump-date')} aria-label=${t('timeline.jump')} @click=${() => bar.pick(true)}>${icon('calendar', 's')}</button>`}
  </div>`;
}

function chip({ app, counts, filter: chosen, choose }: FilterBar, filter: Filter): TemplateResult {
  const count = counts?.[filter];
  const name = t(`filter.${filter}`);
  // The filters without a key of their own: all of it, notes, changes.
  const title =
    filter === 'chat' || filter === 'email' || filter === 'phone'
      ? withKey(app, name, `only-${filter}`)
      : name;
  const words =
    filter === 'all'
      ? html`<span>${name}</span>`
      : html`${icon(glyphs[filter][0], 'xs', glyphs[filter][1])}<span class="vh">${name}</span>`;
  return html`<button class="chip" type="button" title=${title} aria-pressed=${chosen === filter} @click=${() => choose(filter)}>${words}${count ? html` <span class="num">${figure(count)}</span>` : nothing}</button>`;
}

function dateField({ now, pick, jump }: FilterBar): TemplateResult {
  return html`<span class="pick"><input
    class="field"
    type="date"
    aria-label=${t('timeline.jump')}
    max=${now.toISOString().slice(0, 10)}
    @change=${(event: Event & { currentTarget: HTMLInputElement }) => {
      const { value } = event.currentTarget;
      pick(false);
      if (value) jump(new Date(`${value}T23:59:59`).toISOString());
    }}
    @blur=${() => pick(false)}
    @keydown=${(event: KeyboardEvent) => {
      if (event.key === 'Escape') pick(false);
      event.stopPropagation();
    }}
  /></span>`;
}
