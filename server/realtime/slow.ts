import type { Socket } from 'socket.io';
import { limits } from '../../shared/limits.js';
import { log } from '../log.js';
import { slowReaders } from '../observe/metrics.js';
import { cutConnection, watchBacklog } from './guard.js';

/**
 * Bounds what the server keeps for a reader that does not read. Over the bound it leaves its rooms, so nothing more is
 * put into its queue; when it has read what was waiting, `rejoin` puts it back and tells it to read on from its cursor.
 * One that stays stuck is cut off: it comes back and reads on. (What it asks for itself is still answered after it left
 * its rooms: `guardConnection` bounds that.)
 */
export function boundReader(socket: Socket, rejoin: () => void): void {
  const { conn } = socket;
  let stuck: NodeJS.Timeout | undefined;

  const unwatch = watchBacklog(conn, {
    grew(waitedBytes) {
      if (waitedBytes < limits.readerBehindBytes || stuck) return;
      slowReaders.inc({ outcome: 'behind' });
      for (const room of socket.rooms) if (room !== socket.id) void socket.leave(room);
      stuck = setTimeout(() => {
        log.warn({ socket: socket.id }, 'cut off a reader that does not read');
        cutConnection(conn);
      }, limits.readerStuckMs);
    },
    drained() {
      if (!stuck) return;
      clearTimeout(stuck);
      stuck = undefined;
      slowReaders.inc({ outcome: 'resynced' });
      rejoin();
    },
  });
  socket.on('disconnect', () => {
    if (stuck) slowReaders.inc({ outcome: 'gone' });
    clearTimeout(stuck);
    unwatch();
  });
}
