import { randomUUID } from 'node:crypto';
import { AppError, replyFor } from '../../shared/errors.js';
import { log } from '../log.js';
import { correlationOf } from '../observe/correlation.js';
import { countRequest, resyncs } from '../observe/metrics.js';
import { type Connection, endConnection } from './guard.js';

/** What of a Socket.IO socket is needed here. */
export interface Wire {
  use(entry: (packet: unknown[], next: () => void) => void): unknown;
  readonly conn: Connection;
}

/** Answers one request. `name` and `body` come from outside and are looked at by nobody before. */
export type Answer = (name: unknown, body: unknown) => Promise<object>;

/** Requests of one socket that wait their turn. */
const waitingAtMost = 256;
/** Refusals in a row after which a socket is closed: what sends so much nonsense or so fast is no client of ours. */
const refusalsAtMost = 200;

/** Requests of all sockets that are not answered yet. */
let underWay = 0;
export const requestsUnderWay = (): number => underWay;

/**
 * Takes every packet of a socket at its one entry and never hands it on: an event's name is not looked up among
 * listeners, where `error`, `newListener` or `__proto__` have meanings of their own. Requests of one name are answered
 * in the order in which they came, so a sender's messages keep theirs.
 */
export function serveRequests(wire: Wire, kind: 'visitor' | 'agent', answer: Answer): void {
  /** The last request of each name that is not answered yet; none for one that asks nothing, as most do. */
  let queues: Map<unknown, Promise<void>> | null = null;
  let waiting = 0;
  let refusals = 0;

  async function handle(name: unknown, args: unknown[], acknowledge: (reply: object) => void): Promise<void> {
    try {
      if (args.length > 1)
        throw new AppError('bad_request', { problem: 'One argument, and an acknowledgement.' });
      const result = await answer(name, args[0]);
      refusals = 0;
      acknowledge({ ok: true, ...result });
      countRequest(kind, 'ok');
      if (name === 'events:read' && readsOn(args[0])) resyncs.inc({ kind });
    } catch (error) {
      refuse(error, acknowledge, args[0]);
    }
  }

  function refuse(error: unknown, acknowledge: (reply: object) => void, body: unknown): void {
    const requestId = randomUUID();
    const reply = replyFor(error, requestId);
    countRequest(kind, reply.code);
    const correlationId = correlationOf(body);
    if (reply.code === 'internal') {
      log.error({ requestId, correlationId, err: error }, 'request on a socket failed');
    } else if (log.isLevelEnabled('debug')) {
      log.debug({ requestId, correlationId, code: reply.code }, 'request on a socket refused');
    }
    acknowledge({ ok: false, error: reply });
    refusals += 1;
    if (refusals > refusalsAtMost) endConnection(wire.conn, reply.code);
  }

  wire.use(([name, ...rest]) => {
    const last = rest.at(-1);
    const hasAck = typeof last === 'function';
    const acknowledge = (reply: object): void => {
      if (hasAck) last(reply);
    };
    const args = hasAck ? rest.slice(0, -1) : rest;
    if (waiting >= waitingAtMost) {
      refuse(new AppError('rate_limited', { retryAfterMs: 1_000 }), acknowledge, args[0]);
      return;
    }
    waiting += 1;
    underWay += 1;
    // Names nobody knows share one queue: they are refused, and must not grow the map.
    const lane = typeof name === 'string' && name.length <= 32 ? name : '';
    queues ??= new Map();
    const done = (queues.get(lane) ?? Promise.resolve())
      .then(() => handle(name, args, acknowledge))
      .finally(() => {
        waiting -= 1;
        underWay -= 1;
        if (waiting === 0) queues = null;
        else if (queues?.get(lane) === done) queues.delete(lane);
      });
    queues.set(lane, done);
    done.catch((error: unknown) => log.error({ err: error }, 'an acknowledgement failed'));
  });
}

/** Whether a reading goes on from a cursor, and does not begin. */
const readsOn = (body: unknown): boolean =>
  typeof body === 'object' &&
  body !== null &&
  'after' in body &&
  typeof body.after === 'number' &&
  body.after > 0;
