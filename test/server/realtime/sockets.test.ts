import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeInbox } from '../../../server/inboxes/inboxes.js';
import { limits } from '../../../shared/limits.js';
import {
  message,
  next,
  openSocket,
  openTab,
  post,
  refusedWith,
  say,
  type Tab,
  type TestApp,
  testApp,
  toldOf,
  visitorAuth,
} from '../http/app.js';

let at: TestApp;
beforeAll(async () => {
  at = await testApp();
});
afterAll(() => at.stop());

/** Writes a frame as it stands, below Socket.IO's client. `text` follows the engine's own "4". */
const frame = (socket: Socket, text: string): void => {
  socket.io.engine.write(text);
};
/** Resolves with the reason when the socket is closed, or with `open` when it still answers afterwards. */
async function fate(tab: Tab): Promise<'closed' | 'open'> {
  const closed = new Promise<'closed'>((resolve) => tab.socket.once('disconnect', () => resolve('closed')));
  const answered = tab.ask('page', { url: '/', title: '' }).then(
    () => 'open' as const,
    () => 'closed' as const,
  );
  return Promise.race([closed, answered]);
}
const alive = async (): Promise<void> => {
  const tab = await openTab(at);
  await say(tab, 'still served');
  tab.close();
};

describe('S1: a handshake that is none', () => {
  const deep = (levels: number): object => {
    let value: object = {};
    for (let n = 0; n < levels; n += 1) value = [value];
    return value;
  };

  it.each([
    ['missing', {}],
    ['nested', { protocol: { deep: deep(10) } }],
    ['nested over the limit', { protocol: 1, inboxId: deep(100) }],
    ['an operator', { protocol: 1, inboxId: { $gt: '' } }],
    ['a text where a number belongs', { protocol: '1', inboxId: 'x' }],
    ['a field too many', { protocol: 1, inboxId: 'x', role: 'agent' }],
    ['a token over the limit', { protocol: 1, inboxId: 'x', token: 'x'.repeat(limits.tokenBytes + 1) }],
  ])('%s: is refused in words within a second', async (_what, auth) => {
    for (const namespace of ['/visitor', '/agent']) {
      const began = performance.now();
      expect(await refusedWith(openSocket(at, namespace, auth))).toMatch(/^(bad_request|too_deep)$/);
      expect(performance.now() - began).toBeLessThan(1_000);
    }
  });

  it('of an unknown inbox, an old and a newer protocol, with the reply in its data', async () => {
    const codes = [
      ['inbox_not_found', visitorAuth(at, { inboxId: 'nobody' })],
      ['protocol_too_old', visitorAuth(at, { protocol: -1 })],
      ['bad_request', visitorAuth(at, { protocol: 99 })],
      ['unauthorized', visitorAuth(at, { token: 'forged' })],
      ['identity_token_invalid', visitorAuth(at, { identityToken: 'forged' })],
    ] as const;
    for (const [code, auth] of codes) {
      const socket = openSocket(at, '/visitor', auth);
      const error = await new Promise<Error & { data?: unknown }>((resolve) =>
        socket.once('connect_error', resolve),
      );
      socket.close();
      expect(error.message).toBe(code);
      expect(error.data).toMatchObject({ code, retry: expect.any(String), requestId: expect.any(String) });
    }
  });

  it.each([
    ['of 1 MB', { token: 'x'.repeat(1024 * 1024) }],
    ['that is an array', [1, 2]],
  ])('%s ends its own connection', async (_what, auth) => {
    const socket = openSocket(at, '/visitor', auth);
    await new Promise<void>((resolve) => {
      socket.once('connect_error', () => resolve());
      socket.once('disconnect', () => resolve());
      socket.io.once('close', () => resolve());
    });
    socket.close();
    await alive();
  });
});

