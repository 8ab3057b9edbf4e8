/**
 * A piece of the application's state. It keeps its identity while nothing in it changed, so that an element wakes
 * only for what it shows.
 */
export interface Slice<T> {
  get(): T;
  /** Listeners run only when the value is another one. */
  set(next: T): void;
  change(step: (now: T) => T): void;
  /** @returns how to stop listening */
  subscribe(listener: () => void): () => void;
}
export type Watchable = Pick<Slice<unknown>, 'subscribe'>;

export function createSlice<T>(initial: T): Slice<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  const slice: Slice<T> = {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    change: (step) => slice.set(step(value)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return slice;
}

/** Slices made on first use, one for each key. */
export interface SliceFamily<T> {
  of(key: string): Slice<T>;
  has(key: string): boolean;
  keys(): string[];
  clear(): void;
}

export function createFamily<T>(initial: (key: string) => T): SliceFamily<T> {
  const slices = new Map<string, Slice<T>>();
  return {
    of(key) {
      let slice = slices.get(key);
      if (!slice) {
        slice = createSlice(initial(key));
        slices.set(key, slice);
      }
      return slice;
    },
    has: (key) => slices.has(key),
    keys: () => [...slices.keys()],
    clear: () => slices.clear(),
  };
}

/** What is asked of the server: not there yet, there, or refused. */
export type Loadable<T> =
  | { state: 'loading' }
  | { state: 'ready'; value: T }
  | { state: 'failed'; error: import('../../shared/errors.js').ErrorReply };
export const loading = { state: 'loading' } as const;
