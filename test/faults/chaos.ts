import { join } from 'node:path';
import { openHistory, type Reading, readHistory } from '../simulation/history/history.js';
import { seeded } from '../simulation/kernel.js';
import { startMailServer } from './mail.js';
import { startNetwork } from './network.js';
import { openOffice } from './office.js';
import { anAgent, aReader, aVisitor, type Person, type Surroundings } from './people.js';
import { startCluster } from './programs.js';
import { createStrikes } from './strikes.js';

/**
 * Real processes under load, and everything that can happen to them: killed, stopped and let go on, cut from one
 * another, their clocks set. After each round all must come to the same; in the end a reader that shares no code with
 * the product compares what was acknowledged and seen with what stands there.
 */
export interface ChaosOptions {
  seed: number;
  /** One kill each. */
  rounds: number;
  /** Written in each round, by all together. */
  messages: number;
  visitors: number;
  agents: number;
  /** Where the history is kept. */
  folder: string;
}

export interface ChaosOutcome {
  reading: Reading;
  complaints: string[];
  /** What was done, and how often. */
  faults: Record<string, number>;
  /** From each kill until a client had something acknowledged that it wrote after it. */
  recoveryMs: number[];
  /** Letters that agents wrote, how many of them left, and how often one left again under its id. */
  letters: { written: number; left: number; again: number };
}

/** However slow the machine: who has not come to the same by then never will. */
const guardMs = 240_000;
/** A round's messages are written over this time, and its faults strike in it. */
const spreadMs = 900;
const lettersEach = 2;

