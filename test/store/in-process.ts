import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, deserialize, serialize } from 'bson';
import { openDatabase } from '../../server/store/embedded/engine/database.js';
import { createDispatch } from '../../server/store/embedded/engine/dispatch.js';
import type { Connection } from '../../server/store/embedded/server/connection.js';

/** A store without sockets, whose clock and housekeeping are the test's. */
export function openInProcess(now: () => Date) {
  const directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  const database = openDatabase({ path: join(directory, 'threadline.lmdb'), now });
  const dispatch = createDispatch({
    database,
    credentials: null,
    isTest: false,
    onFailure(error) {
      throw error;
    },
    server: { name: 'test', startedAt: 0, credentials: false, connections: () => 1 },
  });
  /** A connection that is there until it is closed. */
  function connect() {
    const ended = new AbortController();
    const connection: Connection = {
      id: 1,
      isAuthenticated: true,
      appName: null,
      exchange: null,
      gone: ended.signal,
    };
    return { connection, close: () => ended.abort() };
  }
  const first = connect();
  return {
    database,
    connect,
    sweep: () => dispatch.sweep(),
    /** A command's answer, whatever it is. */
    async run(command: Document, { connection } = first): Promise<Document> {
      const message = {
        requestId: 1,
        body: Buffer.from(serialize(command)),
        sequences: new Map<string, Buffer[]>(),
        isSilent: false,
        isExhaustAllowed: false,
        hasChecksum: false,
        isQuery: false,
      };
      const outcome = await dispatch.handle(message, connection);
      if (outcome.kind !== 'answer') throw new Error(`an outcome without an answer: ${outcome.kind}`);
      return deserialize(outcome.document);
    },
    async close() {
      dispatch.close();
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
