import type { Socket } from 'socket.io';
import { log } from '../log.js';

/** What may wait for one reader before it is taken out of the live stream. */
const behindBytes = 1024 * 1024;
/** A reader that took nothing for this long is gone. */
const stuckMs = 30_000;

/**
 * Bounds what the server keeps for a reader that does not read. Over the bound it leaves its rooms, so nothing more is
 * put into its queue; when it has read what was waiting, `rejoin` puts it back and tells it to read on from its cursor.
 * One that stays stuck is closed: it comes back and reads on.
 */
export function boundReader(socket: Socket, rejoin: () => void): void {
  const { conn } = socket;
  let waitingBytes = 0;
  let stuck: NodeJS.Timeout | undefined;

  const onPacket = ({ data }: { data?: unknown }): void => {
    waitingBytes += typeof data === 'string' ? data.length : 64;
    // What it asks for itself is still answered after it left its rooms: this bounds that too.
    if (waitingBytes > behindBytes * 4) conn.close();
    if (waitingBytes < behindBytes || stuck) return;
    for (const room of socket.rooms) if (room !== socket.id) void socket.leave(room);
    stuck = setTimeout(() => {
      log.warn({ socket: socket.id }, 'closed a reader that does not read');
      conn.close();
    }, stuckMs);
  };
  const onDrain = (): void => {
    waitingBytes = 0;
    if (!stuck) return;
    clearTimeout(stuck);
    stuck = undefined;
    rejoin();
  };
  conn.on('packetCreate', onPacket);
  conn.on('drain', onDrain);
  socket.on('disconnect', () => {
    clearTimeout(stuck);
    conn.off('packetCreate', onPacket);
    conn.off('drain', onDrain);
  });
}
