import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A port, or the path of a socket. */
type Place = number | string;

/**
 * The network between two programs, which can be made bad. What is swallowed would leave a torn stream behind, so every
 * connection that lost a byte is cut in the end.
 */
export interface Network {
  readonly port: number;
  readonly count: number;
  /** Ends this share of the connections at once, in the middle of whatever they were saying. */
  cut(share: number): void;
  /** One side of this share is told that nothing more comes, while the other may go on. */
  halfClose(share: number): void;
  /** All that the servers say on this share vanishes, acknowledgements too, until it is cut after `ms`. */
  swallow(share: number, ms: number): void;
  /** All vanishes both ways, and nobody is told, until it is cut after `ms`. */
  blackHole(share: number, ms: number): void;
  /** Everything takes this much longer, on connections made from now on too. */
  delay(ms: number): void;
  /** Nothing gets through, and nobody gets in, for `ms`. */
  split(ms: number): void;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
  vanishes: { up: boolean; down: boolean };
}

export async function startNetwork(options: {
  listen?: Place;
  /** Where a new connection may go, tried in random order. */
  targets: () => readonly Place[];
  random: () => number;
}): Promise<Network> {
  const { random } = options;
  const pairs = new Set<Pair>();
  const timers = new Set<NodeJS.Timeout>();
  let delayMs = 0;
  let isSplit = false;

  const server = createServer({ allowHalfOpen: true }, (near) => {
    near.on('error', () => near.destroy());
    if (isSplit) {
      near.destroy();
      return;
    }
    const places = options
      .targets()
      .map((place) => ({ place, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ place }) => place);
    reach(places).then(
      (far) => join(near, far),
      () => near.destroy(),
    );
  });

  function join(near: Socket, far: Socket): void {
    const pair: Pair = { near, far, vanishes: { up: false, down: false } };
    pairs.add(pair);
    near.setNoDelay(true);
    far.setNoDelay(true);
    carry(pair, 'up', near, far);
    carry(pair, 'down', far, near);
    for (const socket of [near, far]) {
      socket.on('error', () => end(pair));
      socket.on('close', () => end(pair));
    }
  }

  function carry(pair: Pair, way: 'up' | 'down', from: Socket, to: Socket): void {
    let before: Promise<unknown> = Promise.resolve();
    const inTurn = (work: () => void): void => {
      const due: Promise<void> =
        delayMs > 0 ? new Promise((resolve) => later(delayMs * random(), resolve)) : Promise.resolve();
      before = before.then(() => due).then(work);
    };
    from.on('data', (chunk: Buffer) => {
      inTurn(() => {
        if (!pair.vanishes[way] && !to.destroyed) to.write(chunk);
      });
    });
    from.on('end', () => inTurn(() => to.end()));
  }

  function later(ms: number, call: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      call();
    }, ms);
    timers.add(timer);
  }

  function end(pair: Pair): void {
    if (!pairs.delete(pair)) return;
    pair.near.destroy();
    pair.far.destroy();
  }

  const some = (share: number): Pair[] => [...pairs].filter(() => random() < share);

  if (options.listen === undefined) server.listen(0, '127.0.0.1');
  else server.listen(options.listen);
  await once(server, 'listening');
  const address = server.address() as AddressInfo | string;

  return {
    port: typeof address === 'string' ? 0 : address.port,
    get count() {
      return pairs.size;
    },
    cut(share) {
      for (const pair of some(share)) end(pair);
    },
    halfClose(share) {
      for (const { near, far } of some(share)) (random() < 0.5 ? near : far).end();
    },
    swallow(share, ms) {
      for (const pair of some(share)) {
        pair.vanishes.down = true;
        later(ms, () => end(pair));
      }
    },
    blackHole(share, ms) {
      for (const pair of some(share)) {
        pair.vanishes = { up: true, down: true };
        later(ms, () => end(pair));
      }
    },
    delay(ms) {
      delayMs = ms;
    },
    split(ms) {
      isSplit = true;
      for (const pair of [...pairs]) end(pair);
      later(ms, () => {
        isSplit = false;
      });
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      for (const pair of [...pairs]) end(pair);
      server.close();
      await once(server, 'close');
    },
  };
}

/** The first of these that somebody listens at. */
async function reach(places: readonly Place[]): Promise<Socket> {
  for (const place of places) {
    const socket =
      typeof place === 'string'
        ? connect({ path: place, allowHalfOpen: true })
        : connect({ port: place, host: '127.0.0.1', allowHalfOpen: true });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return socket;
    socket.destroy();
  }
  throw new Error('Nobody listens.');
}
