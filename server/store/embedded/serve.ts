import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { prepareFile } from './disk/file.js';
import { type Answer, createEngine } from './engine.js';
import { StoreError } from './errors.js';
import { openStorage } from './storage.js';
import { createFramer, encode, frame, type Request, readRequest } from './wire.js';

interface Waiting {
  request: Request;
  socket: Socket;
}

const bytesOf = (answer: Answer): Buffer => (Buffer.isBuffer(answer) ? answer : encode(answer));

/** A failure of the disk, as MongoDB words it. Nothing of the commit was written. */
function diskFailure(error: unknown): StoreError {
  const message = error instanceof Error ? error.message : String(error);
  if (/no space|ENOSPC|EFBIG|MAP_FULL|too large/i.test(message))
    return new StoreError(14031, 'OutOfDiskSpace', message);
  return new StoreError(8, 'UnknownError', message);
}

/**
 * Serves a data directory on a Unix socket. Commands that arrived while the last commit was being synced share the next
 * one: their answers leave after it, and not before.
 */
export async function serve(
  directory: string,
  socketPath: string,
): Promise<{ close(): Promise<void>; backup(to: string): Promise<void> }> {
  await prepareFile(join(directory, 'threadline.lmdb'));
  const storage = openStorage(directory);
  const engine = createEngine(storage, socketPath);
  const sockets = new Set<Socket>();
  let waiting: Waiting[] = [];
  let scheduled = false;

  const reply = ({ request, socket }: Waiting, answer: Answer) => {
    if (!request.silent && !socket.destroyed) socket.write(frame(request, bytesOf(answer)));
  };

  /** One that must be alone: a transaction's commit, undone whole when a rival was first. */
  function runAlone(one: Waiting): void {
    try {
      reply(
        one,
        storage.commit(() => engine.executeOrThrow(one.request.command)),
      );
    } catch (error) {
      reply(one, engine.failure(error instanceof StoreError ? error : diskFailure(error)));
    }
  }

  function runTogether(batch: Waiting[]): void {
    try {
      const answers = storage.commit(() => batch.map(({ request }) => engine.execute(request.command)));
      for (const [at, one] of batch.entries()) reply(one, answers[at]!);
    } catch (error) {
      const answer = engine.failure(diskFailure(error));
      for (const one of batch) reply(one, answer);
    }
  }

  function runWaiting(): void {
    scheduled = false;
    const batch = waiting;
    waiting = [];
    let writes: Waiting[] = [];
    const flush = () => {
      if (writes.length > 0) runTogether(writes);
      writes = [];
    };
    for (const one of batch) {
      const { command } = one.request;
      if (engine.needsCollection(command)) storage.commit(() => engine.makeCollection(command));
      if (engine.isCommit(command)) {
        flush();
        runAlone(one);
      } else if (engine.isWrite(command)) writes.push(one);
      else {
        // What came before on any connection is seen by what came after.
        flush();
        try {
          reply(one, engine.execute(command));
        } catch (error) {
          reply(one, engine.failure(diskFailure(error)));
        }
      }
    }
    flush();
  }

  function accept(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    const framer = createFramer((message) => {
      waiting.push({ request: readRequest(message), socket });
      if (!scheduled) {
        scheduled = true;
        setImmediate(runWaiting);
      }
    });
    socket.on('data', (chunk) => {
      try {
        framer(chunk);
      } catch {
        // Not the protocol: there is nothing to answer, and what follows cannot be trusted.
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  }

  const server = createServer(accept);
  const sweeper = setInterval(() => engine.sweep(), 5_000);
  sweeper.unref();
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return {
    backup: (to) => storage.backup(to),
    async close() {
      clearInterval(sweeper);
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      runWaiting();
      await storage.close();
      rmSync(socketPath, { force: true });
    },
  };
}
