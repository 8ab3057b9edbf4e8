import { type Document, GridFSBucket, MongoClient, type MongoClientOptions, ReadPreference } from 'mongodb';
import type { Entities } from './match.js';

/** Raised for what this driver does not have; the test is then listed with it as the reason. */
export class DriverLacks extends Error {}

export interface ObservedEvent {
  type: 'command' | 'cmap' | 'sdam';
  name: string;
  event: Document;
}

const eventTypes: Record<string, ObservedEvent['type']> = {
  commandStarted: 'command',
  commandSucceeded: 'command',
  commandFailed: 'command',
  connectionPoolCreated: 'cmap',
  connectionPoolReady: 'cmap',
  connectionPoolCleared: 'cmap',
  connectionPoolClosed: 'cmap',
  connectionCreated: 'cmap',
  connectionReady: 'cmap',
  connectionClosed: 'cmap',
  connectionCheckOutStarted: 'cmap',
  connectionCheckOutFailed: 'cmap',
  connectionCheckedOut: 'cmap',
  connectionCheckedIn: 'cmap',
  serverDescriptionChanged: 'sdam',
  topologyDescriptionChanged: 'sdam',
  topologyOpening: 'sdam',
  topologyClosed: 'sdam',
  serverHeartbeatStarted: 'sdam',
  serverHeartbeatSucceeded: 'sdam',
  serverHeartbeatFailed: 'sdam',
};

/** The format calls `poolReadyEvent` what the driver emits as `connectionPoolReady`. */
const formatName = (driverName: string) => `${driverName.replace(/^connectionPool/, 'pool')}Event`;

const sensitive = new Set([
  'authenticate',
  'saslStart',
  'saslContinue',
  'getnonce',
  'createUser',
  'updateUser',
  'copydbgetnonce',
  'copydbsaslstart',
  'copydb',
]);
const handshake = new Set(['hello', 'ismaster', 'isMaster']);

interface ObservedClient {
  client: MongoClient;
  events: ObservedEvent[];
  checkedOut: number;
}

/** An event as it was: the driver goes on changing the command it sent. Maps, as it keeps orders, become documents. */
function kept(value: unknown): Document {
  const copy = (one: unknown): unknown => {
    if (one instanceof Map) return copy(Object.fromEntries(one));
    if (Array.isArray(one)) return one.map(copy);
    const kind = typeof one === 'object' && one !== null ? one.constructor?.name : '';
    const isPlain = ['Object', 'ReadConcern', 'WriteConcern'].includes(kind ?? '');
    return isPlain
      ? Object.fromEntries(Object.entries(one as Document).map(([name, inner]) => [name, copy(inner)]))
      : one;
  };
  const event = value as Document;
  const copied: Document = Object.create(Object.getPrototypeOf(event) as object) as Document;
  for (const [name, inner] of Object.entries(event)) copied[name] = copy(inner);
  return copied;
}

