import { html, nothing, type TemplateResult } from 'lit';
import type { MailAddress } from '../../shared/events/email.js';
import type { Actor } from '../../shared/events/parts.js';
import type { EventOf, TimelineEvent } from '../../shared/events/timeline.js';
import type { ConversationRow } from '../../shared/protocol.js';
import { icon } from '../parts/icon.js';
import { face } from '../parts/marks.js';
import { agentOf, type Console, firstName } from '../state/console.js';
import { fieldText } from '../texts/language.js';
import { partyText, valueText } from '../texts/phone.js';
import { split, t } from '../texts/text.js';
import { clock, exactTime, length, shortDate } from '../texts/time.js';
import type { Item } from './items.js';
import { renderFormatted, renderText } from './text.js';
import './file.js';
import '../timeline/player.js';
import { isPlayable } from '../timeline/player.js';

/** What the parts of a conversation are drawn with. */
export interface SaidContext {
  app: Console;
  row: ConversationRow | null;
  readByCustomer: number;
  /** Ids of e-mails whose quote, and whose own layout, is unfolded. */
  unfolded: ReadonlySet<string>;
  toggle: (key: string) => void;
}

function nameOf(context: Pick<SaidContext, 'app' | 'row'>, actor: Actor): string {
  if (actor.type === 'contact') return context.row?.contact.name ?? t('contact.unnamed');
  if (actor.type === 'agent') return agentOf(context.app, actor.id)?.name ?? t('agent.former');
  return 'Threadline';
}

const at = (event: TimelineEvent) =>
  html`<time datetime=${event.occurredAt} title=${exactTime(event.occurredAt)}>${clock(event.occurredAt)}</time>`;

const personOf = (context: SaidContext, actor: Actor) => ({
  id: 'id' in actor ? actor.id : 'system',
  name: nameOf(context, actor),
});

const files = (app: Console, attachments: readonly import('../../shared/events/parts.js').FileRef[]) =>
  attachments.map((file) => html`<tl-file .app=${app} .file=${file}></tl-file>`);

/** Messages or notes of one person, under one name. */
export function said(context: SaidContext, item: Extract<Item, { type: 'said' }>): TemplateResult {
  const first = item.events[0]!;
  const last = item.events.at(-1)!;
  const isNote = item.kind === 'note';
  const isOurs = !isNote && first.direction === 'out';
  const person = personOf(context, first.actor);
  const isSeen = isOurs && last.seq !== undefined && last.seq <= context.readByCustomer;
  return html`<article class="msg ${isNote ? 'note' : isOurs ? 'ours' : ''}" data-seq=${last.seq ?? nothing}>
    ${face(person, { size: 'm', customer: first.actor.type === 'contact' })}
    <div>
      <p class="hd">
        <b dir="auto">${person.name}</b>${isNote ? html`${icon('lock', 'xs')}<span>${t('note.private')}</span>` : nothing}${at(first)}${
          isSeen ? html`<span class="st">${icon('check-check', 'xs')}${t('message.seen')}</span>` : nothing
        }
      </p>
      ${item.events.map((event) => html`${event.actor.type === 'agent' ? renderFormatted(event.body.text) : renderText(event.body.text)}${files(context.app, event.body.attachments)}`)}
    </div>
  </article>`;
}

const shownAddress = (address: MailAddress) => address.address || address.name;

