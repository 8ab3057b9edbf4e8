import { type OutboxStorage, type Ports, Refusal, runDelivery } from '../shared/delivery/run.js';
import type { DeliveryState, Input } from '../shared/delivery/state.js';
import type { ErrorReply } from '../shared/errors.js';
import type { Touch } from '../shared/events/message.js';
import type { FileRef } from '../shared/events/parts.js';
import type { EventPage, TimelineEvent } from '../shared/events/timeline.js';
import type {
  Ack,
  VisitorConversation,
  VisitorHandshake,
  VisitorNotices,
  VisitorResults,
  VisitorSession,
} from '../shared/protocol.js';
import { type IdentitySource, readKept, type ThreadlineEvent } from './shell.js';
import { forgetKept, keep } from './storage.js';
import type { Wire } from './wire.js';

/** What a visitor writes. */
export interface Draft {
  text: string;
  attachments: FileRef[];
  touch?: Touch;
}

/** What the line tells the client. The tests give it a line of their own; the product gives it the wire. */
export interface LineListener {
  auth: () => Promise<VisitorHandshake>;
  onClose: () => void;
  onNotice: (name: string, data: never) => void;
  onRefused: (error: ErrorReply | undefined) => boolean;
}
export type Line = Pick<Wire, 'request' | 'wake' | 'sleep'>;

export interface ClientOptions {
  inboxId: string;
  openLine: (listener: LineListener) => Line;
  storage: OutboxStorage<Draft>;
  touch: Touch;
  /** Who the site says that the visitor is, by now. */
  identity: () => IdentitySource | undefined;
  locale: () => string;
  emit: (event: ThreadlineEvent, detail?: unknown) => unknown;
  /** Anything changed that is shown. */
  onChange: () => void;
}

/** All that is known of a visitor: plain data, to be shown, and to be handed on to another tab. */
export interface Known {
  session: VisitorSession | null;
  isOnline: boolean;
  /** Why the server does not want us here; nothing is tried again. */
  refusal: ErrorReply | null;
  conversations: VisitorConversation[];
  /** Who types, by conversation. */
  typing: Record<string, { name: string }>;
  state: DeliveryState<Draft>;
}

/** A visitor's side of the chat: its session, its conversations and their delivery. No DOM. */
export interface Client extends Known {
  input: (input: Input<Draft>) => void;
  request: <Name extends keyof VisitorResults>(name: Name, body: object) => Promise<VisitorResults[Name]>;
  write: (clientId: string, thread: string | null, text: string, attachments: FileRef[]) => void;
  setTyping: (thread: string | null, typing: boolean) => void;
  seen: (conversationId: string, seq: number) => void;
  /** Who the visitor is by the site's word, from the next connect on, which is now. */
  identify: (source: IdentitySource | undefined) => void;
  /** Nothing of the former person stays here; the next session is somebody new's. */
  restart: () => void;
  /** The line may be dead, or somebody else's by now: a new one. */
  renew: () => void;
  /** Whose browser is it by now? Another tab may have signed out, or somebody else in, while this page was away. */
  check: () => void;
  /** The page is there again, or the network: connects at once. */
  wake: () => void;
  sleep: () => void;
  stop: () => void;
}

const protocol = 1;
const fatal = /^(origin_not_allowed|inbox_not_found|protocol_too_old|bad_request|forbidden)$/;
/** Somebody who types is forgotten after this long without a word of it. */
const typingShownMs = 8_000;
const typingToldMs = 3_000;

