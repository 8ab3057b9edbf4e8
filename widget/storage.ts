import type { OutboxStorage } from '../shared/delivery/run.js';
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

/** The outbox in IndexedDB, one database an inbox. Rejects where IndexedDB is denied: the engine then keeps it in memory. */
export function outboxStorage<Body>(inboxId: string): OutboxStorage<Body> {
  let opened: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(storageKey(inboxId), 1);
      request.onupgradeneeded = () => request.result.createObjectStore('outbox', { keyPath: 'clientId' });
      request.onsuccess = () => resolve(request.result);
      request.onerror = reject;
    });
    return opened;
  };
  /** Resolves when the transaction is complete: only then is it on disk. */
  const change = async <Result>(work: (store: IDBObjectStore) => IDBRequest): Promise<Result> => {
    const transaction = (await open()).transaction('outbox', 'readwrite', { durability: 'strict' });
    const request = work(transaction.objectStore('outbox'));
    // It would wait for the request's answer: a page that is left in that moment would take what was written along.
    transaction.commit();
    await new Promise<unknown>((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = reject;
    });
    return request.result;
  };
  return {
    load: () => change((store) => store.getAll()),
    put: (item) => change((store) => store.put(item)),
    remove: (clientId) => change((store) => store.delete(clientId)),
    clear: () => change((store) => store.clear()),
  };
}
