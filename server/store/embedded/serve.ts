import { join } from 'node:path';
import { prepareFile } from './disk/file.js';
import { openDatabase } from './engine/database.js';
import { createDispatch } from './engine/dispatch.js';
import { expire } from './engine/expiry.js';
import { type Address, listen } from './server/listener.js';
import { credentialsFor } from './server/scram.js';

/** One open data directory, served to drivers. */
export interface Server {
  /** The port that was given where `port: 0` was asked for. */
  port: number | null;
  /** A consistent copy of the data, taken while the store runs. */
  backup(to: string): Promise<void>;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Where to listen instead of the socket's path: loopback only, unless a password is set and `mayLeaveMachine` too. */
  address?: Address;
  /** Clients must prove it (SCRAM-SHA-256). */
  password?: { user: string; password: string };
  mayLeaveMachine?: boolean;
  /** Fail points exist. Never in production. */
  isTest?: boolean;
  oplogBytes?: number;
  now?: () => Date;
  /** Told what should not have happened: the connection it happened on is closed. */
  onFailure?: (error: unknown) => void;
}

const sweepMs = 5_000;
const expiryMs = 60_000;

/** The store's one file in its directory. */
export const fileIn = (directory: string): string => join(directory, 'threadline.lmdb');

/**
 * Opens a data directory and serves it on a Unix socket.
 *
 * @throws StoreError `StoreTooNew`, `StoreCorrupt`; an Error of the system where the directory cannot be read or written
 */
export async function serve(
  directory: string,
  socketPath: string,
  options: ServeOptions = {},
): Promise<Server> {
  await prepareFile(fileIn(directory));
  const database = openDatabase({
    path: fileIn(directory),
    ...(options.now && { now: options.now }),
    ...(options.oplogBytes !== undefined && { oplogBytes: options.oplogBytes }),
  });
  const credentials = options.password
    ? credentialsFor(options.password.user, options.password.password)
    : null;
  const address = options.address ?? { path: socketPath };
  let connections = (): number => 0;
  const dispatch = createDispatch({
    database,
    credentials,
    isTest: options.isTest ?? false,
    onFailure: options.onFailure ?? (() => undefined),
    server: {
      name: 'path' in address ? address.path : `${address.host}:${address.port}`,
      startedAt: database.now().getTime(),
      credentials: credentials !== null,
      connections: () => connections(),
    },
  });
  const listener = await listen({
    address,
    handle: dispatch.handle,
    onFailure: options.onFailure ?? (() => undefined),
    needsPassword: credentials !== null,
    ...(options.mayLeaveMachine !== undefined && { mayLeaveMachine: options.mayLeaveMachine }),
  });
  connections = listener.connections;
  // What these cannot do now, a full disk perhaps, they do the next time.
  const sweeper = setInterval(() => dispatch.sweep().catch(() => undefined), sweepMs);
  const reaper = setInterval(() => expire(database).catch(() => undefined), expiryMs);
  sweeper.unref();
  reaper.unref();
  return {
    port: listener.port,
    backup: (to) => database.environment.copyTo(to),
    async close() {
      clearInterval(sweeper);
      clearInterval(reaper);
      await listener.close();
      dispatch.close();
      await database.close();
    },
  };
}
