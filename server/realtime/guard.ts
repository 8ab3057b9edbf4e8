import type { ErrorCode } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { log } from '../log.js';

/** What of an engine's connection is needed here. */
export interface Connection {
  on(event: 'packet' | 'packetCreate', listener: (packet: { data?: unknown }) => void): unknown;
  on(event: 'drain', listener: () => void): unknown;
  close(discard?: boolean): unknown;
  readonly transport: object;
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

/**
 * What holds for every connection, whoever is behind it and whether it ever enters a namespace: how much it may send,
 * and how much may wait for it. `counted` is false where nobody is held to rates.
 */
export function guardConnection(conn: Connection, { counted }: { counted: boolean }): void {
  let windowBegan = performance.now();
  let received = 0;
  let waitingBytes = 0;
  let isEnded = false;

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

  conn.on('packetCreate', ({ data }) => {
    // What waited before counts, and not this one: a long page alone is no sign of anything.
    const waitedBytes = waitingBytes;
    waitingBytes += typeof data === 'string' ? data.length : 64;
    if (isEnded || waitedBytes <= limits.connectionWaitingBytes) return;
    isEnded = true;
    log.warn('cut off a connection that does not read');
    cutConnection(conn);
  });
  conn.on('drain', () => {
    waitingBytes = 0;
  });
}