describe('S2: a foreign page', () => {
  it.each(['https://evil.io', 'null', 'http://localhost.evil.io'])('%s is refused', async (origin) => {
    expect(await refusedWith(openSocket(at, '/visitor', visitorAuth(at), { origin }))).toBe(
      'origin_not_allowed',
    );
    const agent = { protocol: 1, accessToken: 'x', workspaceId: at.workspaceId };
    expect(await refusedWith(openSocket(at, '/agent', agent, { origin }))).toBe('foreign_page');
    expect((await post(at, '/v1/visitor/session', visitorAuth(at), { origin })).status).toBe(403);
  });

  it('is refused also in a second namespace of a connection that the first one admitted', async () => {
    const origin = 'https://shop.example';
    await changeInbox({ workspaceId: at.workspaceId }, at.inbox._id, {
      allowedOrigins: [at.app.publicUrl, origin],
    });
    const visitor = openSocket(at, '/visitor', visitorAuth(at), { origin });
    await next(visitor, 'session');
    const auth = { protocol: 1, accessToken: 'x', workspaceId: at.workspaceId };
    expect(await refusedWith(visitor.io.socket('/agent', { auth }))).toBe('foreign_page');
    visitor.close();
  });

  it('finds no polling, and is answered whatever it asks for there, be it in an open connection’s name', async () => {
    const tab = await openTab(at);
    const paths = [
      '?EIO=4&transport=polling',
      'socket.io.js',
      '?EIO=4&transport=websocket',
      `?EIO=4&transport=websocket&sid=${tab.socket.io.engine.id}`,
    ];
    for (const path of paths) {
      for (const method of ['GET', 'POST']) {
        const answer = await fetch(`${at.url}/socket.io/${path}`, { method });
        expect([method, path, answer.status]).toEqual([method, path, 400]);
        expect(await answer.text()).toContain('Bad request');
      }
    }
    expect(await fate(tab)).toBe('open');
    tab.close();
  });
});

describe('S3: a packet over the limit', () => {
  it('closes its own socket and no other', async () => {
    const [loud, quiet] = [await openTab(at), await openTab(at)];
    const closed = new Promise((resolve) => loud.socket.once('disconnect', resolve));
    frame(loud.socket, `2/visitor,["page",{"url":"${'x'.repeat(limits.packetBytes)}"}]`);
    await closed;
    expect(await fate(quiet)).toBe('open');
    quiet.close();
  });
});

describe('S4: every request with everything wrong', () => {
  it('is refused in words, and nothing is thrown', async () => {
    const tab = await openTab(at);
    const wrong: unknown[] = [
      undefined,
      null,
      0,
      '',
      [],
      {},
      true,
      'text',
      { clientId: 1 },
      { conversationId: { $gt: '' }, after: 0 },
      { conversationId: 'x', after: 'y' },
      { conversationId: 'x', after: -1, before: 1 },
      { ...message('x'), extra: 1 },
      { ...message('x'), text: { $gt: '' } },
      { ...message('x'), attachments: 'no' },
      {
        ...message('x'),
        attachments: Array.from({ length: 11 }, () => ({ fileId: 'x', name: '', type: '', size: 0 })),
      },
      { ...message('x'), waitedMs: -1 },
      { url: 'x'.repeat(3_000), title: '' },
      { email: 'not an address' },
      Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, 1])),
    ];
    const names = ['message:send', 'events:read', 'read', 'typing', 'page', 'claim'] as const;
    for (const name of names) {
      for (const body of wrong) {
        const reply = await tab.ask(name, body);
        if (reply.ok) throw new Error(`${name} took ${JSON.stringify(body).slice(0, 80)}`);
        expect(['bad_request', 'too_large', 'not_found']).toContain(reply.error.code);
      }
    }
    expect(await fate(tab)).toBe('open');
    tab.close();
  });

  it('nested 5,000 deep, with and without an acknowledgement, is refused or closes the socket', async () => {
    const tab = await openTab(at);
    const deep = '['.repeat(5_000) + ']'.repeat(5_000);
    const answers: unknown[] = [];
    tab.socket.io.engine.on('data', (data: unknown) => answers.push(data));
    frame(tab.socket, `2/visitor,["page",${deep}]`);
    frame(tab.socket, `2/visitor,77["page",${deep}]`);
    frame(tab.socket, `2/visitor,78["message:send",{"text":${deep}}]`);
    expect(await fate(tab)).toBe('open');
    expect(answers.join()).toContain('too_deep');
    tab.close();
    await alive();
  });

  it('without an acknowledgement is not answered, and does no harm', async () => {
    const tab = await openTab(at);
    for (const body of [message('no ack'), null, 'x', { a: 1 }]) tab.socket.emit('message:send', body);
    tab.socket.emit('page');
    tab.socket.emit('page', 1, 2, 3);
    expect(await fate(tab)).toBe('open');
    tab.close();
  });
});

