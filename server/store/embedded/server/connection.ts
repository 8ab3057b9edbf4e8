import type { Socket } from 'node:net';
import {
  createFramer,
  frameAnswer,
  type Message,
  maxMessageBytes,
  readMessage,
  WireError,
} from '../wire/message.js';
import type { Exchange } from './scram.js';

/** What is remembered of one client's connection. */
export interface Connection {
  readonly id: number;
  isAuthenticated: boolean;
  /** The client's own name for itself, from its handshake. */
  appName: string | null;
  exchange: Exchange | null;
  /** Aborted when the connection ends: what waits for it stops. */
  readonly gone: AbortSignal;
}

/** What comes of a message: an answer (perhaps one of several), nothing, or the end of the connection. */
export type Outcome =
  | {
      kind: 'answer';
      document: Buffer;
      hasMore?: boolean;
      /** Called when the answer does not go out: what was opened for it is of no use to anybody. */
      unsent?: (() => void) | undefined;
    }
  | { kind: 'silence' }
  | { kind: 'hang up' };

/** Called again with `round` + 1 as long as it answers with `hasMore`. */
export type MessageHandler = (
  message: Message,
  connection: Connection,
  round: number,
) => Promise<Outcome> | Outcome;

/** No client may make the store hold more than this many bytes of answers that it does not read. */
const mostUnreadBytes = 128 * 1024 * 1024;
/** So many messages may wait for their turn; a client that sends more is read from again when they are answered. */
const mostWaiting = 64;
/** What somebody may say who has not yet said who they are: a handshake, and the proof of a password. */
const mostUnprovedBytes = 64 * 1024;

/**
 * Serves one connection: its messages one after another, in their order, each answered before the next begins.
 * @returns resolves when the connection has ended
 */
export function serveConnection(
  socket: Socket,
  id: number,
  isAuthenticated: boolean,
  handle: MessageHandler,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const ended = new AbortController();
  const connection: Connection = { id, isAuthenticated, appName: null, exchange: null, gone: ended.signal };
  const waiting: Message[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    try {
      for (let message = waiting.shift(); message && !socket.destroyed; message = waiting.shift()) {
        await answer(message);
        if (socket.isPaused() && waiting.length < mostWaiting / 2) socket.resume();
      }
    } catch (error) {
      // A handler that fails has no answer left to give: the client sees a broken connection and tries again.
      onFailure(error);
      socket.destroy();
    } finally {
      isRunning = false;
    }
  }

  async function answer(message: Message): Promise<void> {
    let requestId = message.requestId;
    for (let round = 0; ; round += 1) {
      const handled = handle(message, connection, round);
      const outcome = handled instanceof Promise ? await handled : handled;
      if (outcome.kind === 'hang up') return void socket.destroy();
      if (outcome.kind === 'silence') return;
      if (message.isSilent || socket.destroyed) return outcome.unsent?.();
      const hasMore = outcome.hasMore === true && message.isExhaustAllowed;
      const frame = frameAnswer({ ...message, requestId }, outcome.document, hasMore);
      if (!socket.write(frame.bytes) && socket.writableLength > mostUnreadBytes) return void socket.destroy();
      if (!hasMore) return;
      requestId = frame.requestId;
    }
  }

  const framer = createFramer(
    (bytes) => {
      waiting.push(readMessage(bytes));
    },
    () => (connection.isAuthenticated ? maxMessageBytes : mostUnprovedBytes),
  );
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    try {
      framer(chunk);
    } catch (error) {
      if (!(error instanceof WireError) && !(error instanceof RangeError)) throw error;
      socket.destroy();
      return;
    }
    if (waiting.length >= mostWaiting) socket.pause();
    if (!isRunning) void run();
  });
  socket.on('error', () => socket.destroy());
  return new Promise((resolve) => {
    socket.on('close', () => {
      // A reason of its own: the one that is made up otherwise knows the socket by its stack, and keeps it.
      ended.abort('closed');
      resolve();
    });
  });
}
