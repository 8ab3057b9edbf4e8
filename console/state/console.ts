import type {
  AgentSummary,
  ContactDetail,
  ConversationCounts,
  ConversationDetail,
  InboxSummary,
  Me,
  TimelinePicture,
} from '../../shared/api.js';
import type { ConversationRow } from '../../shared/protocol.js';
import type { Api } from '../api/endpoints.js';
import type { Live } from '../api/live.js';
import type { Transport } from '../api/request.js';
import type { Drafts, Mode } from '../conversation/drafts.js';
import { type ConversationLog, emptyLog } from '../conversation/log.js';
import type { Sync } from '../conversation/sync.js';
import type { Keys } from '../keys/listen.js';
import { emptyList, type ListState } from '../list/reduce.js';
import type { Route } from '../router.js';
import type { Preferences } from './preferences.js';
import { createFamily, createSlice, type Loadable, loading, type Slice, type SliceFamily } from './slice.js';

type Session = { state: 'unknown' } | { state: 'signed-out' } | { state: 'signed-in'; me: Me };
export interface Toast {
  text: string;
  /** Undone by the button or the key. */
  undo?: () => void;
}
interface Viewer {
  id: string;
  name: string;
  typing: boolean;
}

/** What the elements share: the ports to the outside, and the state in slices. */
export interface Console extends State {
  transport: Transport;
  api: Api;
  live: Live;
  keys: Keys;
  sync: Sync;
  drafts: Drafts;
  preferences: Slice<Preferences>;
  go(route: Route, how?: { replace?: boolean }): void;
}

export interface State {
  route: Slice<Route>;
  session: Slice<Session>;
  /** The workspace that the live connection is for. */
  joined: Slice<string | null>;
  /** Epoch milliseconds; moves every few seconds while the page is seen. */
  clock: Slice<number>;
  /** Since when there has been no connection (epoch ms); null while there is one. */
  offlineSince: Slice<number | null>;
  agents: Slice<readonly AgentSummary[]>;
  inboxes: Slice<readonly InboxSummary[]>;
  counts: Slice<ConversationCounts | null>;
  rows: SliceFamily<ConversationRow | null>;
  list: Slice<ListState>;
  details: SliceFamily<Loadable<ConversationDetail>>;
  logs: SliceFamily<ConversationLog>;
  contacts: SliceFamily<Loadable<ContactDetail>>;
  /** Grows when something on a contact's timeline changed: who shows it asks for what is new. */
  timelines: SliceFamily<number>;
  /** The last twelve months of a contact at a glance. */
  pictures: SliceFamily<TimelinePicture | null>;
  viewers: SliceFamily<readonly Viewer[]>;
  /** Who types in a conversation, besides this agent; null when nobody. */
  typing: SliceFamily<{ name: string; until: number } | null>;
  toast: Slice<Toast | null>;
  overlay: Slice<'palette' | 'sheet' | null>;
  /** Where somebody wants to write: the composer takes it up once it is there. */
  writing: Slice<{ conversationId: string; mode: Mode } | null>;
}

export function createState(now: number, route: Route): State {
  return {
    route: createSlice(route),
    session: createSlice<Session>({ state: 'unknown' }),
    joined: createSlice<string | null>(null),
    clock: createSlice(now),
    offlineSince: createSlice<number | null>(null),
    agents: createSlice<readonly AgentSummary[]>([]),
    inboxes: createSlice<readonly InboxSummary[]>([]),
    counts: createSlice<ConversationCounts | null>(null),
    rows: createFamily<ConversationRow | null>(() => null),
    list: createSlice(emptyList('')),
    details: createFamily<Loadable<ConversationDetail>>(() => loading),
    logs: createFamily<ConversationLog>(() => emptyLog),
    contacts: createFamily<Loadable<ContactDetail>>(() => loading),
    timelines: createFamily(() => 0),
    pictures: createFamily<TimelinePicture | null>(() => null),
    viewers: createFamily<readonly Viewer[]>(() => []),
    typing: createFamily<{ name: string; until: number } | null>(() => null),
    toast: createSlice<Toast | null>(null),
    overlay: createSlice<'palette' | 'sheet' | null>(null),
    writing: createSlice<{ conversationId: string; mode: Mode } | null>(null),
  };
}

/** This agent; only asked where somebody is signed in. */
export function meOf(app: Console): Me {
  const session = app.session.get();
  if (session.state !== 'signed-in') throw new Error('nobody is signed in');
  return session.me;
}

export const agentOf = (app: Console, id: string | null | undefined): AgentSummary | undefined =>
  id == null ? undefined : app.agents.get().find((agent) => agent.id === id);

/** Anna of Anna Weiss. */
export const firstName = (name: string): string => name.split(/\s+/)[0] ?? name;
