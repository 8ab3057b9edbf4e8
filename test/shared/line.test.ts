import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import NodeSocket from 'ws';
import type { ErrorReply } from '../../shared/errors.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { VisitorSession } from '../../shared/protocol.js';
import type { Line } from '../../widget/client.js';
import { openLine } from '../../widget/line.js';
import { type Middlebox, openMiddlebox } from '../journeys/middlebox.js';
import { clientId, openTab, say as sayOn, type TestApp, testApp, visitorAuth } from '../server/http/app.js';

/** How the widget gets through: the real server behind a middlebox that refuses WebSocket, lets it hang, or cuts. */

/** As a browser's: an error that nobody listens for is no end of the world. */
class BrowserSocket extends NodeSocket {
  constructor(url: string) {
    super(url);
    this.on('error', () => undefined);
  }
}
vi.stubGlobal('WebSocket', BrowserSocket);

let at: TestApp;
let middlebox: Middlebox;
const lines: Heard[] = [];
beforeAll(async () => {
  at = await testApp();
  middlebox = await openMiddlebox([at.app.port]);
});
afterEach(() => {
  for (const { line } of lines.splice(0)) line.sleep();
  Object.assign(middlebox, { upgrades: 'pass', cutAfterMs: Number.POSITIVE_INFINITY });
  middlebox.cut();
});
afterAll(async () => {
  await middlebox.close();
  await at.stop();
});

interface Heard {
  line: Line;
  sessions: VisitorSession[];
  events: TimelineEvent[];
  refusals: (ErrorReply | undefined)[];
  closes: number;
}

function open(auth: object = {}): Heard {
  const heard: Omit<Heard, 'line'> = { sessions: [], events: [], refusals: [], closes: 0 };
  const line = openLine(`${middlebox.url}/`, {
    auth: async () => ({
      ...(visitorAuth(at, auth) as { protocol: number; inboxId: string }),
      ...(heard.sessions[0] && { token: heard.sessions[0].token }),
      page: { url: 'https://shop.example/', title: 'Shop' },
    }),
    onNotice(name, data) {
      if (name === 'session') heard.sessions.push(data);
      if (name === 'event') heard.events.push(data);
    },
    onClose() {
      heard.closes += 1;
    },
    onRefused(error) {
      heard.refusals.push(error);
      return false;
    },
  });
  line.wake();
  const made = Object.assign(heard, { line });
  lines.push(made);
  return made;
}