export async function chaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const { seed, folder } = options;
  const random = seeded(`faults/${seed}`);
  const mail = await startMailServer();
  const cluster = await startCluster({
    servers: 3,
    random,
    env: (name) => ({ LIMITS: 'off', SMTP_URL: mail.urlFor(name) }),
  });
  const balancer = await startNetwork({
    targets: () => cluster.servers.filter(({ isUp }) => isUp).map(({ port }) => port),
    random,
  });
  const historyFile = join(folder, `history-${seed}.jsonl`);
  const history = openHistory(historyFile);
  const complaints: string[] = [];
  const recoveryMs: number[] = [];
  const people: Person[] = [];
  /** The last kill, and who has heard nothing since. */
  let struck = { at: 0, waiting: new Set<Person>() };
  try {
    const office = await openOffice(cluster, balancer.port, 3);
    const world: Surroundings = {
      port: balancer.port,
      inboxId: office.inboxId,
      history,
      random,
      acknowledged(person, writtenAt) {
        if (writtenAt < struck.at || !struck.waiting.delete(person)) return;
        recoveryMs.push(performance.now() - struck.at);
      },
      complain: (what) => void complaints.push(what),
    };
    const visitors = Array.from({ length: options.visitors }, (_, at) => aVisitor(`visitor-${at}`, world));
    const agents = Array.from({ length: options.agents }, (_, at) => anAgent(`agent-${at}`, world, office));
    people.push(...visitors, ...agents);
    for (const visitor of visitors) visitor.write(null, { text: 'Hello', mode: 'reply' });
    await untilQuiet(people);
    const chats = visitors.flatMap(({ conversationId }) => conversationId ?? []);
    const conversations = [...chats, ...office.letters];
    const watch = (): void => {
      for (const agent of agents) for (const id of conversations) agent.follow(id);
    };
    const among = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const say = (person: Person): void => {
      const thread = person.conversationId ?? among(chats);
      const mode = person.kind === 'agent' && random() < 0.3 ? 'note' : 'reply';
      person.write(thread, { text: `At ${Math.round(performance.now())} ms`, mode });
    };

    const strikes = createStrikes(cluster, balancer, people, random);
    for (let round = 0; round < options.rounds; round += 1) {
      watch();
      const under: Promise<unknown>[] = [];
      const begin = (strike: () => Promise<void>): void => {
        under.push(strike().catch((error: Error) => complaints.push(error.message)));
      };
      const plan = Array.from({ length: options.messages }, () => ({
        at: random() * spreadMs,
        work: () => say(among(people)),
      }));
      for (let n = 0; n < lettersEach; n += 1) {
        const work = () => among(agents).write(among(office.letters), { text: 'Here it is.', mode: 'reply' });
        plan.push({ at: random() * spreadMs, work });
      }
      for (let n = 0; n < 2; n += 1) {
        plan.push({ at: random() * spreadMs, work: () => begin(strikes.another) });
      }
      const kill = (): void => {
        struck = { at: performance.now(), waiting: new Set(people) };
        begin(strikes.kill);
      };
      plan.push({ at: spreadMs * (0.1 + 0.8 * random()), work: kill });
      await perform(plan);
      // Whoever wrote nothing since the kill does so now: everybody's way back is measured.
      for (const person of struck.waiting) say(person);
      await Promise.all(under);
      watch();
      await untilQuiet(people);
    }

    strikes.mend();
    const reader = await aReader(office.workspaceId, world, office.accessToken);
    const answers: string[] = [];
    for (const id of conversations) {
      const { events, letters } = await reader.all(id);
      answers.push(...letters);
      history.line({ o: 'final', c: id, v: events });
      const heads = {
        agent: events.at(-1)?.[0] ?? 0,
        visitor: events.findLast(([, , , kind]) => kind !== 'note')?.[0] ?? 0,
      };
      for (const person of people) {
        if (person.kind === 'visitor' && person.conversationId !== id) continue;
        const head = heads[person.kind];
        const isWhole = () => person.wholeFrom(id, head) !== null;
        await until(isWhole, () => `${person.name} has not all of ${id} (${head})`);
        history.line({ o: 'whole', p: person.page, c: id, s: person.wholeFrom(id, head), a: person.kind });
      }
    }
    reader.close();
    history.line({ o: 'end' });
    await until(
      () => answers.every((id) => mail.taken.includes(id)),
      () => `${answers.filter((id) => !mail.taken.includes(id)).length} letters have not left`,
    );
    for (const id of mail.taken)
      if (!answers.includes(id)) complaints.push(`${id} left, and nobody wrote it`);
    for (const program of [cluster.store, cluster.redis, ...cluster.servers]) {
      if (program.ownEnds > 0)
        complaints.push(`${program.name} ended by itself: ${program.printed().slice(-2_000)}`);
    }
    history.close();
    return {
      reading: await readHistory(historyFile),
      complaints,
      faults: strikes.counts,
      recoveryMs,
      letters: {
        written: answers.length,
        left: new Set(mail.taken).size,
        again: mail.taken.length - new Set(mail.taken).size,
      },
    };
  } finally {
    for (const person of people) person.close();
    await balancer.close();
    await cluster.stop();
    await mail.close();
  }
}

/** Does each work at its time. */
async function perform(plan: readonly { at: number; work: () => void }[]): Promise<void> {
  const began = performance.now();
  for (const { at, work } of plan.toSorted((a, b) => a.at - b.at)) {
    const wait = began + at - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    work();
  }
}

/** Nobody has anything left to send, and each shows what it sent. */
async function untilQuiet(people: readonly Person[]): Promise<void> {
  const left = () => people.filter(({ delivery }) => delivery.state.outbox.length > 0);
  await until(
    () => left().length === 0,
    () =>
      left()
        .map(({ name, delivery: { state } }) => {
          const [item] = state.outbox;
          return `${name} (online: ${state.isOnline}) holds ${state.outbox.length}, ${item?.clientId} is ${item?.state} after ${item?.failures} failures ${item?.error?.code ?? ''}`;
        })
        .join('\n'),
  );
}

async function until(isSo: () => boolean, explain: () => string): Promise<void> {
  const end = performance.now() + guardMs;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(explain());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
