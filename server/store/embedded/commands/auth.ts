import { Binary, Int32 } from 'bson';
import type { Doc } from '../bson/types.js';
import * as read from '../engine/command.js';
import type { Answer, Context } from '../engine/context.js';
import { StoreError } from '../errors.js';
import { AuthenticationError, type Credentials, startExchange } from '../server/scram.js';

/** Proving a password: `saslStart`, `saslContinue`. Every failure reads the same. */

const failed = () => new StoreError(18, 'AuthenticationFailed', 'Authentication failed.');

function payloadOf(command: Doc): Buffer {
  const payload = command.get('payload');
  if (!(payload instanceof Binary)) throw failed();
  return Buffer.from(payload.buffer.subarray(0, payload.position));
}

function next(command: Doc, { connection }: Context): Answer {
  try {
    const { payload, isProved } = connection.exchange!.next(payloadOf(command));
    if (isProved) connection.isAuthenticated = true;
    // A client that asked for no empty closing message is done with its proof.
    const isDone = isProved;
    if (isDone) connection.exchange = null;
    return { conversationId: new Int32(1), done: isDone, payload: new Binary(payload, 0), ok: 1 };
  } catch (error) {
    connection.exchange = null;
    if (error instanceof AuthenticationError) throw failed();
    throw error;
  }
}

export function saslStart(credentials: Credentials | null, command: Doc, context: Context): Answer {
  if (!credentials) throw failed();
  if (read.text(command, 'mechanism') !== 'SCRAM-SHA-256')
    throw new StoreError(334, 'MechanismUnavailable', 'only SCRAM-SHA-256 is supported');
  context.connection.exchange = startExchange(credentials);
  return next(command, context);
}

export function saslContinue(command: Doc, context: Context): Answer {
  if (!context.connection.exchange) throw failed();
  return next(command, context);
}
