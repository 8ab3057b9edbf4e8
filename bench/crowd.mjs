// Ten thousand visitors who only look: what each costs, and how soon all are back after a restart.
import { visitorAuth } from './load.mjs';
import { dataDirectory, startFloor, startProduct } from './servers.mjs';
import { addressOf, openMany, openRaw } from './sockets.mjs';
import { kilobytes, report } from './table.mjs';

const settle = () => new Promise((resolve) => setTimeout(resolve, 3_000));

async function grown(server, open) {
  const before = await server.figures();
  const sockets = await open();
  await settle();
  const after = await server.figures();
  return { sockets, bytes: (after.memory.rss - before.memory.rss) / sockets.length };
}

/** Opens a visitor's socket and resolves when it was told its session: with `token`, the one that it had. */
async function openVisitor(product, n, token) {
  let told;
  const session = new Promise((resolve) => {
    told = resolve;
  });
  const socket = await openRaw(product.url, {
    namespace: '/visitor',
    auth: { ...visitorAuth(product), ...(token && { token }) },
    from: addressOf(n),
    hear: (name, body) => name === 'session' && told(body),
  });
  return { ...socket, token: (await session).token };
}

export async function crowd({ visitors }) {
  const floor = await startFloor();
  const bare = await grown(floor, () =>
    openMany(visitors, 200, (n) => openRaw(floor.url, { from: addressOf(n) })),
  );
  for (const socket of bare.sockets) socket.close();
  await floor.stop();

  const data = dataDirectory();
  let product = await startProduct({ directory: data.path });
  const { port } = product;
  // What the first visitors load and compile is not what each costs.
  for (const socket of await openMany(200, 20, (n) => openVisitor(product, n))) socket.close();
  await settle();
  const ours = await grown(product, () => openMany(visitors, 100, (n) => openVisitor(product, n)));
  const beyond = ours.bytes - bare.bytes;
  report(
    `memory of an idle visitor's socket, ${visitors.toLocaleString('en')}`,
    kilobytes(ours.bytes),
    `bare Socket.IO ${kilobytes(bare.bytes)}`,
    ours.bytes / bare.bytes,
    '< 5 KB beyond',
    beyond < 5 * 1024,
  );

  await product.stop();
  product = await startProduct({ directory: data.path, port });
  const began = performance.now();
  let refused = 0;
  const back = await openMany(visitors, 500, async (n) => {
    for (;;) {
      try {
        return await openVisitor(product, n, ours.sockets[n].token);
      } catch {
        refused += 1;
      }
    }
  });
  const seconds = (performance.now() - began) / 1_000;
  for (const socket of back) socket.close();
  await product.stop();
  data.remove();
  report(
    `${visitors.toLocaleString('en')} visitors back after a restart`,
    `${seconds.toFixed(1)} s`,
    `${refused} refused`,
    null,
    '< 10 s, none refused',
    seconds < 10 && refused === 0,
  );
}
