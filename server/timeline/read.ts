import type { TimelinePage, TimelinePicture } from '../../shared/api.js';
import type { EventPage } from '../../shared/events/timeline.js';
import type { Scope } from '../workspaces/scope.js';
import { type ReadConversation, readPage } from './page.js';
import { timelinePicture } from './picture.js';
import { mongoosePages, mongooseTimelines } from './sources.js';
import { type TimelineQuery, timelinePage } from './timeline.js';
import type { Audience } from './visibility.js';

/** Reading, over the real store. */

type Workspace = Pick<Scope, 'workspaceId'>;

/**
 * A bounded piece of a conversation in order of `seq`, complete up to `upTo` for this audience.
 * @throws AppError `conversation_not_found`, `bad_request`
 */
export const readConversation = (
  { workspaceId }: Workspace,
  query: ReadConversation,
  audience: Audience,
): Promise<EventPage> => readPage(mongoosePages, workspaceId, query, audience);

/**
 * One page of a contact's timeline: the whole merged group in one order, by when it happened.
 * @throws AppError `contact_not_found`, `bad_request`
 */
export const readTimeline = (
  { workspaceId }: Workspace,
  contactId: string,
  query: TimelineQuery,
): Promise<TimelinePage> => timelinePage(mongooseTimelines, workspaceId, contactId, query);

/**
 * The year picture and the chips of a contact's timeline. `from` and `to` are ISO times; marks are what was said
 * between them, oldest first; counts are of the whole timeline.
 * @throws AppError `contact_not_found`
 */
export const readPicture = (
  { workspaceId }: Workspace,
  contactId: string,
  range: { from: string; to: string },
): Promise<TimelinePicture> => timelinePicture(mongooseTimelines, workspaceId, contactId, range);
