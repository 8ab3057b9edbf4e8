import { html, nothing, type TemplateResult } from 'lit';
import type { ContactDetail } from '../../shared/api.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import { callOutcome, callTitle, changeWords } from '../conversation/said.js';
import { piecesOf } from '../conversation/text.js';
import { waitingShare } from '../list/reduce.js';
import { icon } from '../parts/icon.js';
import { addressOf, type InboxRoute } from '../router.js';
import { agentOf, type Console, firstName } from '../state/console.js';
import { partyText, valueText } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { clock, dateRange, dayAnchor, exactTime, length, shortDate, waited } from '../texts/time.js';
import type { ContentEntry, Entry, Fold } from './entry.js';
import { countsText, monthsText, topicsOf } from './fold.js';
import './player.js';
import { isPlayable } from './player.js';

/** What the entries of a timeline are drawn with. */
export interface EntryContext {
  app: Console;
  contact: ContactDetail | null;
  /** The conversation that is open beside the timeline. */
  openId: string | undefined;
  workspaceId: string;
  unfolded: ReadonlySet<string>;
  toggle: (key: string) => void;
  onUnmerge: (mergeId: string) => void;
  /** Shows the months of a fold. */
  onUnfold: (fold: Fold) => void;
}

export function drawEntry(context: EntryContext, entry: Entry): TemplateResult {
  const now = new Date(context.app.clock.get());
  switch (entry.type) {
    case 'year':
      return html`<li class="anchor year">${entry.year}</li>`;
    case 'day': {
      const { title, beside } = dayAnchor(entry.at, now);
      return html`<li class="anchor">${title}${beside ? html`<span class="rel">${beside}</span>` : nothing}</li>`;
    }
    case 'silence':
      return html`<li class="silence">${
        entry.days < 60
          ? t('timeline.silence_days', { count: entry.days })
          : t('timeline.silence_months', { count: Math.round(entry.days / 30.4) })
      }</li>`;
    case 'fold':
      return folded(context, entry);
    case 'chat':
      return chat(context, entry);
    case 'emails':
      return emails(context, entry);
    case 'call':
      return callEntry(context, entry);
    case 'note':
      return note(context, entry);
    case 'merge':
      return merge(context, entry);
    case 'claim':
      return html`<li class="ev small" data-at=${entry.at}>${time(context, entry)}<span class="knot q" title=${t('timeline.unverified')} aria-hidden="true">?</span><div><p class="t"><span class="cut">${changeWords(context.app, entry.event).words}</span><span class="end">${t(`source.${entry.event.erased ? 'agent' : entry.event.body.source}`)}</span></p></div></li>`;
    case 'change': {
      const { words, who } = changeWords(context.app, entry.event);
      return change(context, entry, words, who);
    }
  }
}

function time(context: EntryContext, entry: ContentEntry): TemplateResult {
  const now = new Date(context.app.clock.get());
  return html`<time datetime=${entry.at} title=${exactTime(entry.at)}>${entry.saysDate ? shortDate(entry.at, now, false) : clock(entry.at)}</time>`;
}

/** Where a conversation opens: beside this timeline, in the view one is in. */
function placeOf(context: EntryContext, conversationId: string): string {
  const route = context.app.route.get();
  const base: InboxRoute =
    route.page === 'inbox'
      ? route
      : { page: 'inbox', workspaceId: context.workspaceId, view: 'all', sort: 'waiting' };
  const { timeline: _timeline, ...place } = base;
  return addressOf({ ...place, conversationId });
}

const title = (context: EntryContext, conversationId: string | undefined, words: string) =>
  conversationId === undefined || conversationId === context.openId
    ? html`<b class="cut" dir="auto">${words}</b>`
    : html`<a class="cut t-link" dir="auto" href=${placeOf(context, conversationId)}>${words}</a>`;

/** More than the widest timeline shows of a line: where it ends is the sheet's business. */
const oneLine = (text: string) => text.trim().replace(/\s+/g, ' ').slice(0, 200);

const rowOf = (context: EntryContext, conversationId: string | undefined) =>
  conversationId === undefined
    ? undefined
    : (context.app.rows.of(conversationId).get() ??
      context.contact?.conversations.find((row) => row.id === conversationId));

function folded(context: EntryContext, fold: Fold): TemplateResult {
  const topics = topicsOf(fold, (id) => rowOf(context, id)?.subject ?? '');
  return html`<li class="ev" data-at=${fold.at} data-from=${fold.from}>
    <time datetime=${fold.months.at(-1) ?? ''}>${monthsText(fold)}</time><span class="knot stack" title=${t('fold.folded')}>${icon('layers')}</span>
    <div>
      <p class="t"><b class="cut">${countsText(fold)}</b><span class="end"><button class="link" type="button" aria-label=${t('fold.show_months', { months: monthsText(fold) })} @click=${() => context.onUnfold(fold)}>${t('fold.show')}</button></span></p>
      ${topics.length > 0 ? html`<p class="d cut" dir="auto">${topics.join(', ')}</p>` : nothing}
    </div>
  </li>`;
}

