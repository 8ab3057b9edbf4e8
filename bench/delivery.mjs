// How soon others see a message: another client at a calm pace, a thousand agents' sockets at once.
import { connect, message, openVisitor, percentile, request, text } from './load.mjs';
import {
  becomeOwner,
  chatInboxOf,
  dataDirectory,
  startFloor,
  startProduct,
  startRedis,
  startStore,
} from './servers.mjs';
import { addressOf, openMany, openRaw } from './sockets.mjs';
import { ms, report } from './table.mjs';

/** One sender at 50 messages a second, one receiver; before it, `warmUp` messages as fast as they go. */
async function paced(send, received, warmUp) {
  async function one(n) {
    const at = performance.now();
    const arrival = received();
    await send(n);
    await arrival;
    return performance.now() - at;
  }
  const startedAt = performance.now();
  for (let n = 0; n < warmUp && performance.now() < startedAt + 60_000; n += 1) await one(n);
  const latencies = [];
  const began = performance.now();
  for (let n = 0; n < 550; n += 1) {
    const wait = began + n * 20 - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const latency = await one(warmUp + n);
    // The first second of the pace is there to come to it.
    if (n >= 50) latencies.push(latency);
  }
  latencies.sort((left, right) => left - right);
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

const once = (socket, name) => new Promise((resolve) => socket.once(name, resolve));

async function pacedFloor(floor, warmUp) {
  const [sender, receiver] = await Promise.all([connect(floor.url), connect(floor.url)]);
  await request(receiver, 'join', 'room');
  const measured = await paced(
    (n) => request(sender, 'durable', { n, text, room: 'room' }),
    () => once(receiver, 'message'),
    warmUp,
  );
  sender.close();
  receiver.close();
  return measured;
}

/** A second tab of the same visitor, at `to`, receives what the first one sends at `from`. */
async function pacedProduct(from, to, warmUp) {
  const first = await openVisitor(from);
  const { event } = await request(first.socket, 'message:send', message(null));
  const { socket: second } = await openVisitor(to, first.session.token);
  const measured = await paced(
    () => request(first.socket, 'message:send', message(event.conversationId)),
    () => once(second, 'event'),
    warmUp,
  );
  first.socket.close();
  second.close();
  return measured;
}

function tell(how, ours, base, p50Ms, p99Ms) {
  report(
    `delivery ${how}, p50 at 50/s`,
    ms(ours.p50),
    `floor ${ms(base.p50)}`,
    ours.p50 / base.p50,
    `< ${p50Ms} ms`,
    ours.p50 < p50Ms,
  );
  report(
    `delivery ${how}, p99 at 50/s`,
    ms(ours.p99),
    `floor ${ms(base.p99)}`,
    ours.p99 / base.p99,
    `< ${p99Ms} ms`,
    ours.p99 < p99Ms,
  );
}

/** One after the other, each waiting for the last: a tenth of what a hundred at once send takes as long. */
const alone = (warmUp) => Math.ceil(warmUp / 10);

export async function delivery({ warmUp }) {
  const data = dataDirectory();
  const floor = await startFloor();
  const product = await startProduct({ directory: data.path });
  const ours = await pacedProduct(product, product, alone(warmUp));
  tell('to another client', ours, await pacedFloor(floor, alone(warmUp)), 4, 12);
  await product.stop();
  await floor.stop();
  data.remove();
}

/** From a client of one process to a client of another, both on one store; what carries it is Redis. */
export async function throughRedis({ warmUp }) {
  const redis = await startRedis();
  if (!redis) {
    report('delivery through Redis', 'not measured', 'no redis-server here', null, '< 6 ms, < 20 ms');
    return;
  }
  const [data, one, other] = [dataDirectory(), dataDirectory(), dataDirectory()];
  const floor = await startFloor();
  const store = await startStore(data.path);
  const env = {
    REDIS_URL: redis.url,
    MONGODB_URI: store.uri,
    SECRET_KEY: 'one key for both processes of this run',
  };
  const first = await startProduct({ directory: one.path, env });
  const second = await startProduct({ directory: other.path, env });
  const inboxId = await chatInboxOf(first);
  const ours = await pacedProduct({ ...first, inboxId }, { ...second, inboxId }, alone(warmUp));
  tell('through Redis', ours, await pacedFloor(floor, alone(warmUp)), 6, 20);
  await second.stop();
  await first.stop();
  await store.stop();
  await floor.stop();
  await redis.stop();
  for (const directory of [data, one, other]) directory.remove();
}

/** Broadcasts, a few a second; each receipt counts. */
async function broadcasts(say, received) {
  const latencies = [];
  for (let n = 0; n < 60; n += 1) {
    const at = performance.now();
    // The first ten warm up.
    received.next((late) => {
      if (n >= 10) latencies.push(late - at);
    });
    await say(n);
    await received.all();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  latencies.sort((left, right) => left - right);
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

/** Counts what a crowd receives of one broadcast. */
function crowd(size) {
  let left = 0;
  let done = () => {};
  let note = () => {};
  return {
    heard() {
      note(performance.now());
      left -= 1;
      if (left === 0) done();
    },
    next(take) {
      left = size;
      note = take;
    },
    all: () => (left === 0 ? null : new Promise((resolve) => (done = resolve))),
  };
}

export async function fanOut({ agents }) {
  const floor = await startFloor();
  const bareCrowd = crowd(agents);
  const bare = await openMany(agents, 50, (n) =>
    openRaw(floor.url, { from: addressOf(n), hear: (name) => name === 'message' && bareCrowd.heard() }),
  );
  for (const socket of bare) socket.emit('join', 'room');
  const sender = await connect(floor.url);
  await request(sender, 'join', 'another');
  const base = await broadcasts((n) => request(sender, 'relay', { n, text, room: 'room' }), bareCrowd);
  sender.close();
  for (const socket of bare) socket.close();
  await floor.stop();

  const data = dataDirectory();
  const product = await startProduct({ directory: data.path });
  const { accessToken, workspaceId } = await becomeOwner(product);
  const ourCrowd = crowd(agents);
  const auth = { protocol: 1, accessToken, workspaceId };
  const desks = await openMany(agents, 50, (n) =>
    openRaw(product.url, {
      namespace: '/agent',
      auth,
      from: addressOf(n),
      hear: (name) => name === 'event' && ourCrowd.heard(),
    }),
  );
  const { socket } = await openVisitor(product);
  // Its first message comes with the event that begins the conversation: it is not one of those that are counted.
  const { event } = await request(socket, 'message:send', message(null));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const ours = await broadcasts(
    () => request(socket, 'message:send', message(event.conversationId)),
    ourCrowd,
  );
  socket.close();
  for (const desk of desks) desk.close();
  await product.stop();
  data.remove();
  report(
    `fan-out to ${agents.toLocaleString('en')} agents' sockets, p50`,
    ms(ours.p50),
    `bare Socket.IO ${ms(base.p50)}`,
    ours.p50 / base.p50,
  );
  report(
    `fan-out to ${agents.toLocaleString('en')} agents' sockets, p99`,
    ms(ours.p99),
    `bare Socket.IO ${ms(base.p99)}`,
    ours.p99 / base.p99,
    '< 35 ms',
    ours.p99 < 35,
  );
}
