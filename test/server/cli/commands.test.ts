import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../../server/cli/commands.js';
import { type Output, output } from '../../../server/cli/output.js';
import { runCommandLine } from '../../../server/cli/run.js';
import { startEmbedded } from '../../../server/store/connect.js';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'threadline-cli-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** Runs one command on a folder of its own, as from a shell, and reads what it printed. */
async function run(words: string[], environment: Record<string, string> = {}) {
  const printed = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr') => ({
    write(text: string) {
      printed[stream] += text;
      return true;
    },
  });
  const makeOutput = (json: boolean): Output =>
    output(json, { stdout: into('stdout'), stderr: into('stderr') });
  const env = { DATA_DIR: dataDir, ...environment };
  const code = await runCommandLine(commands, words, env, new AbortController().signal, makeOutput);
  const lines = printed.stdout.trim().split('\n').filter(Boolean);
  return {
    code,
    ...printed,
    last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown>,
    lines,
  };
}

/** Everything in the store, collection by collection, as a client of it sees it. */
async function dump(): Promise<Record<string, string[]>> {
  const store = await startEmbedded(dataDir);
  const client = await mongoose.createConnection(store.uri).asPromise();
  const found: Record<string, string[]> = {};
  for (const { name } of (await client.db?.listCollections().toArray()) ?? []) {
    const documents = (await client.db?.collection(name).find().toArray()) ?? [];
    if (documents.length > 0) found[name] = documents.map((document) => JSON.stringify(document)).sort();
  }
  await client.close();
  await store.close();
  return found;
}

const callLine = (id: string, from = '+442079460111') =>
  `"","${from}","200","from-trunk","""Ada"" <${from}>","PJSIP/trunk-1","PJSIP/200-2","Dial","","2026-02-03 09:15:00","2026-02-03 09:15:08","2026-02-03 09:17:08",128,120,"ANSWERED","","${id}",""\n`;

describe('threadline demo', () => {
  it('fills a workspace with every channel, says so, and --clear leaves nothing of it', async () => {
    await run(
      ['workspace add', 'x'].flatMap((word) => word.split(' ')).concat('--owner', 'owner@example.com'),
    );
    writeFileSync(join(dataDir, 'own.csv'), callLine('1.1'));
    expect((await run(['calls', 'import', join(dataDir, 'own.csv')])).code).toBe(0);
    const before = await dump();

    const made = await run(['demo', '--json']);
    expect(made.code).toBe(0);
    expect(made.last()).toMatchObject({ contacts: 8 });
    for (const channel of ['chats', 'emails', 'calls']) expect(made.last()[channel]).toBeGreaterThan(5);
    const shown = await run(['timeline', 'ines@carvalho-arq.example', '--json']);
    const channels = shown.lines.map((line) => (JSON.parse(line) as { channel: string }).channel);
    expect(new Set(channels)).toEqual(new Set(['chat', 'email', 'phone', null]));
    expect((await run(['demo'])).code).toBe(1);

    expect((await run(['demo', '--clear'])).code).toBe(0);
    const after = await dump();
    const names = ['contacts', 'identities', 'claims', 'conversations', 'agents', 'memberships', 'files'];
    for (const name of names) expect(after[name], name).toEqual(before[name]);
    const isStanding = (event: string) => !event.includes('"erased":"undone"');
    expect(after.events?.filter(isStanding)).toEqual(before.events);
    expect(after.events?.join('')).not.toMatch(/Kestrel Moor|Krylova|Крылова/);
    expect((await run(['demo', '--clear'])).stdout).toContain('no demo');
  });
});

