import type { OutboxStorage } from '../shared/delivery/run.js';
import { type Delivery, Refusal, runDelivery } from '../shared/delivery/run.js';
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
export type Line = Pick<Wire, 'request' | 'wake' | 'sleep' | 'stop'>;

export interface ClientOptions {
  inboxId: string;
  openLine: (listener: LineListener) => Line;
  storage: OutboxStorage<Draft>;
  touch: Touch;
  locale: () => string;
  emit: (event: ThreadlineEvent, detail?: unknown) => unknown;
  /** Anything changed that is shown. */
  onChange: () => void;
}

/** A visitor's side of the chat: its session, its conversations and their delivery. No DOM. */
export interface Client {
  readonly delivery: Delivery<Draft>;
  session: VisitorSession | null;
  isOnline: boolean;
  /** Why the server does not want us here; nothing is tried again. */
  refusal: ErrorReply | null;
  conversations: VisitorConversation[];
  typing: Record<string, string>;
  token: () => string;
  request: <Name extends keyof VisitorResults>(name: Name, body: object) => Promise<VisitorResults[Name]>;
  write: (thread: string | null, text: string, attachments: FileRef[]) => string;
  setTyping: (conversationId: string, typing: boolean) => void;
  seen: (conversationId: string, seq: number) => void;
  identify: (source: IdentitySource | undefined) => void;
  /** Ends the visitor's secret on the server, and wipes what was kept here. */
  signOut: (base: string) => Promise<void>;
  /** Nothing of the former person stays; the next session is somebody new's. */
  restart: () => void;
  sleep: () => void;
  stop: () => void;
}

const protocol = 1;
const fatal = new Set([
  'origin_not_allowed',
  'inbox_not_found',
  'protocol_too_old',
  'bad_request',
  'forbidden',
]);
/** Somebody who types is forgotten after this long without a word of it. */
const typingShownMs = 8_000;
const typingToldMs = 3_000;

