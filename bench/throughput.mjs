// How many durable messages a second, from the client's socket to the disk and back.
import { closedLoop, message, request, text, visitorAuth } from './load.mjs';
import { dataDirectory, startFloor, startProduct } from './servers.mjs';
import { ms, perSecond, report } from './table.mjs';

/** The first thing each client does: a message that begins its conversation. */
async function begin(socket) {
  const { event } = await request(socket, 'message:send', message(null));
  return event.conversationId;
}

const send = (socket, conversationId) => request(socket, 'message:send', message(conversationId));

/** Floor and product take turns, so that a bad minute of the machine is everybody's. */
export async function throughput({ seconds, rounds, warmUp }) {
  const data = dataDirectory();
  const floor = await startFloor();
  const product = await startProduct({ directory: data.path });
  const bare = (name) => ({
    url: floor.url,
    server: floor,
    clients: 100,
    seconds,
    send: (socket, n) => request(socket, name, { n, text }),
  });
  const ours = {
    url: `${product.url}/visitor`,
    server: product,
    clients: 100,
    seconds,
    auth: () => visitorAuth(product),
    ready: begin,
    send: (socket, _n, conversationId) => send(socket, conversationId),
  };
  // One stretch of each that is not counted.
  await closedLoop({ ...bare('durable'), seconds: 1, warmUp });
  await closedLoop({ ...ours, seconds: 1, warmUp });
  const taken = [];
  for (let round = 0; round < rounds; round += 1) {
    const echo = await closedLoop(bare('echo'));
    const durable = await closedLoop(bare('durable'));
    taken.push({ echo, durable, ours: await closedLoop(ours) });
  }
  await product.stop();
  await floor.stop();
  data.remove();

  // The median round by its ratio, and how far the others lay from it.
  const ratioOf = ({ ours, durable }) => ours.perSecond / durable.perSecond;
  taken.sort((left, right) => ratioOf(left) - ratioOf(right));
  const { echo, durable, ours: measured } = taken[Math.floor(taken.length / 2)];
  const range = `${ratioOf(taken[0]).toFixed(3)}-${ratioOf(taken.at(-1)).toFixed(3)}`;
  report('bare Socket.IO echo, 100 clients', perSecond(echo.perSecond));
  report(
    'durable floor, 100 clients',
    perSecond(durable.perSecond),
    `echo ${perSecond(echo.perSecond)}`,
    durable.perSecond / echo.perSecond,
  );
  const floorIs = `floor ${perSecond(durable.perSecond)}`;
  const ofFloor = measured.perSecond / durable.perSecond;
  report(
    `durable acknowledged messages (${range})`,
    perSecond(measured.perSecond),
    floorIs,
    ofFloor,
    '>= 0.6 of floor',
    ofFloor >= 0.6,
  );
  const ofEcho = measured.perSecond / echo.perSecond;
  report(
    'the same, of the echo',
    perSecond(measured.perSecond),
    `echo ${perSecond(echo.perSecond)}`,
    ofEcho,
    '>= 0.3 of echo',
    ofEcho >= 0.3,
  );
  const slower = measured.p99 / durable.p99;
  report(
    'acknowledgement p99 under that load',
    ms(measured.p99),
    `floor ${ms(durable.p99)}`,
    slower,
    '< 3x floor',
    slower < 3,
  );
  report(
    'processor time of the server a message',
    `${measured.cpuUs.toFixed(0)} us`,
    `floor ${durable.cpuUs.toFixed(0)} us`,
    measured.cpuUs / durable.cpuUs,
  );
}
