import type { OutboxStorage } from '../shared/delivery/run.js';
import type { Stored } from '../shared/delivery/state.js';
import { type Kept, readKept, storageKey } from './shell.js';

/** Changes what the browser keeps of an inbox. Denied or full storage keeps nothing, and the chat works on. */
export function keep(inboxId: string, part: Partial<Kept>): void {
  try {
    localStorage.setItem(storageKey(inboxId), JSON.stringify({ ...readKept(inboxId), ...part }));
  } catch {
    // Private mode or a full disk: this visit still works, the next one begins anew.
  }
}

export function forgetKept(inboxId: string): void {
  try {
    localStorage.removeItem(storageKey(inboxId));
  } catch {
    // Denied storage holds nothing to forget.
  }
}

const asPromise = <Result>(request: IDBRequest<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** The outbox in IndexedDB, one database an inbox. Rejects where IndexedDB is denied: the engine then keeps it in memory. */
export function outboxStorage<Body>(inboxId: string): OutboxStorage<Body> {
  let opened: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(storageKey(inboxId), 1);
      request.onupgradeneeded = () => request.result.createObjectStore('outbox', { keyPath: 'clientId' });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return opened;
  };
  /** Resolves when the transaction is complete: only then is it on disk. */
  const change = async (work: (store: IDBObjectStore) => unknown): Promise<void> => {
    const transaction = (await open()).transaction('outbox', 'readwrite', { durability: 'strict' });
    work(transaction.objectStore('outbox'));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  };
  return {
    load: async () => {
      const store = (await open()).transaction('outbox').objectStore('outbox');
      const items: Stored<Body>[] = await asPromise(store.getAll());
      return items;
    },
    put: (item) => change((store) => store.put(item)),
    remove: (clientId) => change((store) => store.delete(clientId)),
    clear: () => change((store) => store.clear()),
  };
}
