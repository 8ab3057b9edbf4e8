import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MailServer, startMailServer } from './mail.js';
import { type Office, openOffice } from './office.js';
import { anAgent, type Person } from './people.js';
import { type Cluster, startCluster } from './programs.js';

/**
 * Who holds a job stands still for longer than a hold lasts, and then goes on as if nothing had been. A letter is the
 * thing that cannot be taken back: it leaves once.
 */
describe('a server that stands still with a letter in its hand', () => {
  let mail: MailServer;
  let cluster: Cluster;
  let office: Office;
  let agent: Person;
  const complaints: string[] = [];

  beforeAll(async () => {
    mail = await startMailServer();
    cluster = await startCluster({
      servers: 2,
      random: Math.random,
      env: (name) => ({ LIMITS: 'off', SMTP_URL: mail.urlFor(name) }),
    });
    const port = cluster.servers[0]?.port ?? 0;
    office = await openOffice(cluster, port, 1);
    agent = anAgent(
      'agent',
      {
        port,
        inboxId: office.inboxId,
        history: { line: () => {}, close: () => {} },
        random: Math.random,
        acknowledged: () => {},
        complain: (what) => void complaints.push(what),
      },
      office,
    );
    agent.follow(office.letters[0] ?? '');
  }, 120_000);
  afterAll(async () => {
    agent?.close();
    await cluster?.stop();
    await mail?.close();
  });

  const reported = () =>
    (agent.delivery.state.threads[office.letters[0] ?? '']?.events ?? []).filter(
      ({ kind }) => kind === 'email_delivery',
    );
  async function until(what: string, isSo: () => boolean): Promise<void> {
    const end = performance.now() + 120_000;
    while (!isSo()) {
      if (performance.now() > end) throw new Error(`${what}: it never came`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const serverNamed = (name: string) => cluster.servers.find((one) => one.name === name);

  it('is overtaken, learns of it before it hands the letter over, and keeps it back', async () => {
    const addressed: string[] = [];
    mail.whenAddressed = async (name) => {
      addressed.push(name);
      // The first stands still until the other has sent the letter, which it may when the hold has run out.
      if (addressed.length > 1) return;
      serverNamed(name)?.pause();
      // Only its own answer is held back: the mail server goes on.
      await until('the other takes over', () => mail.taken.length === 1);
    };
    agent.write(office.letters[0] ?? '', { text: 'It is on its way.', mode: 'reply' });
    // The agent may hang on the one that stands still: it is let go on when the letter has left.
    await until('the letter leaves by the other', () => mail.taken.length === 1);
    expect(new Set(addressed).size).toBe(2);
    const first = serverNamed(addressed[0] ?? '');
    first?.resume();
    await until(
      'the first gives it up',
      () => mail.taken.length > 1 || (first?.printed().includes('Another process holds the job.') ?? false),
    );
    await until('the agent sees that it left', () => reported().length > 0);
    expect(mail.taken).toHaveLength(1);
    expect(reported()).toHaveLength(1);
    expect(complaints).toEqual([]);
  });
});
