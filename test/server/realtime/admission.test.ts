import { createServer, Server as HttpServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Server } from 'socket.io';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { visitorRates } from '../../../server/channels/chat/rates.js';
import { readVisitorToken } from '../../../server/channels/chat/visitor-token.js';
import { proveIdentity } from '../../../server/contacts/prove.js';
import { forgetVisitor } from '../../../server/contacts/visitors.js';
import { availabilityBoard } from '../../../server/realtime/availability.js';
import { fanOut } from '../../../server/realtime/fan-out.js';
import { liveVisitors } from '../../../server/realtime/live-visitors.js';
import { createPresence, type Presence } from '../../../server/realtime/presence.js';
import type { AgentNamespace, VisitorNamespace } from '../../../server/realtime/sockets.js';
import { serveVisitors } from '../../../server/realtime/visitors.js';
import { append } from '../../../server/timeline/append.js';
import { onPublished, publishNotice } from '../../../server/timeline/publish.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import { limits } from '../../../shared/limits.js';
import { message, openSocket, openTab, type Tab, type TestApp, testApp, visitorAuth } from '../http/app.js';
import { aBlock } from '../timeline/drafts.js';

let at: TestApp;
beforeAll(async () => {
  at = await testApp();
});
afterAll(() => at.stop());

describe('a connection', () => {
  it('lets go of the request that it began with, cookies and all', async () => {
    const begun: WeakRef<IncomingMessage>[] = [];
    const { emit } = HttpServer.prototype;
    HttpServer.prototype.emit = function (this: HttpServer, ...args: Parameters<typeof emit>) {
      const [name, request] = args;
      if (name === 'upgrade') begun.push(new WeakRef(request as IncomingMessage));
      return emit.apply(this, args);
    } as typeof emit;
    onTestFinished(() => {
      HttpServer.prototype.emit = emit;
    });
    const tab = await openTab(at);
    onTestFinished(tab.close);
    expect(begun).toHaveLength(1);
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const left = () => {
      collect();
      return begun.filter((request) => request.deref() !== undefined).length;
    };
    await expect.poll(left, { timeout: 30_000 }).toBe(0);
    expect(tab.socket.connected).toBe(true);
  });
});

describe('S12: one browser', () => {
  it('has no more sockets than it may, also when it asks for all of them at once', async () => {
    const { session, close } = await openTab(at);
    close();
    const open = () => {
      const socket = openSocket(at, '/visitor', visitorAuth(at, { token: session.token }));
      const answer = new Promise<string>((resolve) => {
        socket.once('connect', () => resolve('admitted'));
        socket.once('connect_error', ({ message }) => resolve(message));
      });
      return { socket, answer };
    };
    const asked = Array.from({ length: limits.visitorSocketsPerContact * 3 }, open);
    const answers = await Promise.all(asked.map(({ answer }) => answer));
    const admitted = answers.filter((answer) => answer === 'admitted').length;
    // The first tab may not be gone yet when these come.
    expect(admitted).toBeGreaterThanOrEqual(limits.visitorSocketsPerContact - 1);
    expect(admitted).toBeLessThanOrEqual(limits.visitorSocketsPerContact);
    expect(new Set(answers)).toEqual(new Set(['admitted', 'rate_limited']));
    for (const { socket } of asked) socket.close();
    // Each place is free again when its socket is closed.
    await expect
      .poll(
        async () => {
          const { socket, answer } = open();
          const said = await answer;
          socket.close();
          return said;
        },
        { timeout: 30_000 },
      )
      .toBe('admitted');
  });
});

/** Visitors' sockets on their own: once, after a browser was looked up and before it is in its rooms, `meanwhile` happens. */
async function serveWith(meanwhile: () => Promise<void>): Promise<TestApp & { presence: Presence }> {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'] });
  const visitors: VisitorNamespace = io.of('/visitor');
  const agents: AgentNamespace = io.of('/agent');
  const presence = createPresence(() => {});
  const live = liveVisitors(agents, visitors, presence, { isOpen: () => false });
  const availability = availabilityBoard({ of: () => [] }, visitors);
  let happens: (() => Promise<void>) | null = meanwhile;
  const request = async () => {
    const now = happens;
    happens = null;
    await now?.();
  };
  serveVisitors(visitors, {
    secretKey: at.secretKey,
    rates: { ...visitorRates(null), request },
    availability: availability.of,
    live,
    presence,
    addressOf: () => '127.0.0.1',
  });
  const endFanOut = fanOut({ agents, visitors, availability });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    endFanOut();
    live.close();
    availability.close();
    await io.close();
  });
  return { ...at, presence, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

describe('a browser that, while it is admitted,', () => {
  const comesBack = async (meanwhile: (visitor: Tab) => Promise<void>) => {
    const visitor = await openTab(at);
    onTestFinished(visitor.close);
    return { token: visitor.session.token, on: await serveWith(() => meanwhile(visitor)) };
  };

  it('is blocked, is refused like one that was here before', async () => {
    const { token, on } = await comesBack(async ({ session: { contactId } }) => {
      const told = new Promise<void>((resolve) => {
        const end = onPublished(({ event }) => {
          if (event.kind !== 'contact_blocked') return;
          end();
          resolve();
        });
      });
      await append(systemScope(at.workspaceId), aBlock(contactId));
      await told;
    });
    const tab = await openTab(on, { token });
    expect(await tab.ask('message:send', message('spam'))).toMatchObject({
      ok: false,
      error: { code: 'blocked' },
    });
    tab.close();
  });

  it('is signed out, is told so and has no session', async () => {
    const { token, on } = await comesBack(async ({ session: { contactId, token } }) => {
      const { workspaceId, secretKey } = at;
      const { visitorId } = readVisitorToken(secretKey, token);
      await forgetVisitor({ workspaceId }, visitorId);
      publishNotice({ type: 'signed-out', workspaceId, contactId, visitorId });
    });
    const socket = openSocket(on, '/visitor', visitorAuth(on, { token }));
    const told: string[] = [];
    socket.onAny((name: string) => told.push(name));
    await new Promise((resolve) => socket.once('disconnect', resolve));
    expect(told).toEqual(['signed-out']);
  });
});

it('a browser that became somebody else while it was open leaves nobody behind', async () => {
  const scope = systemScope(at.workspaceId);
  const identity = { type: 'external', value: 'customer-1', proof: 'jwt' } as const;
  const on = await serveWith(async () => {});
  const customer = await openTab(at);
  const tab = await openTab(on);
  onTestFinished(customer.close);
  await proveIdentity(scope, customer.session.contactId, identity);
  const moved = new Promise((resolve) => tab.socket.once('reconnect', resolve));
  await proveIdentity(scope, tab.session.contactId, identity);
  await moved;
  expect(on.presence.count()).toBe(1);
  tab.close();
  await expect.poll(() => on.presence.count(), { timeout: 10_000 }).toBe(0);
});