export function createClient(options: ClientOptions): Client {
  const { inboxId, onChange, emit } = options;
  let identity: IdentitySource | undefined;
  let toldTypingAt = 0;
  let hasTouched = false;
  const typingTimers = new Map<string, ReturnType<typeof setTimeout>>();

  async function request<Name extends keyof VisitorResults>(
    name: Name,
    body: object,
  ): Promise<VisitorResults[Name]> {
    // Our own server's word; the engine merges by id and seq whatever comes.
    const answer = (await line.request(name, body)) as Ack<VisitorResults[Name]>;
    if (answer.ok) return answer;
    throw new Refusal(answer.error);
  }

  const delivery = runDelivery<Draft>({
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
      send: async ({ clientId, conversationId, body, waitedMs }) => {
        const { event } = await request('message:send', { clientId, conversationId, ...body, waitedMs });
        return event;
      },
      read: (query): Promise<EventPage> => request('events:read', query),
      mark: (conversationId, seq) => request('read', { conversationId, seq }).catch(() => undefined),
    },
  });
  const unsubscribe = delivery.subscribe(onChange);

  function takeSession(session: VisitorSession): void {
    const before = readKept(inboxId).contactId;
    // Another person than the one whose things are kept here: nothing of theirs may be shown, or sent in this name.
    if (before !== undefined && before !== session.contactId) wipe();
    keep(inboxId, { token: session.token, contactId: session.contactId, accent: session.inbox.accent });
    client.session = session;
    client.conversations = session.conversations;
    client.isOnline = true;
    client.refusal = null;
    delivery.input({ type: 'connected' });
    for (const { id, agentReadSeq, head } of session.conversations) {
      delivery.input({ type: 'read-by-other', conversationId: id, seq: agentReadSeq });
      // A message that was read while this tab was away is on no page: the head says whether one is due.
      if ((delivery.state.threads[id]?.upTo ?? head) < head)
        delivery.input({ type: 'missed', conversationId: id });
    }
    if (session.identified) emit('identified');
    onChange();
  }

  function takeEvent(event: TimelineEvent): void {
    delivery.input({ type: 'event', event });
    const id = event.conversationId ?? '';
    const known = client.conversations.find((one) => one.id === id);
    const isTheirs = event.kind === 'message' && event.direction === 'out';
    const status =
      event.kind === 'status_changed' ? (event.body.to === 'open' ? 'open' : 'closed') : known?.status;
    const row: VisitorConversation = {
      id,
      subject: known?.subject ?? '',
      readSeq: known?.readSeq ?? 0,
      agentReadSeq: known?.agentReadSeq ?? 0,
      status: status ?? 'open',
      head: Math.max(known?.head ?? 0, event.seq ?? 0),
      unread: (known?.unread ?? 0) + (isTheirs && (event.seq ?? 0) > (known?.head ?? 0) ? 1 : 0),
      lastAt: event.occurredAt,
    };
    client.conversations = [row, ...client.conversations.filter((one) => one !== known)];
    if (isTheirs) {
      client.typing = {};
      emit('message', { conversationId: id });
    }
    onChange();
  }

  function takeTyping({ conversationId, typing, name }: VisitorNotices['typing']): void {
    clearTimeout(typingTimers.get(conversationId));
    const { [conversationId]: _, ...others } = client.typing;
    client.typing = typing ? { ...others, [conversationId]: name } : others;
    if (typing) {
      const end = (): void => takeTyping({ conversationId, typing: false, name });
      typingTimers.set(conversationId, setTimeout(end, typingShownMs));
    }
    onChange();
  }

  function hear(name: string, data: never): void {
    const notices: { [Name in keyof VisitorNotices]: (notice: VisitorNotices[Name]) => void } = {
      session: takeSession,
      event: takeEvent,
      typing: takeTyping,
      read: ({ conversationId, seq }) => delivery.input({ type: 'read-by-other', conversationId, seq }),
      availability(availability) {
        if (client.session) {
          client.session = { ...client.session, inbox: { ...client.session.inbox, availability } };
        }
        onChange();
      },
      resync: ({ conversationId }) => delivery.input({ type: 'missed', conversationId }),
      reconnect({ afterMs }) {
        line.sleep();
        setTimeout(() => line.wake(), afterMs);
      },
      'signed-out': () => restart(),
    };
    Object.entries(notices).find(([known]) => known === name)?.[1](data);
  }

  /** Nothing of the former person stays: not in memory, not in storage, not on the screen. */
  function wipe(): void {
    forgetKept(inboxId);
    delivery.input({ type: 'wipe' });
    client.session = null;
    client.conversations = [];
    client.typing = {};
    emit('signed-out');
  }

  /** Begins as somebody new. */
  function restart(): void {
    line.sleep();
    wipe();
    onChange();
    line.wake();
  }

  const line = options.openLine({
    auth: async () => {
      const { token } = readKept(inboxId);
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
      delivery.input({ type: 'disconnected' });
      onChange();
    },
    onNotice: hear,
    onRefused(error) {
      if (error) emit('error', error);
      // A secret that is no longer good was signed out elsewhere, or is over: its things go with it.
      if (error?.code === 'unauthorized' || error?.code === 'token_expired') wipe();
      // Without a proof the visitor can still write, as anybody.
      if (error?.code === 'identity_token_invalid' && typeof identity !== 'function') identity = undefined;
      const isFatal = error !== undefined && fatal.has(error.code);
      if (isFatal) client.refusal = error;
      onChange();
      return !isFatal;
    },
  });

  const client: Client = {
    delivery,
    session: null,
    isOnline: false,
    refusal: null,
    conversations: [],
    typing: {},
    token: () => readKept(inboxId).token ?? client.session?.token ?? '',
    request,
    write(thread, text, attachments) {
      const clientId = crypto.randomUUID();
      const touch = hasTouched || client.conversations.length > 0 ? undefined : options.touch;
      hasTouched = true;
      delivery.write(clientId, thread, { text, attachments, ...(touch && { touch }) });
      return clientId;
    },
    setTyping(conversationId, typing) {
      const now = performance.now();
      if (!client.isOnline || (typing && now - toldTypingAt < typingToldMs)) return;
      toldTypingAt = typing ? now : 0;
      // A lost word of typing is no loss.
      request('typing', { conversationId, typing }).catch(() => undefined);
    },
    seen(conversationId, seq) {
      delivery.input({ type: 'seen', conversationId, seq });
      client.conversations = client.conversations.map((one) =>
        one.id === conversationId ? { ...one, unread: 0, readSeq: Math.max(one.readSeq, seq) } : one,
      );
    },
    identify(source) {
      if (identity === source) return;
      identity = source;
      line.sleep();
      line.wake();
    },
    async signOut(base) {
      const token = client.token();
      identity = undefined;
      restart();
      if (!token) return;
      // By HTTP, which outlives the page: signing out is often followed by leaving it.
      const answer = await fetch(`${base}v1/visitor/requests/sign-out`, {
        method: 'POST',
        keepalive: true,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{}',
      });
      if (!answer.ok && answer.status !== 401)
        emit('error', new Error(`Signing out answered ${answer.status}.`));
    },
    restart,
    sleep: () => line.sleep(),
    stop() {
      line.stop();
      delivery.stop();
      unsubscribe();
      for (const timer of typingTimers.values()) clearTimeout(timer);
    },
  };
  return client;
}