/** Waits for the state itself. */
async function until(what: () => unknown, guardMs = 30_000): Promise<void> {
  const end = performance.now() + guardMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`Never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const count = (what: RegExp): number =>
  middlebox.asked.filter((one) => what.test(`${one.what} ${one.path}`)).length;

async function say(line: Line, text: string, conversationId: string | null = null) {
  const body = { clientId: clientId(), conversationId, text, attachments: [], waitedMs: 0 };
  const answer = (await line.request('message:send', body)) as { ok: boolean; event: TimelineEvent };
  expect(answer.ok).toBe(true);
  return answer.event;
}
/** The same visitor in another browser tab, on a socket of its own past the middlebox. */
async function sayElsewhere({ sessions }: Heard, text: string, conversationId: string): Promise<void> {
  const other = await openTab(at, { token: sessions[0]?.token });
  await sayOn(other, text, conversationId);
  other.close();
}
const textsOf = ({ events }: Heard): string[] =>
  events.flatMap((event) => (event.kind === 'message' && event.body.text ? [event.body.text] : []));

describe('the line', () => {
  it('is a WebSocket where one gets through, and asks for nothing over HTTP', async () => {
    const before = count(/v1\/visitor/);
    const heard = open();
    await until(() => heard.sessions.length === 1);
    await say(heard.line, 'by socket');
    expect(count(/v1\/visitor/)).toBe(before);
    expect(middlebox.sockets()).toBe(1);
  });

  it('is HTTP where an upgrade is refused: writes, hears, and is one visitor', async () => {
    middlebox.upgrades = 'refuse';
    const heard = open();
    await until(() => heard.sessions.length > 0);
    const { conversationId = '' } = await say(heard.line, 'by post');
    await sayElsewhere(heard, 'from elsewhere', conversationId);
    await until(() => textsOf(heard).length > 0);
    expect(textsOf(heard)).toEqual(['from elsewhere']);
    expect(new Set(heard.sessions.map(({ contactId }) => contactId)).size).toBe(1);
    expect(heard.closes).toBe(0);
  });

  it('is HTTP where an upgrade hangs; asleep it holds nothing, and awake it knows what does not get through', async () => {
    middlebox.upgrades = 'hang';
    const heard = open();
    await until(() => heard.sessions.length > 0);
    await say(heard.line, 'before');
    heard.line.sleep();
    expect(heard.closes).toBe(1);
    await expect(heard.line.request('read', {})).rejects.toThrow('no connection');
    const sessions = heard.sessions.length;
    // Nobody's patience runs out any more: what comes now does not wait for it.
    const later = globalThis.setTimeout;
    const patience = vi.spyOn(globalThis, 'setTimeout');
    patience.mockImplementation(((call: () => void, ms = 0) =>
      ms === 4_000 ? later(call, 2 ** 31 - 1).unref() : later(call, ms)) as typeof setTimeout);
    heard.line.wake();
    await until(() => heard.sessions.length > sessions);
    expect(patience.mock.calls.some(([, ms]) => ms === 4_000)).toBe(true);
    patience.mockRestore();
  });

  it('hands on what the server says, refusals and errors alike', async () => {
    middlebox.upgrades = 'refuse';
    const refused = open({ inboxId: 'nobody' });
    await until(() => refused.refusals.length > 0);
    expect(refused.refusals[0]).toMatchObject({ code: 'inbox_not_found' });
    await expect(refused.line.request('read', {})).rejects.toThrow('no connection');
    const heard = open();
    await until(() => heard.sessions.length > 0);
    expect(await heard.line.request('read', { conversationId: 'not-mine', seq: 1 })).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
  });

  it('goes back to WebSocket as soon as one gets through, as the same visitor', async () => {
    middlebox.upgrades = 'refuse';
    const heard = open();
    await until(() => heard.sessions.length > 0);
    const { conversationId = '' } = await say(heard.line, 'by post');
    middlebox.upgrades = 'pass';
    const sessions = heard.sessions.length;
    heard.line.wake();
    await until(() => middlebox.sockets() === 1 && heard.sessions.length > sessions);
    const asked = count(/POST/);
    await sayElsewhere(heard, 'heard by socket', conversationId);
    await until(() => textsOf(heard).includes('heard by socket'));
    await say(heard.line, 'said by socket', conversationId);
    expect(count(/POST/)).toBe(asked);
    expect(new Set(heard.sessions.map(({ contactId }) => contactId)).size).toBe(1);
  });

  it('asks anew when a poll is cut, hears what came meanwhile, and does not call that a loss of the line', async () => {
    middlebox.upgrades = 'refuse';
    const heard = open();
    await until(() => heard.sessions.length > 0);
    const { conversationId = '' } = await say(heard.line, 'one');
    for (let cuts = 0; cuts < 3; cuts += 1) {
      const sessions = heard.sessions.length;
      await until(() => middlebox.waiting(/\/v1\/visitor\/events/) === 1);
      middlebox.cut();
      await until(() => heard.sessions.length > sessions);
    }
    await sayElsewhere(heard, 'two', conversationId);
    // By a poll, or by the session that follows one that was cut: the engine reads on from its cursor then.
    const head = (): number => heard.sessions.at(-1)?.conversations[0]?.head ?? 0;
    await until(() => head() === 3 || textsOf(heard).includes('two'));
    expect(heard.closes).toBe(0);
  });

  it('says when nothing gets through any more, and comes back when something does', async () => {
    middlebox.upgrades = 'refuse';
    const heard = open();
    await until(() => heard.sessions.length > 0);
    await say(heard.line, 'before');
    middlebox.cutAfterMs = 0;
    middlebox.cut();
    await until(() => heard.closes === 1);
    middlebox.cutAfterMs = Number.POSITIVE_INFINITY;
    const sessions = heard.sessions.length;
    heard.line.wake();
    await until(() => heard.sessions.length > sessions);
    expect(heard.closes).toBe(1);
  });
});