/** An e-mail: the proof by the name, from and to in one line, the quote folded, files, the own layout on demand. */
export function email(context: SaidContext, item: Extract<Item, { type: 'email' }>): TemplateResult {
  const { event, delivery } = item;
  const { body } = event;
  const isOurs = event.direction === 'out';
  const name = isOurs ? nameOf(context, event.actor) : body.from.name || shownAddress(body.from);
  const people = [...body.to, ...body.cc];
  const line = t('mail.from_to', {
    from: shownAddress(body.from),
    to: people.slice(0, 2).map(shownAddress).join(', ') + (people.length > 2 ? ` +${people.length - 2}` : ''),
  });
  const isOpen = context.unfolded.has(event.id);
  const isSheet = context.unfolded.has(`sheet/${event.id}`);
  return html`<article class="msg ${isOurs ? 'ours' : ''} ${delivery?.body.state === 'failed' ? 'fail' : ''}" data-seq=${event.seq ?? nothing}>
    ${face({ id: 'id' in event.actor ? event.actor.id : event.contactId, name }, { size: 'm', customer: !isOurs })}
    <div>
      <p class="hd">
        <b dir="auto">${name}</b>${isOurs ? nothing : proofMark(event)}<span class="cut" title=${[...new Set([body.from, ...people].map((one) => (one.name ? `${one.name} <${one.address}>` : one.address)))].join('\n')}>${line}</span>
        ${isOurs ? deliveryState(delivery) : nothing}<span class="grow"></span>${at(event)}
      </p>
      ${body.subject && context.row?.subject !== body.subject ? html`<p class="mail-subject" dir="auto">${body.subject}</p>` : nothing}
      ${body.replyTo && body.replyTo.address !== body.from.address ? html`<p class="warnline">${icon('triangle-alert', 'xs')}${t('mail.reply_to', { address: body.replyTo.address })}</p>` : nothing}
      ${body.unread ? html`<p class="warnline">${icon('triangle-alert', 'xs')}${t('mail.unread', { reason: body.unread })}</p>` : nothing}
      ${isSheet ? html`<tl-mail-sheet .app=${context.app} .eventId=${event.id}></tl-mail-sheet>` : renderText(body.text)}
      ${
        body.quoted && !isSheet
          ? html`<p><button class="quoted" type="button" title=${t(isOpen ? 'mail.hide_quote' : 'mail.show_quote')} aria-label=${t(isOpen ? 'mail.hide_quote' : 'mail.show_quote')} aria-expanded=${isOpen} @click=${() => context.toggle(event.id)}>${icon('ellipsis', 'xs')}</button></p>
            ${isOpen ? html`<div class="quote-text">${renderText(body.quoted)}</div>` : nothing}`
          : nothing
      }
      ${files(context.app, body.attachments)}
      ${
        body.html
          ? html`<p><button class="fold" type="button" aria-expanded=${isSheet} @click=${() => context.toggle(`sheet/${event.id}`)}>${t(isSheet ? 'mail.as_text' : 'mail.as_sent')}</button></p>`
          : nothing
      }
      ${delivery?.body.state === 'failed' && delivery.body.answer ? html`<p class="err">${delivery.body.answer}</p>` : nothing}
    </div>
  </article>`;
}

function proofMark(event: EventOf<'email'>): TemplateResult {
  const proof = event.body.proof;
  if (proof?.verified) {
    const words = t(proof.method === 'agent' ? 'proof.mail_agent' : 'proof.mail_dmarc');
    return html`<span class="st proved" title=${words}>${icon('badge-check', 'xs')}<span class="vh">${words}</span></span>`;
  }
  const words = t('proof.mail_none');
  return html`<span class="st unproved-mark" title=${words}>${icon('circle-dashed', 'xs')}<span>${t('proof.none_short')}</span></span>`;
}

function deliveryState(delivery: EventOf<'email_delivery'> | null): TemplateResult {
  if (delivery === null) return html`<span class="st">${icon('clock', 'xs')}${t('mail.queued')}</span>`;
  return delivery.body.state === 'sent'
    ? html`<span class="st" title=${delivery.body.answer ?? nothing}>${icon('check', 'xs')}${t('mail.sent')}</span>`
    : html`<span class="st">${icon('triangle-alert', 'xs')}${t('mail.not_sent')}</span>`;
}

/** Who called whom, in words. */
export function callTitle(app: Console, event: EventOf<'call'>): string {
  const { body } = event;
  const inbox = app.inboxes.get().find((one) => one.id === event.inboxId)?.name;
  if (event.direction === 'out') return t('call.we');
  if (body.outcome === 'missed') return t('call.missed');
  if (body.outcome === 'voicemail') return t('call.voicemail');
  return inbox === undefined ? t('call.they') : t('call.they_to', { inbox });
}

/** The outcome first, in colour and in a word. */
export function callOutcome(event: EventOf<'call'>): TemplateResult {
  const { body } = event;
  const isGood = body.outcome === 'answered';
  return html`<span class="outcome ${isGood ? '' : 'miss'}">${isGood ? icon('check', 'xs') : nothing}${t(`outcome.${body.outcome}`)}</span
    >${isGood ? (body.agent ? html`. ${event.direction === 'out' ? `${body.agent}.` : t('call.spoke', { name: body.agent })}` : '.') : html`, ${t('call.rang', { time: length(body.ringSeconds) })}.`}`;
}

export function call(context: SaidContext, item: Extract<Item, { type: 'call' }>): TemplateResult {
  const { event } = item;
  const number = event.direction === 'out' ? event.body.to : event.body.from;
  return html`<article class="msg call" data-seq=${event.seq ?? nothing}>
    <span class="knot phone ${event.direction === 'out' ? 'out' : ''}">${icon(event.body.outcome === 'answered' ? 'phone' : 'phone-missed')}</span>
    <div>
      <p class="hd"><b>${callTitle(context.app, event)}</b>${at(event)}<span class="grow"></span><span class="num">${event.body.talkSeconds > 0 ? length(event.body.talkSeconds) : nothing}</span></p>
      <p class="d">${callOutcome(event)} ${number.anonymous ? t('call.anonymous') : html`<span class=${event.body.numberVerified ? '' : 'unproved'}>${partyText(number)}</span>${event.body.numberVerified ? nothing : html` <span class="lab">${t('call.not_verified')}</span>`}`}</p>
      ${isPlayable(event.body.recordingUrl) ? html`<tl-player .app=${context.app} .url=${event.body.recordingUrl} .seconds=${event.body.talkSeconds}></tl-player>` : nothing}
    </div>
  </article>`;
}

