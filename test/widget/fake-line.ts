import type { EventOf, TimelineEvent } from '../../shared/events/timeline.js';
import type { VisitorConversation, VisitorSession } from '../../shared/protocol.js';
import type { Line, LineListener } from '../../widget/client.js';

/** A server in the page, at the engine's own port: what the panel does with it is the product's code. */
export interface FakeLine extends Line {
  session: VisitorSession;
  events: TimelineEvent[];
  /** Requests as they came. */
  requests: { name: string; body: Record<string, unknown> }[];
  /** What the next message is refused with. */
  refuseWith: { code: string; retry: string } | null;
  connect: () => void;
  cut: () => void;
  notice: (name: string, data: unknown) => void;
  say: (text: string, more?: Partial<EventOf<'message'>>) => EventOf<'message'>;
}

export const conversationId = 'conv-1';

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

export function message(
  seq: number,
  from: 'visitor' | string,
  text: string,
  minutes = 30,
): EventOf<'message'> {
  const isVisitor = from === 'visitor';
  return {
    id: `event-${seq}`,
    contactId: 'contact-1',
    conversationId,
    channel: 'chat',
    direction: isVisitor ? 'in' : 'out',
    actor: isVisitor ? { type: 'contact', id: 'contact-1' } : { type: 'agent', id: from },
    seq,
    previousSeq: seq - 1,
    occurredAt: ago(minutes),
    recordedAt: ago(minutes),
    kind: 'message',
    body: { text, attachments: [], clientId: `client-${seq}` },
  };
}

export function fakeLine(
  events: TimelineEvent[] = [],
  inbox: Partial<VisitorSession['inbox']> = {},
  conversation: Partial<VisitorConversation> = {},
) {
  let listener: LineListener | null = null;
  let isUp = false;
  const line: FakeLine = {
    events,
    requests: [],
    refuseWith: null,
    session: {
      protocol: 1,
      token: 'secret',
      contactId: 'contact-1',
      identified: false,
      inbox: {
        id: 'inbox-1',
        name: 'Kestrel Cycles',
        greeting: 'Hello. Ask us about a bike, an order or a repair.',
        accent: '#1d6b54',
        quickReplies: ['Where is my order?', 'Book a service', 'Help me choose a size'],
        asksForEmail: false,
        availability: {
          online: true,
          agents: [
            { id: 'anna', name: 'Anna Weber' },
            { id: 'tomas', name: 'Tomás Ortega' },
          ],
        },
        ...inbox,
      },
      conversations: events.length
        ? [
            {
              id: conversationId,
              status: 'open',
              subject: 'Motor cuts out',
              head: events.at(-1)?.seq ?? 0,
              readSeq: events.at(-1)?.seq ?? 0,
              agentReadSeq: 0,
              unread: 0,
              lastAt: events.at(-1)?.occurredAt ?? ago(1),
              ...conversation,
            },
          ]
        : [],
    },
    connect() {
      isUp = true;
      void listener?.auth().then(() => listener?.onNotice('session', line.session as never));
    },
    cut() {
      isUp = false;
      listener?.onClose();
    },
    notice: (name, data) => listener?.onNotice(name, data as never),
    say(text, more = {}) {
      const seq = (line.events.at(-1)?.seq ?? 0) + 1;
      const event = { ...message(seq, 'anna', text, 0), ...more };
      line.events.push(event);
      line.notice('event', event);
      return event;
    },
    async request(name, body) {
      if (!isUp) throw new Error('There is no connection.');
      const asked = body as Record<string, unknown>;
      line.requests.push({ name, body: asked });
      if (name === 'message:send') {
        if (line.refuseWith) return { ok: false, error: { ...line.refuseWith, message: '' } };
        const seq = (line.events.at(-1)?.seq ?? 0) + 1;
        const event = message(seq, 'visitor', String(asked.text), 0);
        event.body.clientId = String(asked.clientId);
        line.events.push(event);
        return { ok: true, event };
      }
      if (name === 'events:read') {
        const after = Number(asked.after ?? -1);
        const before = Number(asked.before ?? Number.MAX_SAFE_INTEGER);
        const head = line.events.at(-1)?.seq ?? 0;
        const found = line.events.filter(({ seq = 0 }) => seq > after && seq < before);
        const page = asked.before === undefined ? found : found.slice(-30);
        return { ok: true, events: page, upTo: head, head, isStart: page.length === found.length };
      }
      return { ok: true };
    },
    wake: () => line.connect(),
    sleep: () => line.cut(),
  };
  const openLine = (made: LineListener): Line => {
    listener = made;
    return line;
  };
  return { line, openLine };
}
