import { html, nothing, type TemplateResult } from 'lit';
import type { ConversationRow } from '../../shared/protocol.js';
import { drawnKeys } from '../keys/registry.js';
import { inboxRouteOf } from '../list/actions.js';
import { icon } from '../parts/icon.js';
import { box, face } from '../parts/marks.js';
import '../parts/menu.js';
import { withKey } from '../parts/tooltip.js';
import { addressOf } from '../router.js';
import { agentOf, type Console, meOf } from '../state/console.js';
import { phone } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { assign, changeStatus } from './actions.js';

/** The customer of a conversation writes and calls in vain. */
export function isBlocked(app: Console, conversationId: string): boolean {
  const detail = app.details.of(conversationId).get();
  return (
    detail.state === 'ready' && detail.value.reply.by === 'none' && detail.value.reply.reason === 'blocked'
  );
}

/** The head of a conversation: what it is about, who has it, and what can be done with the whole of it. */
export function head(app: Console, conversationId: string, onBlock: () => void): TemplateResult {
  const row = app.rows.of(conversationId).get();
  if (!row)
    return html`<div class="bar has-back">${back(app)}<span class="late">${box(210, 12)}</span></div>`;
  const isOpen = row.status === 'open';
  return html`<div class="bar has-back">
    ${back(app)}
    <h2 class="cut" dir="auto" title=${row.subject}>${phone(row.subject) || row.contact.name || t('contact.unnamed')}</h2>
    <span class="lab num hide-sm">#${row.number}</span>
    ${isOpen ? nothing : html`<span class="tag">${t(`status.${row.status}`)}</span>`}
    <span class="grow"></span>
    ${assignMenu(app, row)}${moreMenu(app, row, onBlock)}
    ${
      isOpen
        ? html`<button class="btn" type="button" title=${withKey(app, t('key.close'), 'close')} @click=${() => void changeStatus(app, row.id, 'closed')}>${icon('check', 's')}<span>${t('key.close')}</span></button>`
        : html`<button class="btn" type="button" title=${withKey(app, t('key.reopen'), 'reopen')} @click=${() => void changeStatus(app, row.id, 'open')}>${icon('rotate-cw', 's')}<span>${t('key.reopen')}</span></button>`
    }
  </div>`;
}

function back(app: Console): TemplateResult {
  const route = inboxRouteOf(app);
  const list = route && {
    page: 'inbox' as const,
    workspaceId: route.workspaceId,
    view: route.view,
    sort: route.sort,
    ...(route.inboxId && { inboxId: route.inboxId }),
  };
  return html`<a class="ib back" title=${withKey(app, t('conversation.back'), 'back')} aria-label=${t('conversation.back')} href=${list ? addressOf(list) : '/'}>${icon('arrow-left')}</a>`;
}

function assignMenu(app: Console, row: ConversationRow): TemplateResult {
  const me = meOf(app).id;
  const assignee =
    row.assigneeId === null ? null : { id: row.assigneeId, name: agentOf(app, row.assigneeId)?.name ?? null };
  const colleagues = app.agents
    .get()
    .filter((agent) => agent.active && agent.id !== me)
    .map((agent) => ({
      id: agent.id,
      label: agent.name,
      icon: 'user' as const,
      isCurrent: row.assigneeId === agent.id,
      ...(agent.availability === 'away' && { end: t('me.away') }),
    }));
  const items = [
    {
      id: me,
      label: t('assign.me'),
      icon: 'user' as const,
      keys: drawnKeys('assign-me', app.keys.isMac),
      isCurrent: row.assigneeId === me,
    },
    ...colleagues,
    {
      id: '',
      label: t('assign.nobody'),
      icon: 'circle-dashed' as const,
      isCurrent: row.assigneeId === null,
    },
  ];
  const label = assignee ? t('assign.to', { name: assignee.name ?? '' }) : t('assign.label');
  return html`<tl-menu
    class="assign"
    .app=${app}
    .items=${items}
    .label=${withKey(app, label, 'assign')}
    .trigger=${face(assignee)}
    @choose=${(event: CustomEvent<string>) => void assign(app, row.id, event.detail === '' ? null : event.detail)}
  ></tl-menu>`;
}

function moreMenu(app: Console, row: ConversationRow, onBlock: () => void): TemplateResult {
  const isOff = isBlocked(app, row.id);
  const items = [
    row.status === 'spam'
      ? { id: 'open', label: t('status.not_spam'), icon: 'shield-check' as const }
      : {
          id: 'spam',
          label: t('key.spam'),
          icon: 'shield-alert' as const,
          keys: drawnKeys('spam', app.keys.isMac),
        },
    {
      id: 'block',
      label: t(isOff ? 'key.unblock' : 'key.block'),
      icon: 'ban' as const,
      isDanger: !isOff,
    },
  ];
  return html`<tl-menu
    .app=${app}
    .items=${items}
    .label=${t('conversation.more')}
    .trigger=${icon('ellipsis')}
    @choose=${(event: CustomEvent<string>) => {
      if (event.detail === 'block') onBlock();
      else void changeStatus(app, row.id, event.detail === 'spam' ? 'spam' : 'open');
    }}
  ></tl-menu>`;
}