describe('threadline calls import', () => {
  it('ends with its counts as one line of JSON, again with nothing new, and names what was broken', async () => {
    await run(['workspace', 'add', 'Company', '--owner', 'owner@example.com', '--country', 'GB']);
    const file = join(dataDir, 'log.csv');
    writeFileSync(file, `${callLine('1.1')}"half"\n${callLine('1.2')}`);
    const first = await run(['calls', 'import', file, '--json']);
    expect(first.code).toBe(0);
    expect(first.last()).toEqual({ imported: 2, duplicates: 0, broken: 1 });
    expect(first.stderr).toContain('line 2: 1 columns where Asterisk cdr_csv has 18');
    const again = await run(['calls', 'import', file, '--json']);
    expect(again.last()).toEqual({ imported: 0, duplicates: 2, broken: 1 });
    const shown = await run(['timeline', '020 7946 0111']);
    expect(
      shown.stdout.match(/answered call \+442079460111 -> 200, 2 min 0 s \(number not verified\)/g),
    ).toHaveLength(2);
  });

  it('fails when there is nothing in it that could be read, and when there is no such file', async () => {
    await run(['workspace', 'add', 'Company', '--owner', 'owner@example.com']);
    const file = join(dataDir, 'letter.txt');
    writeFileSync(file, 'Dear sir or madam,\n');
    expect(await run(['calls', 'import', file, '--json'])).toMatchObject({ code: 1 });
    expect(await run(['calls', 'import', join(dataDir, 'none.csv')])).toMatchObject({ code: 2 });
  });

  it('is taken back whole', async () => {
    await run(['workspace', 'add', 'Company', '--owner', 'owner@example.com']);
    const file = join(dataDir, 'log.csv');
    writeFileSync(file, callLine('1.1'));
    await run(['calls', 'import', file, '--vouch']);
    const [row] = (await run(['import', 'list', '--json'])).lines;
    const { _id } = JSON.parse(row ?? '{}') as { _id: string };
    expect((await run(['import', 'undo', _id, '--json'])).last()).toEqual({
      events: 2,
      conversations: 1,
      contacts: 1,
    });
    expect((await run(['timeline', '+442079460111'])).code).toBe(1);
    expect((await run(['calls', 'import', file, '--json'])).last()).toMatchObject({ imported: 1 });
  });
});

describe('threadline contacts', () => {
  it('joins two contacts and parts them again', async () => {
    await run(['workspace', 'add', 'Company', '--owner', 'owner@example.com', '--country', 'GB']);
    const file = join(dataDir, 'log.csv');
    writeFileSync(file, callLine('1.1') + callLine('1.2', '+442079460222'));
    await run(['calls', 'import', file]);
    const merged = await run(['contacts', 'merge', '+442079460111', '020 7946 0222', '--json']);
    expect(merged.last()).toMatchObject({ mergeId: expect.any(String) });
    const calls = async () =>
      (await run(['timeline', '+442079460111', '--json'])).lines.filter((line) =>
        line.includes('"kind":"call"'),
      );
    expect(await calls()).toHaveLength(2);
    expect((await run(['contacts', 'merge', '+442079460111', '+442079460222'])).code).toBe(1);
    expect((await run(['contacts', 'unmerge', '+442079460111'])).code).toBe(0);
    expect(await calls()).toHaveLength(1);
    expect((await run(['contacts', 'merge', '+442079460111', '+449999'])).stderr).toContain(
      'contact_not_found',
    );
  });
});

describe('where a command works', () => {
  it('is the store of the server that runs on the same folder, never a second engine beside it', async () => {
    const running = await startEmbedded(dataDir);
    expect((await run(['workspace', 'add', 'Company', '--owner', 'owner@example.com'])).code).toBe(0);
    const client = await mongoose.createConnection(running.uri).asPromise();
    expect(await client.db?.collection('workspaces').countDocuments()).toBe(1);
    await client.close();
    expect((await run(['store', 'serve'])).code).toBe(4);
    await running.close();
    expect((await run(['rebuild', '--json'])).code).toBe(0);
  });

  it('is one workspace: named when there are several', async () => {
    await run(['workspace', 'add', 'First', '--owner', 'owner@example.com']);
    await run(['workspace', 'add', 'Second', '--owner', 'owner@example.com']);
    const unnamed = await run(['import', 'list']);
    expect(unnamed.code).toBe(2);
    expect(unnamed.stderr).toContain('"First"');
    expect((await run(['import', 'list', '--workspace', 'Second'])).code).toBe(0);
    expect((await run(['import', 'list', '--workspace', 'Third'])).code).toBe(2);
  });
});