/** Everything that a test file names: clients, databases, collections, sessions, cursors, saved results. */
export function createEntityMap(uri: string) {
  const values = new Map<string, unknown>();
  const clients = new Map<string, ObservedClient>();
  const lsids = new Map<string, unknown>();

  function get(name: string): unknown {
    if (!values.has(name)) throw new Error(`no entity is called ${name}`);
    return values.get(name);
  }

  async function createClient(spec: Document): Promise<void> {
    const { readPreferenceTags, ...uriOptions } = (spec.uriOptions ?? {}) as Document;
    const options: MongoClientOptions = {
      ...uriOptions,
      monitorCommands: true,
      minHeartbeatFrequencyMS: 50,
    } as MongoClientOptions;
    // The format's options are those of a connection string; the driver parses them there.
    const url = new URL(uri);
    for (const [key, value] of Object.entries(uriOptions)) url.searchParams.set(key, String(value));
    if (spec.serverApi) options.serverApi = spec.serverApi as NonNullable<MongoClientOptions['serverApi']>;
    const client = new MongoClient(url.href, {
      monitorCommands: true,
      minHeartbeatFrequencyMS: 50,
      ...(options.serverApi && { serverApi: options.serverApi }),
    } as MongoClientOptions);
    const observed: ObservedClient = { client, events: [], checkedOut: 0 };
    const wanted = new Set((spec.observeEvents ?? []) as string[]);
    const ignored = new Set([
      'configureFailPoint',
      ...((spec.ignoreCommandMonitoringEvents ?? []) as string[]),
    ]);
    for (const [driverName, type] of Object.entries(eventTypes)) {
      const name = formatName(driverName);
      client.on(driverName as 'commandStarted', (event) => {
        const record = event as unknown as Document;
        if (driverName === 'connectionCheckedOut') observed.checkedOut += 1;
        if (driverName === 'connectionCheckedIn') observed.checkedOut -= 1;
        if (!wanted.has(name)) return;
        const command = record.commandName as string | undefined;
        if (type === 'command' && command !== undefined) {
          if (ignored.has(command)) return;
          const isSpeculative =
            handshake.has(command) &&
            (record.command?.speculativeAuthenticate ||
              Object.keys(record.command ?? record.reply ?? {}).length === 0);
          if (!spec.observeSensitiveCommands && (sensitive.has(command) || isSpeculative)) return;
        }
        observed.events.push({ type, name, event: kept(record) });
      });
    }
    clients.set(spec.id as string, observed);
    values.set(spec.id as string, client);
    await connect(client);
  }

  /** To a set of one: a client that prefers secondaries would wait for one before it does anything. */
  async function connect(client: MongoClient): Promise<void> {
    const options = (client as unknown as { s: { options: { readPreference: ReadPreference } } }).s.options;
    const preferred = options.readPreference;
    options.readPreference = ReadPreference.primary;
    await client.connect();
    options.readPreference = preferred;
  }

  async function create(specs: Document[]): Promise<void> {
    for (const entry of specs) {
      const [kind, spec] = Object.entries(entry)[0] as [string, Document];
      const id = spec.id as string;
      if (values.has(id)) throw new Error(`entity ${id} exists already`);
      if (kind === 'client') await createClient(spec);
      else if (kind === 'database') {
        values.set(id, (get(spec.client) as MongoClient).db(spec.databaseName, spec.databaseOptions));
      } else if (kind === 'collection') {
        const database = get(spec.database) as ReturnType<MongoClient['db']>;
        values.set(id, database.collection(spec.collectionName, spec.collectionOptions));
      } else if (kind === 'session') {
        if (spec.sessionOptions?.snapshotTime !== undefined)
          throw new DriverLacks('session option snapshotTime');
        const session = (get(spec.client) as MongoClient).startSession(spec.sessionOptions);
        values.set(id, session);
        lsids.set(id, session.id);
      } else if (kind === 'bucket') {
        values.set(
          id,
          new GridFSBucket(get(spec.database) as ReturnType<MongoClient['db']>, spec.bucketOptions),
        );
      } else throw new Error(`entities of kind ${kind} are not supported`);
    }
  }

  const lookup: Entities = { get, lsidOf: (session) => lsids.get(session) };

  return {
    ...lookup,
    create,
    set: (name: string, value: unknown) => values.set(name, value),
    client(name: string): ObservedClient {
      const found = clients.get(name);
      if (!found) throw new Error(`no client is called ${name}`);
      return found;
    },
    async endSessions(): Promise<void> {
      for (const value of values.values()) {
        if (typeof (value as { endSession?: unknown })?.endSession === 'function') {
          await (value as { endSession(): Promise<void> }).endSession();
        }
      }
    },
    async close(): Promise<void> {
      for (const value of values.values()) {
        const closable = value as { close?: () => Promise<void> } | null;
        if (closable?.close && !(value instanceof MongoClient)) await closable.close();
      }
      for (const { client } of clients.values()) await client.close();
    },
  };
}

export type EntityMap = ReturnType<typeof createEntityMap>;
