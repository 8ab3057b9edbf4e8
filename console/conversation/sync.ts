import { type IDBPObjectStore, openDB } from 'idb';
import { type Delivery, type OutboxStorage, Refusal, runDelivery } from '../../shared/delivery/run.js';
import type { DeliveryState, Stored } from '../../shared/delivery/state.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Api } from '../api/endpoints.js';
import type { Live } from '../api/live.js';
import { RequestError } from '../api/request.js';
import type { SliceFamily } from '../state/slice.js';
import { type ConversationLog, changedLogs, emptyLog, type Outgoing, type Written } from './log.js';

/** Conversations kept complete while others are open: the last ones opened. More would read for nobody. */
const followed = 20;

/** The agent's side of the sync engine: what is sent is kept until the server has it, what is read has no holes. */
export interface Sync {
  /** Takes up what an earlier visit of this person to this workspace left. */
  start(name: string): void;
  /** Signed out: nothing of it stays in this browser. */
  wipe(): void;
  /** Loads a conversation and keeps it complete. */
  follow(conversationId: string): void;
  older(conversationId: string): void;
  hear(event: TimelineEvent): void;
  missed(conversationId: string): void;
  readByCustomer(conversationId: string, seq: number): void;
  /** This agent has read this far. */
  seen(conversationId: string, seq: number): void;
  send(conversationId: string, written: Omit<Written, 'at'>): void;
  retry(clientId: string): void;
  /** Takes a message back that did not go. */
  discard(clientId: string): Outgoing | null;
}

interface SyncPorts {
  api: Api;
  live: Live;
  logs: SliceFamily<ConversationLog>;
  storage: (name: string) => OutboxStorage<Written>;
}

export function createSync({ api, live, logs, storage }: SyncPorts): Sync {
  let delivery: Delivery<Written> | null = null;
  let before: DeliveryState<Written> | null = null;
  let recent: string[] = [];

  /** The engine goes on trying where no answer came, and stops where the server refused. */
  const refusing = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      if (error instanceof RequestError && !error.unreachable) throw new Refusal(error.reply);
      throw error;
    }
  };

  function project(): void {
    if (!delivery) return;
    const after = delivery.state;
    const changed = changedLogs(before, after);
    before = after;
    for (const [id, log] of changed) logs.of(id).set(log);
  }

  const tellConnection = () => delivery?.input({ type: live.online.get() ? 'connected' : 'disconnected' });
  live.online.subscribe(tellConnection);

  return {
    start(name) {
      delivery?.stop();
      for (const id of recent) logs.of(id).set(emptyLog);
      recent = [];
      before = null;
      delivery = runDelivery<Written>({
        storage: storage(name),
        random: Math.random,
        clock: {
          now: () => performance.timeOrigin + performance.now(),
          after(ms, call) {
            const timer = setTimeout(call, ms);
            return () => clearTimeout(timer);
          },
        },
        transport: {
          send: ({ clientId, conversationId, body, waitedMs }) =>
            refusing(
              live
                .request('message:send', {
                  clientId,
                  conversationId: conversationId ?? '',
                  mode: body.mode,
                  text: body.text,
                  attachments: body.attachments,
                  waitedMs,
                })
                .then((answer) => answer.event),
            ),
          read: ({ conversationId, ...query }) => refusing(api.events(conversationId, query)),
          mark: (conversationId, seq) => {
            // Monotonic, and told again with the next message: losing one is harmless.
            api.markRead(conversationId, seq).catch(() => undefined);
          },
        },
      });
      delivery.subscribe(project);
      tellConnection();
    },
    wipe: () => delivery?.input({ type: 'wipe' }),
    follow(conversationId) {
      recent = [conversationId, ...recent.filter((id) => id !== conversationId)];
      for (const id of recent.splice(followed)) delivery?.input({ type: 'unfollow', conversationId: id });
      delivery?.input({ type: 'follow', conversationId });
    },
    older: (conversationId) => delivery?.input({ type: 'older', conversationId }),
    hear: (event) => delivery?.input({ type: 'event', event }),
    missed: (conversationId) => delivery?.input({ type: 'missed', conversationId }),
    readByCustomer: (conversationId, seq) => delivery?.input({ type: 'read-by-other', conversationId, seq }),
    seen: (conversationId, seq) => delivery?.input({ type: 'seen', conversationId, seq }),
    send(conversationId, written) {
      delivery?.write(crypto.randomUUID(), conversationId, { ...written, at: new Date().toISOString() });
    },
    retry: (clientId) => delivery?.input({ type: 'retry', clientId }),
    discard(clientId) {
      const id = delivery?.state.outbox.find((one) => one.clientId === clientId)?.thread;
      const message =
        id === undefined
          ? undefined
          : logs
              .of(id)
              .get()
              .outgoing.find((one) => one.clientId === clientId);
      delivery?.input({ type: 'discard', clientId });
      return message ?? null;
    },
  };
}

/** The outbox in the browser's database: it survives a closed tab and a crash. */
export function browserStorage(name: string): OutboxStorage<Written> {
  const store = 'outgoing';
  const database = openDB(`threadline.outbox.${name}`, 1, {
    upgrade: (db) => void db.createObjectStore(store, { keyPath: 'clientId' }),
  });
  // A browser that refuses it is told by each call; nobody else waits for this promise.
  database.catch(() => undefined);
  type OutgoingStore = IDBPObjectStore<unknown, ['outgoing'], 'outgoing', 'readwrite'>;
  async function change(work: (outgoing: OutgoingStore) => Promise<unknown>): Promise<void> {
    const transaction = (await database).transaction(store, 'readwrite', { durability: 'strict' });
    const asked = work(transaction.store);
    // It would wait for the answer: a page that is left in that moment would take what was written along.
    transaction.commit();
    await Promise.all([asked, transaction.done]);
  }
  return {
    load: async () => (await (await database).getAll(store)) as Stored<Written>[],
    put: (item) => change((outgoing) => outgoing.put(item)),
    remove: (clientId) => change((outgoing) => outgoing.delete(clientId)),
    clear: () => change((outgoing) => outgoing.clear()),
  };
}
