// Clients as light as they can be: Socket.IO's frames over a bare WebSocket, so that ten thousand fit beside the server
// they load. What needs a real client uses load.mjs.
import WebSocket from 'ws';

/**
 * Opens one socket of a namespace and resolves when it is connected.
 * @param {string} url
 * @param {{ namespace?: string, auth?: object, from?: string, hear?: (name: string, body: unknown) => void,
 *   onClose?: () => void }} options `from`: the client's own address, since one has only some 28,000 ports
 */
export function openRaw(url, { namespace = '/', auth, from, hear, onClose }) {
  const prefix = namespace === '/' ? '' : `${namespace},`;
  const eventAt = `42${prefix}`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
      ...(from && { localAddress: from }),
    });
    let isConnected = false;
    socket.on('error', (error) => (isConnected ? undefined : reject(error)));
    socket.on('close', () => {
      if (isConnected) onClose?.();
      else reject(new Error('closed before it was connected'));
    });
    socket.on('message', (data) => {
      const text = String(data);
      if (text === '2') socket.send('3');
      else if (text[0] === '0') socket.send(`40${prefix}${auth ? JSON.stringify(auth) : ''}`);
      else if (text.startsWith('44')) reject(new Error(text));
      else if (text.startsWith(`40${prefix}`)) {
        isConnected = true;
        resolve({
          emit: (name, body) => socket.send(`${eventAt}${JSON.stringify([name, body])}`),
          close: () => socket.close(),
        });
      } else if (hear && text.startsWith(eventAt)) {
        const [name, body] = JSON.parse(text.slice(eventAt.length));
        hear(name, body);
      }
    });
  });
}

/** Runs `open` for 0..count-1, so many at a time. */
export async function openMany(count, atOnce, open) {
  const opened = new Array(count);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) {
        const n = next;
        next += 1;
        opened[n] = await open(n);
      }
    }),
  );
  return opened;
}

/** One of eight addresses of this machine. */
export const addressOf = (n) => `127.0.0.${2 + (n % 8)}`;
