import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { log } from '../log.js';

/** What of an engine's connection is needed here. */
export interface Connection {
  on(event: 'packet' | 'packetCreate', listener: (packet: { data?: unknown }) => void): unknown;
  on(event: 'drain' | 'close', listener: () => void): unknown;
  off(event: 'packet' | 'packetCreate' | 'close', listener: (packet: { data?: unknown }) => void): unknown;
  close(discard?: boolean): unknown;
  readonly transport: object;
  /** What the library reads of the request that the connection began with, once the engine has read its own. */
  request: { headers: IncomingHttpHeaders; connection: object };
}

/** Told of what waits for a connection that does not read as fast as it is written to. */
export interface Backlog {
  /** Something more waits; so many bytes waited before it. */
  grew(waitedBytes: number): void;
  /** Nothing waits any more. */
  drained(): void;
}

/** The WebSocket below the engine. */
interface WebSocketBelow {
  on(event: 'ping', listener: () => void): unknown;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** RFC 6455, 7.4.1: what came "violates its policy". */
const policyViolation = 1008;
/** A client that keeps to the protocol answers a close within this; what does not is cut off. */
const closeWithinMs = 1_000;

const webSocketOf = ({ transport }: Connection): WebSocketBelow | undefined =>
  (transport as { socket?: WebSocketBelow }).socket;

/** Closes a connection and says why. Nothing that it still sends is looked at. */
export function endConnection(conn: Connection, code: ErrorCode): void {
  const below = webSocketOf(conn);
  below?.close(policyViolation, code);
  conn.close(true);
  // Without it the connection of somebody who does not answer the close stands open for half a minute.
  setTimeout(() => below?.terminate(), closeWithinMs).unref();
}

/** Cuts off a connection that takes nothing: what waits for it is dropped at once. */
export function cutConnection(conn: Connection): void {
  const below = webSocketOf(conn);
  conn.close(true);
  below?.terminate();
}

const backlogs = new WeakMap<Connection, readonly Backlog[]>();

/** Tells of what waits for a guarded connection, which may have a socket in each namespace. */
export function watchBacklog(conn: Connection, backlog: Backlog): void {
  backlogs.set(conn, [...(backlogs.get(conn) ?? []), backlog]);
}

export function unwatchBacklog(conn: Connection, backlog: Backlog): void {
  backlogs.set(conn, backlogs.get(conn)?.filter((one) => one !== backlog) ?? []);
}

/**
 * What holds for every connection, whoever is behind it and whether it ever enters a namespace: how much it may send,
 * and how much may wait for it. `counted` is false where nobody is held to rates.
 */
export function guardConnection(conn: Connection, { counted }: { counted: boolean }): void {
  let windowBegan = performance.now();
  let received = 0;
  let waitingBytes = 0;
  let isEnded = false;
  keepWhatIsRead(conn);
  closeUnlessAdmitted(conn);

  const onReceived = (): void => {
    received += 1;
    if (!counted || isEnded || received <= limits.connectionPackets) return;
    const now = performance.now();
    if (now - windowBegan < limits.connectionPacketsWindowMs) {
      isEnded = true;
      log.warn({ received }, 'closed a connection that sent too much');
      endConnection(conn, 'rate_limited');
      return;
    }
    windowBegan = now;
    received = 0;
  };
  conn.on('packet', onReceived);
  // Each is answered by the library below, with nothing that would wait for a reader who does not read the answers.
  webSocketOf(conn)?.on('ping', onReceived);

  // One listener of each for all who watch: a thousand sockets that are told the same call it a thousand times.
  conn.on('packetCreate', ({ data }) => {
    // What waited before counts, and not this one: a long page alone is no sign of anything.
    const waitedBytes = waitingBytes;
    waitingBytes += typeof data === 'string' ? data.length : 64;
    // Nothing waited, nobody needs to look.
    if (waitedBytes === 0) return;
    for (const backlog of backlogs.get(conn) ?? []) backlog.grew(waitedBytes);
    if (isEnded || waitedBytes <= limits.connectionWaitingBytes) return;
    isEnded = true;
    log.warn('cut off a connection that does not read');
    cutConnection(conn);
  });
  // The engine tells of it when it hands what waited to the connection: which it does once the last part was taken.
  conn.on('drain', () => {
    waitingBytes = 0;
    for (const backlog of backlogs.get(conn) ?? []) backlog.drained();
  });
}

/** How long a connection may take to ask for a namespace, and after a refusal to ask better. */
const askWithinMs = 10_000;
const askAgainWithinMs = 4_000;

/** The kinds of Socket.IO's packets, which stand first in each: a wish to enter a namespace, and its two answers. */
const enter = '0';
const refused = '4';

/**
 * A connection that nobody has admitted and that waits for no answer does not stay. One that does wait is Socket.IO's to
 * close, after `connectTimeout`: what it asks for may take its turn.
 */
function closeUnlessAdmitted(conn: Connection): void {
  let unanswered = 0;
  let timer: NodeJS.Timeout | undefined;

  function lookAfter(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (unanswered === 0) endConnection(conn, 'unauthorized');
    }, ms).unref();
  }
  const onReceived = ({ data }: { data?: unknown }): void => {
    if (typeof data === 'string' && data.startsWith(enter)) unanswered += 1;
  };
  const onSent = ({ data }: { data?: unknown }): void => {
    if (typeof data !== 'string') return;
    if (data.startsWith(refused)) {
      unanswered -= 1;
      lookAfter(askAgainWithinMs);
    } else if (data.startsWith(enter)) {
      end();
    }
  };
  // Nothing of it stays with a connection that was admitted.
  function end(): void {
    clearTimeout(timer);
    conn.off('packet', onReceived);
    conn.off('packetCreate', onSent);
    conn.off('close', end);
  }

  conn.on('packet', onReceived);
  conn.on('packetCreate', onSent);
  conn.on('close', end);
  lookAfter(askWithinMs);
}

const headersRead = ['host', 'origin', 'user-agent', 'x-forwarded-for'] as const;

/** The engine's own answer to each request that asks to become a connection: it stays as long as the connection. */
const answers = new WeakMap<object, { req?: unknown }>();

/**
 * To be the engine's middleware: what comes in is known by its answer until it is a connection. What does not ask to
 * become one is refused here: the engine would take it for an open connection's where it names one, and never answer.
 */
export function rememberAnswer(
  request: IncomingMessage,
  answer: { req?: unknown },
  next: (refused?: Error) => void,
): void {
  answers.set(request, answer);
  next(answer instanceof ServerResponse ? new Error('Not a WebSocket.') : undefined);
}

/**
 * The library keeps the request that a connection began with for as long as it is open: with its stream and a browser's
 * cookies that is many times what a silent socket costs. Only what a handshake looks at stays.
 */
function keepWhatIsRead(conn: Connection): void {
  const { request } = conn;
  const { headers } = request;
  // Whether it came encrypted is asked of the second, and used by nobody here.
  conn.request = {
    headers: Object.fromEntries(headersRead.map((name) => [name, headers[name]])),
    connection: {},
  };
  const answer = answers.get(request);
  if (answer) answer.req = undefined;
}
