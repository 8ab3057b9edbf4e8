// Ten thousand visitors who only look: what each costs, and how soon all are back after a restart.
import { visitorAuth } from './load.mjs';
import { dataDirectory, startFloor, startProduct } from './servers.mjs';
import { addressOf, openMany, openRaw } from './sockets.mjs';
import { kilobytes, report } from './table.mjs';

const settle = () => new Promise((resolve) => setTimeout(resolve, 3_000));

/**
 * What each of the last four fifths of a crowd adds to the process: what a server loads, compiles and makes room for when
 * it meets the first is not what each of them costs.
 */
async function grown(server, count, open) {
  const first = Math.round(count / 5);
  const sockets = await openMany(first, 100, open);
  await settle();
  const before = await server.figures();
  sockets.push(...(await openMany(count - first, 100, (n) => open(n + first))));
  await settle();
  const after = await server.figures();
  for (const socket of sockets) socket.close();
  const each = (name) => (after.memory[name] - before.memory[name]) / (count - first);
  return { bytes: each('own'), heapBytes: each('heapUsed') };
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
  const bare = await grown(floor, visitors, (n) => openRaw(floor.url, { from: addressOf(n) }));
  await floor.stop();

  const data = dataDirectory();
  let product = await startProduct({ directory: data.path });
  const { port } = product;
  const made = await openMany(visitors, 100, (n) => openVisitor(product, n));
  const tokens = made.map(({ token }) => token);
  for (const socket of made) socket.close();
  await product.stop();

  // They come back to a server of their own: what their making wrote is not what their sockets cost.
  product = await startProduct({ directory: data.path, port });
  const ours = await grown(product, visitors, (n) => openVisitor(product, n, tokens[n]));
  await product.stop();
  const beyond = ours.bytes - bare.bytes;
  const howMany = visitors.toLocaleString('en');
  report(
    `memory of an idle visitor's socket, ${howMany}`,
    kilobytes(ours.bytes),
    `bare Socket.IO ${kilobytes(bare.bytes)}`,
    ours.bytes / bare.bytes,
    '< 5 KB beyond',
    beyond < 5 * 1024,
  );
  report(
    'of it, JavaScript objects',
    kilobytes(ours.heapBytes),
    `bare Socket.IO ${kilobytes(bare.heapBytes)}`,
    ours.heapBytes / bare.heapBytes,
  );

  product = await startProduct({ directory: data.path, port });
  const began = performance.now();
  const before = await product.figures();
  let refused = 0;
  const back = await openMany(visitors, 500, async (n) => {
    for (;;) {
      try {
        return await openVisitor(product, n, tokens[n]);
      } catch {
        refused += 1;
      }
    }
  });
  const seconds = (performance.now() - began) / 1_000;
  const after = await product.figures();
  for (const socket of back) socket.close();
  await product.stop();
  data.remove();
  report(
    `${howMany} visitors back after a restart`,
    `${seconds.toFixed(1)} s`,
    `${refused} refused`,
    null,
    '< 10 s, none refused',
    seconds < 10 && refused === 0,
  );
  const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  report('processor time of the server for each of them', `${(cpuUs / visitors).toFixed(0)} us`);
}
