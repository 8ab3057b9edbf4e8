import { Redis, type RedisOptions } from 'ioredis';
import { log } from './log.js';

/**
 * Redis, as this process uses it: for hints and counters that it can do without. Nothing waits for it: while it is
 * away, or does not answer, commands fail at once and their callers go on.
 */
export interface RedisLink {
  client: Redis;
  /** One more connection, for what blocks or subscribes: its commands wait until Redis is back. */
  connect(options?: RedisOptions): Redis;
  isThere(): boolean;
  close(): void;
}

const lookEveryMs = 1_000;
/** Longer than a slow Redis takes, shorter than people wait. */
const patienceMs = 2_000;

/** Begins to connect and goes on trying until it is closed. */
export function openRedis(url: string): RedisLink {
  const client = new Redis(url, { maxRetriesPerRequest: 1, enableOfflineQueue: false, retryStrategy });
  const others: Redis[] = [];
  // One line when it goes, not one for each try to reach it again.
  let isKnownAway = false;
  client.on('ready', () => {
    isKnownAway = false;
  });
  client.on('error', (error: Error) => {
    if (!isKnownAway) log.warn({ err: error }, 'Redis does not answer: going on without it');
    isKnownAway = true;
  });

  // A Redis that hangs is away too, though its connection stands: what waits for it is let go, and nothing more is sent.
  let isLooking = false;
  const look = setInterval(() => {
    if (isLooking || client.status !== 'ready') return;
    isLooking = true;
    const hung = setTimeout(() => {
      client.emit('error', new Error('Redis hangs.'));
      client.disconnect(true);
    }, patienceMs);
    client
      .ping()
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(hung);
        isLooking = false;
      });
  }, lookEveryMs);
  look.unref();

  return {
    client,
    connect(options) {
      const other = new Redis(url, { maxRetriesPerRequest: null, retryStrategy, ...options });
      // The first connection speaks for all.
      other.on('error', () => undefined);
      others.push(other);
      return other;
    },
    isThere: () => client.status === 'ready',
    close() {
      clearInterval(look);
      for (const one of [client, ...others]) one.disconnect();
    },
  };
}

const retryStrategy = (times: number): number => Math.min(100 * times, 2_000);
