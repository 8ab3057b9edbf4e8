import type { Socket } from 'socket.io';
import { limits } from '../../shared/limits.js';
import { log } from '../log.js';
import { slowReaders } from '../observe/metrics.js';
import { type Backlog, cutConnection, unwatchBacklog, watchBacklog } from './guard.js';

/** There is one for each socket, nearly all of which read all that they are told: `grew` and `drained` are the same for all. */
interface Reader extends Backlog {
  socket: Socket;
  rejoin: () => void;
  /** Runs while it is out of its rooms. */
  stuck: NodeJS.Timeout | undefined;
}

function grew(this: Reader, waitedBytes: number): void {
  const { socket, stuck } = this;
  if (waitedBytes < limits.readerBehindBytes || stuck) return;
  slowReaders.inc({ outcome: 'behind' });
  for (const room of socket.rooms) if (room !== socket.id) void socket.leave(room);
  this.stuck = setTimeout(() => {
    log.warn({ socket: socket.id }, 'cut off a reader that does not read');
    cutConnection(socket.conn);
  }, limits.readerStuckMs);
}

function drained(this: Reader): void {
  if (!this.stuck) return;
  clearTimeout(this.stuck);
  this.stuck = undefined;
  slowReaders.inc({ outcome: 'resynced' });
  this.rejoin();
}

/**
 * Bounds what the server keeps for a reader that does not read. Over the bound it leaves its rooms, so nothing more is
 * put into its queue; when it has read what was waiting, `rejoin` puts it back and tells it to read on from its cursor.
 * One that stays stuck is cut off: it comes back and reads on. (What it asks for itself is still answered after it left
 * its rooms: `guardConnection` bounds that.)
 */
export function boundReader(socket: Socket, rejoin: () => void): void {
  const reader: Reader = { socket, rejoin, stuck: undefined, grew, drained };
  watchBacklog(socket.conn, reader);
  socket.on('disconnect', () => {
    if (reader.stuck) slowReaders.inc({ outcome: 'gone' });
    clearTimeout(reader.stuck);
    unwatchBacklog(socket.conn, reader);
  });
}
