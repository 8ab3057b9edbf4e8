import { randomUUID } from 'node:crypto';
import type * as v from 'valibot';
import { AppError, type ErrorReply, replyFor } from '../../shared/errors.js';
import { guardShape } from '../../shared/guard.js';
import { parse } from '../../shared/parse.js';
import { log } from '../log.js';

/** A refused handshake as `connect_error` carries it: `message` is the code, `data` the whole reply. */
export class HandshakeError extends Error {
  readonly data: ErrorReply;
  constructor(reply: ErrorReply) {
    super(reply.code);
    this.name = 'HandshakeError';
    this.data = reply;
  }
}

/** Whatever went wrong, as the refusal of a handshake. What is not in the catalogue is logged. */
export function refusal(error: unknown): HandshakeError {
  const requestId = randomUUID();
  const reply = replyFor(error, requestId);
  if (reply.code === 'internal') log.error({ requestId, err: error }, 'handshake failed');
  return new HandshakeError(reply);
}

/** The handshake's `auth`, guarded and parsed. @throws AppError `bad_request`, `too_deep`, `unsafe_key` */
export function readAuth<const S extends v.GenericSchema>(schema: S, auth: unknown): v.InferOutput<S> {
  guardShape(auth);
  return parse(schema, auth);
}

const spent = Object.freeze({});

interface Arriving {
  readonly conn: object;
  handshake: object;
  on(event: 'disconnect', listener: () => void): unknown;
}

/**
 * Admits sockets to a namespace, one a connection: Socket.IO itself lets a connection that asks a thousand times before
 * the first answer have a thousand sockets, each of which is told everything.
 */
export function admitEach<S extends Arriving>(
  nsp: { use(look: (socket: S, next: (refused?: Error) => void) => void): unknown },
  admit: (socket: S) => Promise<void>,
): void {
  const taken = new WeakSet<object>();
  nsp.use((socket, next) => {
    const { conn } = socket;
    if (taken.has(conn)) {
      next(refusal(new AppError('already_exists')));
      return;
    }
    taken.add(conn);
    socket.on('disconnect', () => taken.delete(conn));
    admit(socket).then(
      () => {
        // Secrets and whatever else it said: read, and not kept for as long as the socket is open.
        socket.handshake = spent;
        next();
      },
      (error: unknown) => {
        taken.delete(conn);
        next(refusal(error));
      },
    );
  });
}
