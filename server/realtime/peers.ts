import { randomUUID } from 'node:crypto';
import { deserialize, serialize } from 'bson';
import { log } from '../log.js';
import type { PlacedEvent } from '../timeline/place.js';
import type { Notice } from '../timeline/publish.js';
import type { Desk } from './desks.js';
import type { LatestVisit } from './presence.js';
import type { AgentNamespace } from './sockets.js';

/** What one process says to the others. Each word is a hint: losing one is healed by the store or by the next one. */
export type Word =
  | { say: 'placed'; placed: readonly PlacedEvent[] }
  | { say: 'notice'; notice: Notice }
  /** One agent's window here opened, changed or (null) closed. */
  | { say: 'desk'; socketId: string; desk: Desk | null }
  /** All agents' windows here: what was said before is forgotten. */
  | { say: 'desks'; desks: { socketId: string; desk: Desk }[] }
  /** A process began and knows nobody. */
  | { say: 'hello' }
  /** A process stops. */
  | { say: 'bye' };

/** The other processes of this installation, as far as Redis carries. */
export interface Peers {
  /** Whether some other process was heard of lately. */
  areThere(): boolean;
  tell(word: Word): void;
  onWord(listener: (from: string, word: Word) => void): void;
  /** Told of a process that stopped, or was not heard of for long while Redis was there. */
  onGone(listener: (from: string) => void): void;
  /** What the others know of these contacts' browsers; of those that answer in time. */
  visits(workspaceId: string, contactIds: readonly string[]): Promise<LatestVisit[]>;
  onVisitAsked(answer: (workspaceId: string, contactIds: readonly string[]) => LatestVisit | null): void;
  close(): void;
}

/** What the adapter carries between processes. `word` is BSON: dates stay dates, and what is not set stays so. */
export interface PeerEvents {
  word: (encoded: Uint8Array) => void;
  visit: (
    workspaceId: string,
    contactIds: readonly string[],
    answer: (latest: LatestVisit | null) => void,
  ) => void;
}

/** Three times the time between two words of whoever has nothing to say. */
const silentMs = 15_000;
const lookEveryMs = 1_000;
/** An agent waits for the answer. */
const answerWithinMs = 400;
/** A batch of the door in parts, so that none holds up what comes behind it. */
const placedAtOnce = 32;

/** For a process that is the only one: there is nobody to tell. */
export const nobody: Peers = {
  areThere: () => false,
  tell: () => undefined,
  onWord: () => undefined,
  onGone: () => undefined,
  visits: async () => [],
  onVisitAsked: () => undefined,
  close: () => undefined,
};

/** The others, spoken to through a namespace's adapter. `isLinked` is whether Redis is there. */
export function createPeers(nsp: AgentNamespace, isLinked: () => boolean): Peers {
  const self = randomUUID();
  const heard = new Map<string, number>();
  const words: ((from: string, word: Word) => void)[] = [];
  const goodbyes: ((from: string) => void)[] = [];

  function send(word: Word): void {
    nsp.serverSideEmit('word', serialize({ from: self, word }, { ignoreUndefined: true }));
  }

  function hear(encoded: Uint8Array): void {
    const { from, word } = deserialize(encoded) as { from: string; word: Word };
    if (word.say === 'bye') {
      forget(from);
      return;
    }
    heard.set(from, performance.now());
    for (const listener of words) listener(from, word);
  }

  function forget(from: string): void {
    if (!heard.delete(from)) return;
    for (const listener of goodbyes) listener(from);
  }

  nsp.on('word', (encoded) => {
    try {
      hear(encoded);
    } catch (error) {
      // Another release may say what this one does not understand.
      log.warn({ err: error }, 'a word of another process was not understood');
    }
  });

  const look = setInterval(() => {
    const now = performance.now();
    for (const [from, at] of heard) {
      // While Redis is away nobody can be heard, which says nothing about them.
      if (!isLinked()) heard.set(from, now);
      else if (now - at > silentMs) forget(from);
    }
    // One that has just begun, or was cut off, is answered by whoever is there.
    if (heard.size === 0 && isLinked()) send({ say: 'hello' });
  }, lookEveryMs);
  look.unref();

  return {
    areThere: () => heard.size > 0,
    tell(word) {
      if (!isLinked()) return;
      if (word.say !== 'placed') {
        send(word);
        return;
      }
      if (heard.size === 0) return;
      for (let at = 0; at < word.placed.length; at += placedAtOnce) {
        send({ say: 'placed', placed: word.placed.slice(at, at + placedAtOnce) });
      }
    },
    onWord: (listener) => void words.push(listener),
    onGone: (listener) => void goodbyes.push(listener),
    async visits(workspaceId, contactIds) {
      if (heard.size === 0 || !isLinked()) return [];
      const answers = nsp.serverSideEmitWithAck('visit', workspaceId, contactIds).catch(
        // Who answered in time is in the error.
        (late: { responses?: (LatestVisit | null)[] }) => late.responses ?? [],
      );
      const found = await within(answerWithinMs, answers, []);
      return found.filter((one) => one !== null);
    },
    onVisitAsked(answer) {
      nsp.on('visit', (workspaceId, contactIds, reply) => reply(answer(workspaceId, contactIds)));
    },
    close() {
      clearInterval(look);
      if (isLinked()) send({ say: 'bye' });
    },
  };
}

async function within<T>(ms: number, promise: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
