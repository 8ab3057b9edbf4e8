import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, type ServerProcess, startServer } from './server.js';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const fixtures = join(root, 'test/fixtures');

/** Every line of the README's shell blocks. */
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  block!.trim().split('\n'),
);

/** How a reader's words in a command are filled in here. */
const filledIn: Record<string, string[][]> = {
  'npx threadline demo': [['demo']],
  'npx threadline demo --clear': [['demo', '--clear']],
  'npx threadline mail import FILE|DIR|-': [
    ['mail', 'import', join(fixtures, 'email/plain-and-html.eml')],
    ['mail', 'import', join(fixtures, 'email')],
    ['mail', 'import', '-'],
  ],
  'npx threadline calls import FILE': [['calls', 'import', join(fixtures, 'calls/master.csv')]],
  'npx threadline timeline CONTACT|EMAIL|PHONE': [['timeline', 'nobody@example.com']],
};
/** Run elsewhere: by their own tests below, by the journeys against a store in another process, or by being here. */
const elsewhere = ['npm start', 'npm test', 'npx threadline store serve'];

describe('the README', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.remove());

  it('names no command that is not run by a test', () => {
    const plain = commands.filter((command) => !command.startsWith('MONGODB_URI='));
    expect(plain.filter((command) => !(command in filledIn) && !elsewhere.includes(command))).toEqual([]);
    expect(Object.keys(filledIn).filter((command) => !commands.includes(command))).toEqual([]);
  });

  for (const [command, runs] of Object.entries(filledIn)) {
    it(`says what works: ${command}`, async () => {
      for (const args of runs) {
        const input =
          args.at(-1) === '-' ? readFileSync(join(fixtures, 'email/plain-and-html.eml')) : undefined;
        const { code, stderr } = await server.cli(args, input);
        // Nobody has that address: the command says so, and fails.
        expect(code, `${args.join(' ')}: ${stderr}`).toBe(args[0] === 'timeline' ? 1 : 0);
      }
    });
  }

  it('says what works: npm start, and a second start is quick', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'threadline-start-'));
    const port = String(await freePort());
    const start = async (): Promise<number> => {
      const began = performance.now();
      const child = spawn('npm', ['start'], {
        cwd: root,
        env: { ...process.env, PORT: port, DATA_DIR: dataDir, PUBLIC_URL: `http://localhost:${port}` },
        detached: true,
      });
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
      const until = performance.now() + 30_000;
      let health: Response | null = null;
      while (!health?.ok) {
        if (performance.now() > until) throw new Error(`not ready:\n${printed}`);
        health = await fetch(`http://localhost:${port}/healthz`).catch(() => null);
        if (!health?.ok) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const took = performance.now() - began;
      expect(await health.json()).toMatchObject({ status: 'ok', store: 'embedded' });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      process.kill(-child.pid!, 'SIGTERM');
      await ended;
      // npm is gone before the server has handed its visitors over and stopped.
      while (await fetch(`http://localhost:${port}/healthz`).catch(() => null))
        await new Promise((resolve) => setTimeout(resolve, 10));
      return took;
    };
    await start();
    console.log(`second npm start: ready in ${((await start()) / 1_000).toFixed(2)} s (goal 1.5 s)`);
    rmSync(dataDir, { recursive: true, force: true });
  });
});
