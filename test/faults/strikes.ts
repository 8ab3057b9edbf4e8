import type { Network } from './network.js';
import type { Person } from './people.js';
import type { Cluster, Program, ServerProgram } from './programs.js';

/** Everything that happens to a cluster and to the network around it, chosen by a seed. */
export interface Strikes {
  /** `kill -9` of a server, of the store or of Redis, which is then started again. Resolves when it works. */
  kill(): Promise<void>;
  /** Something else that is bad. Resolves when it is over. */
  another(): Promise<void>;
  /** Every clock right, every way free. */
  mend(): void;
  readonly counts: Record<string, number>;
}

const anHour = 3_600;

export function createStrikes(
  cluster: Cluster,
  balancer: Network,
  people: readonly Person[],
  random: () => number,
): Strikes {
  const counts: Record<string, number> = {};
  /** Who is being killed or stands still: one thing at a time happens to each. */
  const busy = new Set<Program>();
  const count = (name: string): void => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const among = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const aServer = (): ServerProgram | undefined => among(cluster.servers.filter((one) => !busy.has(one)));
  const clocked = cluster.servers.at(-1);

  async function kill(): Promise<void> {
    const draw = random();
    const struck = draw < 0.6 ? aServer() : draw < 0.85 ? cluster.store : cluster.redis;
    if (!struck || busy.has(struck)) return;
    busy.add(struck);
    count(`kill -9 ${struck.name.replace(/-\d+$/, '')}`);
    await struck.kill();
    await struck.start();
    busy.delete(struck);
  }

  const others: Record<string, () => Promise<void> | void> = {
    'connections cut': () => balancer.cut(0.5),
    'connections half-closed': () => balancer.halfClose(0.3),
    'acknowledgements swallowed': () => balancer.swallow(0.3, 200 + random() * 800),
    'connections gone silent': () => balancer.blackHole(0.3, 500 + random() * 1_500),
    async 'network slow'() {
      balancer.delay(50 + random() * 400);
      await pass(1_500);
      balancer.delay(0);
    },
    async 'server stopped and let go on'() {
      const server = aServer();
      if (!server) return;
      busy.add(server);
      server.pause();
      await pass(300 + random() * 1_500);
      server.resume();
      busy.delete(server);
    },
    async 'server split from the store'() {
      const ms = 300 + random() * 1_500;
      cluster.splittable.split(ms);
      await pass(ms);
    },
    async 'server split from Redis'() {
      const ms = 300 + random() * 2_500;
      aServer()?.redis.split(ms);
      await pass(ms);
    },
    async 'two servers split from each other'() {
      // They meet in the store and in Redis alone: without Redis each hears of the other by the change stream.
      const ms = 500 + random() * 1_500;
      for (const server of cluster.servers) server.redis.split(ms);
      await pass(ms);
    },
    'clock set an hour on': () => clocked?.setClock(anHour),
    'clock set an hour back': () => clocked?.setClock(-anHour),
    'pages loaded again'() {
      for (const person of people) if (random() < 0.2) person.reload();
    },
  };
  const names = Object.keys(others);

  return {
    kill,
    async another() {
      const name = among(names) ?? '';
      count(name);
      await others[name]?.();
    },
    mend() {
      balancer.delay(0);
      clocked?.setClock(0);
    },
    counts,
  };
}
