// The baselines, each a bare server in a process of its own: `echo` acknowledges, `durable` acknowledges after one LMDB
// put of the same bytes is on disk, `relay` sends on to all others in a room first.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { Server } from 'socket.io';

const directory = mkdtempSync(join(tmpdir(), 'threadline-floor-'));
const store = open({ path: join(directory, 'floor.lmdb'), encoding: 'binary', noMemInit: true });
const http = createServer();
const io = new Server(http, { transports: ['websocket'], serveClient: false });
let next = 0;

io.on('connection', (socket) => {
  socket.on('join', (room, acknowledge) => {
    socket.join(room);
    acknowledge?.({ ok: true });
  });
  socket.on('echo', (_message, acknowledge) => acknowledge({ ok: true }));
  socket.on('relay', (message, acknowledge) => {
    acknowledge({ ok: true });
    socket.to(message.room).emit('message', message);
  });
  socket.on('durable', async (message, acknowledge) => {
    next += 1;
    // Not one after the other: what gathers while a commit is written shares the next one.
    await Promise.all([store.put(next, Buffer.from(JSON.stringify(message))), store.flushed]);
    acknowledge({ ok: true });
    if (message.room) socket.to(message.room).emit('message', message);
  });
});

http.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify({ port: http.address().port })}\n`));
process.once('SIGTERM', async () => {
  await io.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
  process.exit(0);
});