/** A client with a line of its own, which it opens when it is woken. `from`: what another tab knew goes on in this one. */
export function createClient(options: ClientOptions, from?: Known): Client {
  const { inboxId, onChange, emit } = options;
  let identity = options.identity();
  let toldTypingAt = 0;
  let hasTouched = false;
  let returning: ReturnType<typeof setTimeout> | undefined;
  /** Whose things the page's storage keeps; undefined where it is denied. */
  let keptOf: string | undefined;

  async function request<Name extends keyof VisitorResults>(
    name: Name,
    body: object,
  ): Promise<VisitorResults[Name]> {
    // Our own server's word; the engine merges by id and seq whatever comes.
    const answer = (await line.request(name, body)) as Ack<VisitorResults[Name]>;
    if (answer.ok) return answer;
    throw new Refusal(answer.error);
  }

  const ports: Ports<Draft> = {
    storage: options.storage,
    random: Math.random,
    clock: {
      now: () => performance.timeOrigin + performance.now(),
      after: (ms, call) => {
        const timer = setTimeout(call, ms);
        return () => clearTimeout(timer);
      },
    },
    transport: {
      send: async ({ clientId, conversationId, body, waitedMs }) =>
        (await request('message:send', { clientId, conversationId, ...body, waitedMs })).event,
      read: (query): Promise<EventPage> => request('events:read', query),
      mark: (conversationId, seq) => request('read', { conversationId, seq }).catch(() => undefined),
    },
  };
  const delivery = runDelivery(ports, from?.state);
  const { input } = delivery;
  delivery.subscribe(onChange);

  const notices: { [Name in keyof VisitorNotices]: (notice: VisitorNotices[Name]) => void } = {
    session(session) {
      const { contactId, conversations } = session;
      const before = client.session?.contactId ?? readKept(inboxId).contactId;
      // Another person than the one whose things are here: nothing of theirs may be shown, or sent in this name.
      if (before !== undefined && before !== contactId) wipe();
      keep(inboxId, { token: session.token, contactId, accent: session.inbox.accent });
      keptOf = readKept(inboxId).contactId;
      Object.assign(client, { session, conversations, isOnline: true, refusal: null });
      input({ type: 'connected' });
      for (const { id, agentReadSeq, head } of conversations) {
        input({ type: 'read-by-other', conversationId: id, seq: agentReadSeq });
        // A message that was read while this tab was away is on no page: the head says whether one is due.
        if ((delivery.state.threads[id]?.upTo ?? head) < head) input({ type: 'missed', conversationId: id });
      }
      if (session.identified) emit('identified');
    },
    event(event) {
      input({ type: 'event', event });
      const known = client.conversations.find(({ id }) => id === event.conversationId);
      const row = rowAfter(known, event);
      client.conversations = [row, ...client.conversations.filter((one) => one !== known)];
      if (isTheirs(event)) {
        client.typing = {};
        emit('message', { conversationId: row.id });
      }
    },
    typing({ conversationId, typing, name }) {
      const { [conversationId]: _, ...others } = client.typing;
      const said = { name };
      client.typing = typing ? { ...others, [conversationId]: said } : others;
      setTimeout(() => {
        if (client.typing[conversationId] !== said) return;
        client.typing = others;
        onChange();
      }, typingShownMs);
    },
    read: ({ conversationId, seq }) => input({ type: 'read-by-other', conversationId, seq }),
    availability(availability) {
      const { session } = client;
      if (session) client.session = { ...session, inbox: { ...session.inbox, availability } };
    },
    resync: ({ conversationId }) => input({ type: 'missed', conversationId }),
    reconnect({ afterMs }) {
      // Until then all goes on here.
      returning = setTimeout(client.renew, afterMs);
    },
    'signed-out': () => client.restart(),
  };
  const isNotice = (name: string): name is keyof VisitorNotices => Object.hasOwn(notices, name);
  function hear(name: string, data: never): void {
    if (isNotice(name)) notices[name](data);
    onChange();
  }

  /** Nothing of the former person stays: not in memory, not in storage, not on the screen. */
  function wipe(): void {
    const { session } = client;
    // What another tab keeps of its next person is not this one's.
    if (!session || readKept(inboxId).contactId === session.contactId) forgetKept(inboxId);
    keptOf = undefined;
    input({ type: 'wipe' });
    Object.assign(client, { session: null, conversations: [], typing: {} });
    emit('signed-out');
  }

  function end(): void {
    line.sleep();
    wipe();
    onChange();
  }

  const line = options.openLine({
    auth: async () => {
      // Where storage is denied, this visit still stays one.
      const token = readKept(inboxId).token ?? client.session?.token;
      const identityToken = typeof identity === 'function' ? await identity() : identity;
      return {
        protocol,
        inboxId,
        ...(token && { token }),
        ...(identityToken && { identityToken }),
        page: { url: location.href.slice(0, 2_000), title: document.title.slice(0, 200) },
        locale: options.locale(),
        timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
      };
    },
    onClose() {
      client.isOnline = false;
      input({ type: 'disconnected' });
    },
    onNotice: hear,
    onRefused(error) {
      const code = error?.code ?? '';
      if (error) emit('error', error);
      // A secret that is no longer good was signed out elsewhere, or is over: its things go with it.
      if (code === 'unauthorized' || code === 'token_expired') wipe();
      // Without a proof the visitor can still write, as anybody.
      if (code === 'identity_token_invalid' && typeof identity !== 'function') identity = undefined;
      if (fatal.test(code)) client.refusal = error ?? null;
      onChange();
      return !client.refusal;
    },
  });

  const client: Client = {
    get state() {
      return delivery.state;
    },
    session: from?.session ?? null,
    isOnline: false,
    refusal: null,
    conversations: from?.conversations ?? [],
    typing: {},
    input,
    request,
    write(clientId, thread, text, attachments) {
      const { touch } = options;
      const isFirst = !hasTouched && client.conversations.length === 0;
      hasTouched = true;
      delivery.write(clientId, thread, { text, attachments, ...(isFirst && { touch }) });
    },
    setTyping(thread, typing) {
      const now = performance.now();
      if (!thread || thread.startsWith('new:') || !client.isOnline) return;
      if (typing ? now - toldTypingAt < typingToldMs : !toldTypingAt) return;
      toldTypingAt = typing ? now : 0;
      // A lost word of typing is no loss.
      request('typing', { conversationId: thread, typing }).catch(() => undefined);
    },
    seen(conversationId, seq) {
      input({ type: 'seen', conversationId, seq });
      client.conversations = client.conversations.map((one) =>
        one.id === conversationId ? { ...one, unread: 0, readSeq: Math.max(one.readSeq, seq) } : one,
      );
      onChange();
    },
    identify(source) {
      if (identity === source) return;
      identity = source;
      client.renew();
    },
    renew() {
      line.sleep();
      line.wake();
    },
    restart() {
      end();
      line.wake();
    },
    check() {
      if (keptOf !== undefined && readKept(inboxId).contactId !== keptOf) end();
    },
    wake() {
      client.check();
      line.wake();
    },
    sleep() {
      clearTimeout(returning);
      line.sleep();
    },
    stop() {
      client.sleep();
      delivery.stop();
    },
  };
  return client;
}

const isTheirs = (event: TimelineEvent): boolean => event.kind === 'message' && event.direction === 'out';

/** A conversation as it stands after an event of it. */
function rowAfter(known: VisitorConversation | undefined, event: TimelineEvent): VisitorConversation {
  const { seq = 0 } = event;
  const { head = 0, unread = 0 } = known ?? {};
  const isNew = seq > head;
  const status = event.kind === 'status_changed' && event.body.to !== 'open' ? 'closed' : 'open';
  return {
    subject: '',
    readSeq: 0,
    agentReadSeq: 0,
    status,
    lastAt: event.occurredAt,
    ...known,
    ...(event.kind === 'status_changed' && { status }),
    // A chat is begun under no subject: its first words are what it is about. The list cuts them to its width.
    ...(event.kind === 'message' && {
      subject: known?.subject || event.body.text,
      lastAt: event.occurredAt,
    }),
    id: event.conversationId ?? '',
    head: isNew ? seq : head,
    unread: unread + (isNew && isTheirs(event) ? 1 : 0),
  };
}