describe('threadline workspace add', () => {
  it('reads numbers as in the country that it is told, else in the one that is configured', async () => {
    const add = (name: string, ...more: string[]) =>
      run(['workspace', 'add', name, '--owner', 'owner@example.com', '--json', ...more], {
        DEFAULT_COUNTRY: 'GB',
      });
    expect((await add('First')).last()).toMatchObject({ country: 'GB' });
    expect((await add('Second', '--country', 'de')).last()).toMatchObject({ country: 'DE' });
    const refused = await add('Third', '--country', 'Mars');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--country Mars')]);
    const log = join(dataDir, 'Master.csv');
    writeFileSync(log, callLine('1.1', '030901820'));
    expect((await run(['calls', 'import', log, '--workspace', 'Second', '--json'])).code).toBe(0);
    expect((await run(['timeline', '+4930901820', '--workspace', 'Second'])).code).toBe(0);
  });
});

describe('threadline agent', () => {
  it('invites whom nobody knows, and prints a reset link for whom it knows', async () => {
    await run(['workspace', 'add', 'Company', '--owner', 'owner@example.com']);
    const added = await run(['agent', 'add', 'new@example.com', '--role', 'admin', '--json']);
    expect(added.last()).toMatchObject({ email: 'new@example.com', role: 'admin' });
    expect(String(added.last().link)).toMatch(/^http:\/\/localhost:3000\/#invitation=[\w-]{43}$/);
    expect((await run(['agent', 'reset', 'nobody@example.com'])).code).toBe(1);
    expect((await run(['agent', 'add', 'new@example.com', '--role', 'king'])).code).toBe(2);
  });
});

describe('threadline doctor', () => {
  it('finds what is wrong and says what to do about it', async () => {
    const { code, last } = await run(['doctor', '--json'], {
      REDIS_URL: 'redis://127.0.0.1:1',
      SMTP_URL: 'smtp://127.0.0.1:1',
      PUBLIC_URL: 'http://127.0.0.1:1',
    });
    expect(code).toBe(1);
    const findings = last().findings as { check: string; state: string; remedy?: string }[];
    const stateOf = (check: string) => findings.find((finding) => finding.check === check)?.state;
    expect(stateOf('Store')).toBe('ok');
    expect(stateOf('Clock')).toBe('ok');
    expect(stateOf('Redis')).toBe('failed');
    expect(stateOf('Outgoing mail')).toBe('failed');
    expect(stateOf('Server')).toBe('warning');
    for (const finding of findings) expect(finding.state === 'ok' || finding.remedy !== undefined).toBe(true);
  });
});

describe('threadline jobs', () => {
  it('lists what failed for good, and gives it all its attempts again', async () => {
    await run(['workspace', 'add', 'x', '--owner', 'owner@example.com']);
    expect((await run(['jobs', 'list'])).stdout).toContain('No job');
    const store = await startEmbedded(dataDir);
    const client = await mongoose.createConnection(store.uri).asPromise();
    const workspace = await client.db?.collection('workspaces').findOne();
    const row = {
      workspaceId: workspace?._id as unknown,
      name: 'email.send',
      payload: {},
      state: 'dead',
      dueAt: new Date(),
      attempts: 8,
      fence: 8,
      error: 'The mailbox is full.',
      createdAt: new Date(),
      finishedAt: new Date(),
    };
    await client.db
      ?.collection<typeof row & { _id: string; key: string; workspaceId: unknown }>('jobs')
      .insertMany([
        { ...row, _id: 'job-1', key: 'one' },
        { ...row, _id: 'job-2', key: 'two' },
        { ...row, _id: 'job-3', key: 'three', workspaceId: 'another' },
      ]);
    await client.close();
    await store.close();

    const listed = await run(['jobs', 'list', '--json']);
    expect(listed.lines.map((line) => JSON.parse(line)._id).sort()).toEqual(['job-1', 'job-2']);
    expect((await run(['jobs', 'list'])).stdout).toContain('The mailbox is full.');
    expect((await run(['jobs', 'retry'])).code).toBe(2);
    expect((await run(['jobs', 'retry', 'job-3'])).code).toBe(1);
    expect((await run(['jobs', 'retry', 'job-1', '--json'])).last()).toEqual({ retried: 1 });
    expect((await run(['jobs', 'retry', '--all', '--json'])).last()).toEqual({ retried: 1 });
    const { jobs } = await dump();
    const states = jobs
      ?.map((text) => JSON.parse(text))
      .map(({ _id, state, attempts }) => [_id, state, attempts]);
    expect(states?.sort()).toEqual([
      ['job-1', 'waiting', 0],
      ['job-2', 'waiting', 0],
      ['job-3', 'dead', 8],
    ]);
  });
});
