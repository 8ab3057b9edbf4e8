import type { StoredEvent } from '../../../server/timeline/model.js';
import type { EventRange, PageSource } from '../../../server/timeline/page.js';
import type { Standing, TimelineSource, Which } from '../../../server/timeline/timeline.js';
import { isVisibleToVisitor } from '../../../server/timeline/visibility.js';
import { AppError } from '../../../shared/errors.js';
import type { MemoryStore } from './memory-store.js';
import { idOf } from './memory-transaction.js';

type Before = (step: string) => Promise<void> | void;

/** The two ports that are read through, in memory. */
export function memoryPages(storeOf: () => MemoryStore, before: Before): PageSource {
  return {
    async headOf(workspaceId, conversationId) {
      await before('headOf');
      return storeOf().conversations.get(idOf(workspaceId, conversationId))?.head ?? null;
    },
    async eventsIn(range) {
      await before('eventsIn');
      const found = [...storeOf().events.values()]
        .filter((event) => isIn(range, event))
        .toSorted((a, b) => ((a.seq ?? 0) - (b.seq ?? 0)) * (range.order === 'asc' ? 1 : -1));
      return found.slice(0, range.limit);
    },
  };
}

function isIn(range: EventRange, event: StoredEvent): boolean {
  const { workspaceId, conversationId, audience, after = 0, before = Number.MAX_SAFE_INTEGER, upTo } = range;
  const seq = event.seq ?? 0;
  return (
    event.workspaceId === workspaceId &&
    event.conversationId === conversationId &&
    seq > after &&
    seq < before &&
    seq <= upTo &&
    (audience === 'agent' || isVisibleToVisitor(event.kind))
  );
}

export function memoryTimelines(storeOf: () => MemoryStore, before: Before): TimelineSource {
  const on = (standing: Standing, which: Which): StoredEvent[] =>
    [...storeOf().events.values()].filter((event) => stands(standing, event) && isOf(which, event));
  return {
    async standingOf(workspaceId, contactId) {
      await before('standingOf');
      const { contacts, moved } = storeOf();
      const contact = contacts.get(idOf(workspaceId, contactId));
      if (!contact) throw new AppError('contact_not_found');
      const memberIds = [...contacts.values()]
        .filter((one) => one.workspaceId === workspaceId && one.headId === contact.headId)
        .map(({ id }) => id);
      const isOurs = (id: string): boolean => memberIds.includes(id);
      const went = [...moved];
      return {
        workspaceId,
        memberIds,
        moved: {
          to: went.filter(([, { to }]) => isOurs(to)).map(([id]) => id),
          away: went.filter(([, { from, to }]) => isOurs(from) && !isOurs(to)).map(([id]) => id),
        },
      };
    },
    async eventsOn(standing, which, direction, limit) {
      await before('eventsOn');
      const sign = direction === 'older' ? -1 : 1;
      return on(standing, which)
        .toSorted(
          (a, b) => sign * (a.occurredAt.getTime() - b.occurredAt.getTime() || (a._id < b._id ? -1 : 1)),
        )
        .slice(0, limit);
    },
    async countOn(standing, which) {
      await before('countOn');
      return on(standing, which).length;
    },
  };
}

function stands({ workspaceId, memberIds, moved }: Standing, event: StoredEvent): boolean {
  if (event.workspaceId !== workspaceId || event.erased === 'undone') return false;
  if (moved.to.includes(event._id)) return true;
  return memberIds.includes(event.contactId) && !moved.away.includes(event._id);
}

function isOf({ channels, kinds, beyond, from, to }: Which, event: StoredEvent): boolean {
  const { channel, kind, occurredAt: at, _id } = event;
  if (channels === 'any' ? channel === null : channels && !(channel && channels.includes(channel)))
    return false;
  if (kinds && ('only' in kinds ? !kinds.only.includes(kind) : kinds.but.includes(kind))) return false;
  if ((from && at < from) || (to && at > to)) return false;
  if (!beyond) return true;
  const { place, direction } = beyond;
  const order = at.getTime() - place.at.getTime() || (_id < place.id ? -1 : _id > place.id ? 1 : 0);
  return direction === 'older' ? order < 0 : order > 0;
}
