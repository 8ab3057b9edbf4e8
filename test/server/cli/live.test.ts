import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SessionAnswer } from '../../../shared/api.js';
import type { TimelineEvent } from '../../../shared/events/timeline.js';
import type { ConversationRow } from '../../../shared/protocol.js';
import { type ServerProcess, startServer } from '../../journeys/server.js';

/** A command runs in a process of its own, beside the server: what it did stands in open consoles at once. */

let server: ServerProcess;
let owner: SessionAnswer;
let told: [string, unknown][];
let close: () => void;
const workspaceId = () => owner.agent.workspaces[0]?.id ?? '';

beforeAll(async () => {
  server = await startServer();
  const answer = await fetch(`${server.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token: server.setupToken(),
      workspace: 'Kestrel Cycles',
      name: 'Anna',
      email: 'anna@kestrel.example',
      password: 'a long enough password',
    }),
  });
  owner = (await answer.json()) as SessionAnswer;
  told = [];
  const socket = io(`${server.url}/agent`, {
    transports: ['websocket'],
    auth: { protocol: 1, accessToken: owner.accessToken, workspaceId: workspaceId() },
  });
  const isReady = new Promise((resolve) => socket.once('ready', resolve));
  socket.onAny((name: string, notice: unknown) => told.push([name, notice]));
  close = () => void socket.close();
  await isReady;
});
afterAll(async () => {
  close();
  await server.remove();
});

const toldOf = <T>(name: string): T[] =>
  told.filter(([one]) => one === name).map(([, notice]) => notice as T);
const isTold = (holds: () => boolean): Promise<void> => expect.poll(holds, { interval: 10 }).toBe(true);
const contactsOf = async (query: string) => {
  const answer = await fetch(
    `${server.url}/api/workspaces/${workspaceId()}/contacts?query=${encodeURIComponent(query)}`,
    { headers: { authorization: `Bearer ${owner.accessToken}` } },
  );
  return ((await answer.json()) as { rows: { id: string }[] }).rows.map(({ id }) => id);
};

describe('a command beside a running server', () => {
  it('mail import: the letters and their rows stand in open consoles at once', async () => {
    const letter = `From: Nina <nina@tidewater.example>\nTo: help@kestrel.example\nSubject: Bell\nMessage-ID: <n@tidewater.example>\nDate: ${new Date(Date.now() - 3_600_000).toUTCString()}\n\nWhere is it?\n`;
    const { code, stderr } = await server.cli(['mail', 'import', '-', '--vouch', '--json'], letter);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const events = () => toldOf<TimelineEvent>('event').filter(({ kind }) => kind === 'email');
    await isTold(() => events().length === 1 && toldOf<ConversationRow>('conversation').length > 0);
    expect(toldOf<ConversationRow>('conversation').at(-1)).toMatchObject({
      channel: 'email',
      snippet: 'Where is it?',
      contact: { name: 'Nina', proved: true },
      unread: 1,
    });
    await isTold(() => toldOf('contact').length > 0);
    // Told once, and the rows are there for who looks only now.
    expect(events()).toHaveLength(1);
  });

  it('calls import: so do calls, with the suggestion that somebody they know may be calling', async () => {
    const at = new Date(Date.now() - 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
    const line = `"","+442079460111","200","from-trunk","""Nina"" <+442079460111>","PJSIP/trunk-1","PJSIP/200-2","Dial","","${at}","","${at}",8,0,"NO ANSWER","","77.1",""\n`;
    const { code } = await server.cli(['calls', 'import', '-', '--json'], line);
    expect(code).toBe(0);
    await isTold(() =>
      toldOf<ConversationRow>('conversation').some(
        ({ channel, outcome }) => channel === 'phone' && outcome === 'missed',
      ),
    );
  });

  it('contacts merge and unmerge: and so does who is one person', async () => {
    const [nina = ''] = await contactsOf('nina@tidewater.example');
    const [caller = ''] = await contactsOf('+442079460111');
    const before = toldOf('contact').length;
    const { code, stdout } = await server.cli(['contacts', 'merge', nina, caller, '--json']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('mergeId')]);
    await isTold(() => toldOf<TimelineEvent>('event').some(({ kind }) => kind === 'contact_merged'));
    await isTold(() => toldOf('contact').length > before);
  });

  it('doctor: reads the figures of the server that runs here, with the installation’s own key', async () => {
    const { stdout } = await server.cli(['doctor', '--json']);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; found: string }[] };
    expect(findings).toContainEqual({ check: 'Connections', state: 'ok', found: '0 visitors, 1 agents' });
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['Event loop', 'Store latency', 'Dead jobs', 'Oldest due job']),
    );
  });
});
