import { createAdapter } from '@socket.io/redis-streams-adapter';
import { log } from '../log.js';
import type { RedisLink } from '../redis.js';

/**
 * The Socket.IO adapter over Redis: what is emitted to a room reaches the sockets of every process, and processes speak
 * to each other. All that it carries are hints, so while Redis is away it carries nothing and fails nobody.
 */
export function redisAdapter(redis: RedisLink): ReturnType<typeof createAdapter> {
  return createAdapter(clientFor(redis), {
    streamName: 'threadline:sockets',
    channelPrefix: 'threadline:sockets',
    maxLen: 2_000,
  });
}

/**
 * What the adapter asks of a Redis client, and no more. It does not look at what becomes of its publishing, and a
 * rejection that nobody looks at ends the process: here it ends in a line of the log.
 */
const clientFor = ({ client, connect }: RedisLink) => ({
  options: {},
  duplicate: () => connect(),
  xadd: (words: (string | number)[]) => client.call('XADD', ...words),
  publish: (channel: string, payload: Buffer) =>
    client.publish(channel, payload).catch((error: unknown) => {
      log.debug({ err: error }, 'a hint was not carried');
    }),
  /** How many processes listen. Without an answer: none, so that a question is not waited for. */
  send_command: (name: string, words: string[], answer: (failed: null, found: unknown[]) => void) =>
    client.call(name, ...words).then(
      (found) => answer(null, found as unknown[]),
      () => answer(null, [words[1], 0]),
    ),
});
