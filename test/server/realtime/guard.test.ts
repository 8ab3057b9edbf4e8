import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  type Backlog,
  guardConnection,
  unwatchBacklog,
  watchBacklog,
} from '../../../server/realtime/guard.js';

/** Of an engine's connection that which is looked at: it says what is written, and when it was taken. */
const connection = () =>
  Object.assign(new EventEmitter(), {
    close: () => {},
    transport: {},
    request: { headers: {}, connection: {} },
  });

function watcher(): Backlog & { told: (number | 'drained')[] } {
  const told: (number | 'drained')[] = [];
  return { told, grew: (waitedBytes) => told.push(waitedBytes), drained: () => told.push('drained') };
}

describe('what waits for a connection', () => {
  it('is told to each of its sockets, in whichever namespace, for as long as that one is there', () => {
    const conn = connection();
    guardConnection(conn, { counted: true });
    const [first, second] = [watcher(), watcher()];
    watchBacklog(conn, first);
    watchBacklog(conn, second);
    for (const data of ['one', 'two']) conn.emit('packetCreate', { data });
    conn.emit('drain');
    expect([first.told, second.told]).toEqual([
      [3, 'drained'],
      [3, 'drained'],
    ]);
    unwatchBacklog(conn, first);
    for (const data of ['three', 'four']) conn.emit('packetCreate', { data });
    unwatchBacklog(conn, second);
    conn.emit('drain');
    expect([first.told, second.told]).toEqual([
      [3, 'drained'],
      [3, 'drained', 5],
    ]);
    conn.emit('close');
  });
});