function agentNames(app: Console, events: readonly TimelineEvent[]): string {
  const ids = new Set(events.flatMap((event) => (event.actor.type === 'agent' ? [event.actor.id] : [])));
  return [...ids].map((id) => firstName(agentOf(app, id)?.name ?? t('agent.former'))).join(', ');
}

function chat(context: EntryContext, entry: Extract<Entry, { type: 'chat' }>): TemplateResult {
  const { app } = context;
  const id = entry.events[0]?.conversationId;
  const row = rowOf(context, id);
  const names = agentNames(app, entry.events);
  const wait = row ? waitingShare(row, app.clock.get()) : null;
  const isLatest =
    row !== undefined &&
    entry.events.some((event) => event.seq === row.head || row.lastAt <= event.occurredAt);
  const first = entry.events.at(-1);
  return html`<li class="ev ${id !== undefined && id === context.openId ? 'here' : ''}" data-at=${entry.at}>
    ${time(context, entry)}<span class="knot chat ${entry.events.every((event) => event.direction === 'out') ? 'out' : ''}" title=${t('channel.chat')}>${icon('message-circle')}</span>
    <div>
      <p class="t">${title(context, id, row?.subject || oneLine(first?.body.text ?? ''))}<span class="end num">${row ? `#${row.number}` : nothing}</span></p>
      <p class="d cut">${names ? t('timeline.messages_with', { count: entry.events.length, names }) : t('timeline.messages', { count: entry.events.length })} ${
        isLatest && wait
          ? html`<b>${t('timeline.waiting', { time: waited(wait.waitedMs) })}</b>`
          : isLatest && row && row.status !== 'open'
            ? t(`timeline.${row.status}`)
            : nothing
      }</p>
    </div>
  </li>`;
}

function emails(context: EntryContext, entry: Extract<Entry, { type: 'emails' }>): TemplateResult {
  const { app } = context;
  const newest = entry.events[0]!;
  const oldest = entry.events.at(-1)!;
  const count = entry.events.length;
  const isOpen = context.unfolded.has(entry.key);
  const now = new Date(app.clock.get());
  const author = (event: typeof newest) =>
    event.direction === 'out'
      ? event.actor.type === 'agent'
        ? firstName(agentOf(app, event.actor.id)?.name ?? t('agent.former'))
        : event.body.from.name || event.body.from.address
      : firstName(event.body.from.name || event.body.from.address);
  const line = (event: typeof newest) =>
    html`<p class="d quote cut" dir="auto">${author(event)}: ${oneLine(event.body.text)}</p>`;
  const isOpenBeside = newest.conversationId !== undefined && newest.conversationId === context.openId;
  return html`<li class="ev ${isOpenBeside ? 'here' : ''}" data-at=${entry.at}>
    ${time(context, entry)}<span class="knot mail ${entry.events.every((event) => event.direction === 'out') ? 'out' : ''}" title=${t('channel.email')}>${icon('mail')}</span>
    <div>
      <p class="t">${title(context, newest.conversationId, newest.body.subject || t('mail.no_subject'))}<span class="end num">${count > 1 ? t('timeline.emails', { count }) : nothing}</span></p>
      ${line(newest)}
      ${
        count > 1
          ? html`<button class="fold" type="button" aria-expanded=${isOpen} @click=${() => context.toggle(entry.key)}>${icon(isOpen ? 'chevron-down' : 'chevron-right', 'xs')}${t(
              'timeline.earlier',
              {
                count: count - 1,
                range: dateRange(oldest.occurredAt, entry.events[1]?.occurredAt ?? oldest.occurredAt, now),
              },
            )}</button>
            ${isOpen ? entry.events.slice(1).map((event) => html`<p class="d mail-when"><time datetime=${event.occurredAt} title=${exactTime(event.occurredAt)}>${shortDate(event.occurredAt, now)}, ${clock(event.occurredAt)}</time></p>${line(event)}`) : nothing}`
          : nothing
      }
    </div>
  </li>`;
}

function callEntry(context: EntryContext, entry: Extract<Entry, { type: 'call' }>): TemplateResult {
  const { event } = entry;
  const { body } = event;
  const isOut = event.direction === 'out';
  const other = isOut ? body.to : body.from;
  const seconds = body.outcome === 'answered' ? body.talkSeconds : body.ringSeconds;
  // The customer's own proved number says nothing new in each of their calls.
  const isOwn = context.contact?.identities.some(
    ({ type, value }) => type === 'phone' && value === other.e164,
  );
  return html`<li class="ev ${event.conversationId !== undefined && event.conversationId === context.openId ? 'here' : ''}" data-at=${entry.at}>
    ${time(context, entry)}<span class="knot phone ${isOut ? 'out' : ''}" title=${t('channel.phone')}>${icon(body.outcome === 'answered' ? 'phone' : 'phone-missed')}</span>
    <div>
      <p class="t">${title(context, event.conversationId, callTitle(context.app, event))}<span class="end num">${length(seconds)}</span></p>
      <p class="d">${callOutcome(event)}${body.numberVerified || other.anonymous || isOut || isOwn ? nothing : html` <span class="unproved" title=${t('call.not_verified')}>${partyText(other)}</span>`}</p>
      ${isPlayable(body.recordingUrl) ? html`<tl-player .app=${context.app} .url=${body.recordingUrl} .seconds=${body.talkSeconds}></tl-player>` : nothing}
    </div>
  </li>`;
}

const noteLines = 4;

function note(context: EntryContext, entry: Extract<Entry, { type: 'note' }>): TemplateResult {
  const { event } = entry;
  const isLong = event.body.text.split('\n').length > noteLines || event.body.text.length > 320;
  const isOpen = context.unfolded.has(entry.key);
  const who = agentNames(context.app, [event]);
  return html`<li class="ev" data-at=${entry.at}>
    ${time(context, entry)}<span class="knot nt" title=${t('note.private')}>${icon('lock')}</span>
    <div>
      <p class="t"><b>${t('timeline.note')}</b> ${who ? t('timeline.by', { name: who }) : nothing}</p>
      <p class="paper ${isLong && !isOpen ? 'clamped' : ''}" dir="auto">${piecesOf(event.body.text).map((piece) => ('href' in piece ? html`<a href=${piece.href} target="_blank" rel="noopener noreferrer nofollow">${piece.text}</a>` : piece.text))}</p>
      ${isLong ? html`<button class="fold" type="button" aria-expanded=${isOpen} @click=${() => context.toggle(entry.key)}>${t(isOpen ? 'timeline.less' : 'timeline.more')}</button>` : nothing}
    </div>
  </li>`;
}

/** Why two were joined: an agent's words, or what both of them proved, which the server writes as `type: value`. */
function mergeReason(event: Extract<Entry, { type: 'merge' }>['event']): string {
  const both = /^(email|phone|external): (.+)$/.exec(event.body.reason);
  if (event.actor.type === 'agent' || !both) return event.body.reason;
  const [, type = '', value = ''] = both;
  return t(`merge.proved_${type as 'email' | 'phone' | 'external'}`, { value: valueText(type, value) });
}

function merge(context: EntryContext, entry: Extract<Entry, { type: 'merge' }>): TemplateResult {
  const { event } = entry;
  const known = context.contact?.merges.find((one) => one.mergeId === event.body.mergeId);
  // Taken back, or of a contact that is not there yet: no strand runs in.
  if (!known)
    return change(
      context,
      entry,
      changeWords(context.app, event).words,
      context.contact ? t('timeline.undone') : '',
    );
  const who =
    event.actor.type === 'agent'
      ? firstName(agentOf(context.app, event.actor.id)?.name ?? t('agent.former'))
      : '';
  return html`<li class="ev small mergeev" data-at=${entry.at}>
    ${time(context, entry)}<span class="strand"><svg width="18" height="58" viewBox="0 0 18 58" fill="none" stroke="var(--accent)" stroke-width="2" stroke-linecap="round" aria-hidden="true"><circle cx="17" cy="7" r="4" fill="var(--surface)" /><path d="M17 11C17 26 4 20 4 38" /><path d="M4 42v14" stroke-dasharray="1 5" /></svg></span>
    <div>
      <p class="t"><b>${t('timeline.merged')}</b><span class="cut">${known.mergedName ? t('timeline.merged_with', { name: known.mergedName }) : nothing}</span><span class="end"><button class="link" type="button" @click=${() => context.onUnmerge(event.body.mergeId)}>${t('timeline.unmerge')}</button></span></p>
      <p class="d">${[who, mergeReason(event)].filter(Boolean).join('. ')}</p>
    </div>
  </li>`;
}

/** What changed, in one line; at its end by whom, or what became of it. */
function change(
  context: EntryContext,
  entry: ContentEntry,
  words: TemplateResult,
  end: string,
): TemplateResult {
  return html`<li class="ev small" data-at=${entry.at}>${time(context, entry)}<span class="knot dot" aria-hidden="true"></span><div><p class="t"><span class="cut">${words}</span>${end ? html`<span class="end">${end}</span>` : nothing}</p></div></li>`;
}
