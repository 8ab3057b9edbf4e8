import type { Doc } from '../bson/types.js';
import { record } from '../engine/changes.js';
import * as read from '../engine/command.js';
import type { Answer, Context } from '../engine/context.js';
import { noSuchTransaction, StoreError } from '../errors.js';

/** The end of a transaction. */

const commitFields = new Set(['recoveryToken', 'coordinator']);

function sessionOf(command: Doc, context: Context) {
  if (!context.session || command.get('autocommit') !== false)
    throw new StoreError(
      50767,
      'Location50767',
      "'autocommit' field must be provided as false to end a transaction, in a session",
    );
  return context.session;
}

export async function commitTransaction(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'commitTransaction', commitFields);
  const { database, sessions } = context;
  const session = sessionOf(command, context);
  const number = read.long(command, 'txnNumber');
  const open = sessions.takeOpen(session, number);
  if (!open) {
    const snapshot = database.snapshot();
    const note = sessions.noteOf(session, number, snapshot);
    snapshot.done();
    if (note?.get('committed') === true) return { ok: 1 };
    throw noSuchTransaction(String(number));
  }
  try {
    if (open.hasWrites())
      await (open.defines() ? database.define : database.write)(() => {
        for (const change of open.apply()) record(database, change, { session, number });
        sessions.note(session, number, { committed: true });
      });
    else await database.write(() => sessions.note(session, number, { committed: true }));
  } catch (error) {
    sessions.doubt(session);
    throw error;
  } finally {
    open.end();
  }
  return { ok: 1 };
}

export async function abortTransaction(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'abortTransaction', commitFields);
  const { sessions } = context;
  const session = sessionOf(command, context);
  const number = read.long(command, 'txnNumber');
  if (session.number !== number || !session.open) throw noSuchTransaction(String(number));
  sessions.abort(session);
  return { ok: 1 };
}