/** What changed, in one line: words and, in bold, who and what. */
export function changeWords(app: Console, event: TimelineEvent): { words: TemplateResult; who: string } {
  const who =
    event.actor.type === 'agent' ? firstName(agentOf(app, event.actor.id)?.name ?? t('agent.former')) : '';
  const line = (key: Parameters<typeof split>[0], ...values: (string | TemplateResult)[]) =>
    html`${split(key).map((part) => (typeof part === 'number' ? html`<b>${values[part - 1] ?? ''}</b>` : part))}`;
  const agentName = (id: string | null) =>
    id === null ? t('row.unassigned') : (agentOf(app, id)?.name ?? t('agent.former'));
  if (event.erased) return { words: html`${t('change.erased')}`, who };
  switch (event.kind) {
    case 'status_changed':
      return { words: line(`change.status_${event.body.to}`), who };
    case 'assigned':
      return event.body.to === null
        ? { words: line('change.unassigned'), who }
        : { words: line('change.assigned', agentName(event.body.to)), who };
    case 'identity_proved':
      return {
        words: line('change.proved', valueText(event.body.type, event.body.value)),
        who: t(`proof.${event.body.proof}`),
      };
    case 'claim_made':
      return {
        words: html`${t(`claim.${event.body.type}`)} <span class="unproved">${valueText(event.body.type, event.body.value)}</span>`,
        who: t(`source.${event.body.source}`),
      };
    case 'contact_changed': {
      const changed = Object.entries(event.body.changes).filter(([, value]) => value !== undefined);
      return {
        words: html`${changed.map(([field, value], index) => html`${index > 0 ? ', ' : ''}${t(`field.${field as 'name'}`)}: <b>${fieldText(field, value) ?? t('field.none')}</b>`)}`,
        who,
      };
    }
    case 'contact_blocked':
      return { words: line(event.body.blocked ? 'change.blocked' : 'change.unblocked'), who };
    case 'contact_merged':
      return { words: line('change.merged'), who };
    case 'contact_unmerged':
      return { words: line('change.unmerged'), who };
    case 'email_delivery':
      return {
        words: line('change.mail_failed'),
        who: shortDate(event.occurredAt, new Date(app.clock.get())),
      };
    default:
      return { words: html`${event.kind}`, who };
  }
}

/** The same as what somebody did, to stand after their name; null where the change is better said by itself. */
function deedWords(app: Console, event: TimelineEvent): TemplateResult | null {
  if (event.erased) return null;
  switch (event.kind) {
    case 'status_changed':
      return html`${t(`did.${event.body.to}`)}`;
    case 'contact_blocked':
      return html`${t(event.body.blocked ? 'did.blocked' : 'did.unblocked')}`;
    case 'assigned': {
      const { to } = event.body;
      if (to === null) return html`${t('did.unassigned')}`;
      if (event.actor.type === 'agent' && event.actor.id === to) return html`${t('did.took')}`;
      return html`${t('did.assigned')} <b>${agentOf(app, to)?.name ?? t('agent.former')}</b>`;
    }
    default:
      return null;
  }
}

export function systemLine(context: SaidContext, event: TimelineEvent): TemplateResult {
  const { words, who: by } = changeWords(context.app, event);
  const who = event.actor.type === 'agent' ? by : '';
  const did = who === '' ? null : deedWords(context.app, event);
  const glyph =
    event.kind === 'status_changed'
      ? event.body?.to === 'open'
        ? 'rotate-cw'
        : event.body?.to === 'spam'
          ? 'shield-alert'
          : 'check'
      : event.kind === 'assigned'
        ? 'user'
        : event.kind === 'identity_proved'
          ? 'badge-check'
          : event.kind === 'claim_made'
            ? 'circle-dashed'
            : event.kind === 'contact_merged' || event.kind === 'contact_unmerged'
              ? 'git-merge'
              : 'history';
  return html`<p class="sys">${icon(glyph, 's')}<span>${who === '' ? words : html`<b>${who}</b>${did ? html` ${did}` : html`: ${words}`}`}</span>${at(event)}</p>`;
}
