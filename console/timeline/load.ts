import type { TimelinePicture } from '../../shared/api.js';
import type { EventKind } from '../../shared/events/kinds.js';
import type { TimelineQuery } from '../api/endpoints.js';
import { replyOf } from '../api/request.js';
import type { Console } from '../state/console.js';
import { monthsUpTo } from './picture.js';

export const filters = ['all', 'chat', 'email', 'phone', 'note', 'change'] as const;
export type Filter = (typeof filters)[number];

const content: readonly EventKind[] = ['message', 'note', 'email', 'call'];
const changes: readonly EventKind[] = [
  'status_changed',
  'assigned',
  'identity_proved',
  'claim_made',
  'contact_changed',
  'contact_blocked',
  'contact_merged',
  'contact_unmerged',
  'email_delivery',
];

/** What a filter asks the server for. */
export function queryOf(filter: Filter): TimelineQuery {
  switch (filter) {
    case 'all':
      return { kinds: [...content, ...changes].join(',') };
    case 'chat':
      return { channels: 'chat', kinds: 'message' };
    case 'email':
      return { channels: 'email', kinds: 'email' };
    case 'phone':
      return { channels: 'phone', kinds: 'call' };
    case 'note':
      return { kinds: 'note' };
    case 'change':
      return { kinds: changes.join(',') };
  }
}

const asked = new Map<string, Promise<void>>();

/** Asks for a contact's twelve months; asked by several elements at once it asks the server once. */
export function loadPicture(app: Console, contactId: string): Promise<void> {
  if (asked.has(contactId)) return asked.get(contactId) ?? Promise.resolve();
  const { from, to } = monthsUpTo(new Date(app.clock.get()), null);
  const work = app.api
    .picture(contactId, from.toISOString(), to.toISOString())
    .then(
      (picture: TimelinePicture) =>
        app.pictures
          .of(contactId)
          .change((old) => (old && JSON.stringify(old) === JSON.stringify(picture) ? old : picture)),
      (error: unknown) => {
        // The timeline below says what failed; a picture that is not there claims nothing.
        replyOf(error);
      },
    )
    .finally(() => asked.delete(contactId));
  asked.set(contactId, work);
  return work;
}
