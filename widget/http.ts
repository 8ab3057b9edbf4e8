import type { EventPage } from '../shared/events/timeline.js';
import type { Ack, VisitorResults, VisitorSession } from '../shared/protocol.js';
import type { Line, LineListener } from './client.js';

const answerWithinMs = 15_000;
/** The server answers a poll after 25 s at the latest. */
const pollWithinMs = 35_000;
const sessionAgainMs = 30_000;
const longestPauseMs = 30_000;
/** A browser has six connections to one host: the rest of the page needs some, too. */
const pollsAtMost = 3;

/**
 * The line without WebSocket, over the server's stateless route: requests are `POST`s, what is new comes with long polls
 * of the newest conversations, and what no poll tells (read marks, who is there) with the session, which is asked for
 * again each time a poll came back empty. A chunk of its own: hardly anybody needs it.
 */
export function openHttp(
  base: string,
  { auth, onNotice, onClose, onRefused }: LineListener,
): Line & { stop: () => void } {
  let isOpen = false;
  let token = '';
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** One session and its polls: the next one ends them. */
  let round = new AbortController();
  let watched = new Set<string>();
  /** Ends what was asked, too. */
  const ended = new AbortController();

  async function ask<Result>(
    path: string,
    signal: AbortSignal,
    body?: object,
    withinMs = answerWithinMs,
  ): Promise<Ack<Result>> {
    const answer = await fetch(`${base}v1/visitor/${path}`, {
      signal: AbortSignal.any([signal, ended.signal, AbortSignal.timeout(withinMs)]),
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    // What is no JSON was not said by the server: it counts as no answer.
    return { ok: answer.ok, ...(await answer.json()) };
  }

  /** Begins a session, or goes on with it. */
  async function connect(): Promise<void> {
    stop();
    round = new AbortController();
    const { signal } = round;
    try {
      const handshake = await auth();
      const answer = await ask<VisitorSession>('session', signal, handshake);
      if (signal.aborted) return;
      if (!answer.ok) {
        close();
        if (onRefused(answer.error)) again(Number(answer.error.details?.retryAfterMs ?? 0));
        return;
      }
      ({ token } = answer);
      failures = 0;
      isOpen = true;
      watched = new Set();
      onNotice('session', answer as never);
      // Shows the agents where the visitor is; without a socket it holds for a minute.
      ask('requests/page', signal, handshake.page ?? {}).catch(() => undefined);
      for (const { id, head } of answer.conversations) void watch(id, head);
      timer = setTimeout(connect, sessionAgainMs);
    } catch {
      if (signal.aborted) return;
      close();
      again();
    }
  }

  function close(): void {
    if (!isOpen) return;
    isOpen = false;
    onClose();
  }

  function stop(): void {
    clearTimeout(timer);
    round.abort();
  }

  /** Full jitter, as on the wire. */
  function again(atLeastMs = 0): void {
    stop();
    const most = Math.min(longestPauseMs, 1_000 * 2 ** failures);
    timer = setTimeout(connect, atLeastMs + Math.random() * most);
    failures += 1;
  }

  /** Hands on what comes after `after`, until the round ends. */
  async function watch(conversationId: string, after: number): Promise<void> {
    if (watched.has(conversationId) || watched.size >= pollsAtMost) return;
    watched.add(conversationId);
    const { signal } = round;
    try {
      for (;;) {
        const path = `events?${new URLSearchParams({ conversationId, after: `${after}` })}`;
        const page = await ask<EventPage>(path, signal, undefined, pollWithinMs);
        if (signal.aborted || !page.ok || !page.events.length) break;
        after = page.upTo;
        for (const event of page.events) onNotice('event', event as never);
      }
    } catch {
      // Cut on the way: whether the line holds, the session tells.
    }
    if (!signal.aborted) again();
  }

  void connect();

  return {
    async request(name, body) {
      if (!isOpen) throw new Error('There is no connection.');
      const answer = await ask<VisitorResults['message:send']>(`requests/${name}`, ended.signal, body);
      const { conversationId, seq } = (answer.ok && answer.event) || {};
      if (conversationId && seq) void watch(conversationId, seq);
      return answer;
    },
    wake: () => void connect(),
    /** For good: the next one is opened when the page wakes. */
    sleep() {
      stop();
      ended.abort();
      close();
    },
    /** WebSocket gets through. What was asked may still be answered: it was not in vain. */
    stop,
  };
}