describe('S5: keys that reach a prototype', () => {
  it('are refused at every depth of every request', async () => {
    const tab = await openTab(at);
    const answers: string[] = [];
    tab.socket.io.engine.on('data', (data: unknown) => answers.push(String(data)));
    const names = ['message:send', 'events:read', 'read', 'typing', 'page', 'claim', 'sign-out'];
    const hostile = [
      '{"__proto__":{"polluted":1}}',
      '{"constructor":{"prototype":{"polluted":1}}}',
      '{"text":{"a":[{"prototype":{"polluted":1}}]}}',
      '[{"__proto__":{"polluted":1}}]',
    ];
    let id = 100;
    for (const name of names) {
      for (const body of hostile) {
        frame(tab.socket, `2/visitor,${id}["${name}",${body}]`);
        id += 1;
      }
    }
    await expect.poll(() => answers.filter((text) => text.includes('unsafe_key')).length).toBe(id - 100);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(await fate(tab)).toBe('open');
    tab.close();
  });
});

describe('S6: frames that no client of ours sends', () => {
  it.each([
    '51-/visitor,["x",{"_placeholder":true,"num":9}]',
    '50-/visitor,[]',
    '2/visitor,["disconnect"]',
    '2/visitor,["connect_error"]',
    '2/visitor,["newListener"]',
    '2/visitor,["error"]',
    '2/visitor,["constructor"]',
    '2/visitor,["__proto__",{}]',
    '2/visitor,["toString"]',
    '2/visitor,["hasOwnProperty"]',
    '2/visitor,[7]',
    '2/visitor,[{}]',
    '2/visitor,[]',
    '2/visitor,{}',
    '2/visitor,1["page",{"url":"/","title":""}',
    '3/visitor,999[]',
    '9',
    '',
    '[',
    '0/visitor,{"again":1}',
    '2["page"]',
    '2/nowhere,["page"]',
  ])('%j: closed or refused, never a listener of its name', async (text) => {
    const tab = await openTab(at);
    frame(tab.socket, text);
    expect(['open', 'closed']).toContain(await fate(tab));
    tab.close();
    expect((await fetch(`${at.url}/healthz`)).status).toBe(200);
  });

  it('and everybody else is served', alive);
});

describe('S8: rooms', () => {
  it("are the server's to join: no name of an event or a field brings anybody into one", async () => {
    const owner = await openTab(at);
    const { conversationId, contactId } = await say(owner, 'mine');
    const stranger = await openTab(at);
    const { workspaceId } = at;
    const inboxId = at.inbox._id;
    const names = [
      `contact:${workspaceId}:${inboxId}:${contactId}`,
      `workspace:${workspaceId}`,
      conversationId,
      owner.socket.id,
    ];
    for (const event of ['join', 'subscribe', 'room', 'join-room']) {
      for (const room of names) {
        const asked = stranger.socket.timeout(5_000).emitWithAck(event, room);
        expect(await asked).toMatchObject({ ok: false, error: { code: 'not_found' } });
        const withObject = stranger.socket.timeout(5_000).emitWithAck(event, { room, conversationId });
        expect(await withObject).toMatchObject({ ok: false, error: { code: 'not_found' } });
      }
    }
    await say(owner, 'canary-5f1c', conversationId);
    await say(stranger, 'own');
    expect(toldOf(owner, 'event').length).toBeGreaterThan(0);
    expect(JSON.stringify(stranger.told)).not.toContain('canary-5f1c');
    owner.close();
    stranger.close();
  });
});

describe('S12: other namespaces', () => {
  it('are refused, a thousand of them on one connection too', async () => {
    expect(await refusedWith(openSocket(at, '/admin', {}))).toBe('Invalid namespace');
    expect(await refusedWith(openSocket(at, '/', {}))).toBe('not_found');
    const tab = await openTab(at);
    for (let n = 0; n < 1_000; n += 1) frame(tab.socket, `0/n${n},{}`);
    expect(await fate(tab)).toBe('open');
    tab.close();
  });
});

describe('S7: a flood from one socket', () => {
  it('is limited, then closed, while another is served', async () => {
    const [loud, quiet] = [await openTab(at), await openTab(at)];
    const closed = new Promise((resolve) => loud.socket.once('disconnect', resolve));
    for (let n = 0; n < 3_000; n += 1)
      frame(loud.socket, `2/visitor,${n + 1000}["page",{"url":"/","title":""}]`);
    await say(quiet, 'in the middle of it');
    await closed;
    expect(await fate(quiet)).toBe('open');
    quiet.close();
  });
});
