import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { openTab, say, type TestApp, testApp, toldOf, visitorAuth } from '../http/app.js';

/** What reaches the server below Socket.IO's client: frames, packets and connections that no client of ours makes. */

let at: TestApp;
beforeAll(async () => {
  at = await testApp({ LIMITS: 'off' });
});
afterAll(() => at.stop());

const path = '/socket.io/?EIO=4&transport=websocket';

/** A connection whose engine has said hello, and all that it says afterwards. */
async function openEngine(): Promise<{ socket: WebSocket; heard: string[]; closed: Promise<unknown> }> {
  const socket = new WebSocket(`${at.url.replace('http', 'ws')}${path}`, {
    headers: { origin: at.app.publicUrl },
  });
  const heard: string[] = [];
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => undefined);
  socket.on('message', (data) => heard.push(String(data)));
  await expect.poll(() => heard[0]).toMatch(/^0\{/);
  return { socket, heard, closed };
}

/** A WebSocket by hand: what is written afterwards goes out byte by byte. */
async function upgrade(): Promise<{ socket: TcpSocket; closed: Promise<unknown> }> {
  const socket = connect(at.app.port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => undefined);
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: x\r\norigin: ${at.app.publicUrl}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 101 /);
  socket.resume();
  return { socket, closed };
}

const served = async (): Promise<void> => {
  const tab = await openTab(at);
  await say(tab, 'still served');
  tab.close();
};

describe('S12: one connection', () => {
  it('has one socket in a namespace, however often it asks before it is answered', async () => {
    const { socket, heard } = await openEngine();
    const connectPacket = `40/visitor,${JSON.stringify(visitorAuth(at))}`;
    for (let n = 0; n < 100; n += 1) socket.send(connectPacket);
    const answers = (kind: string) => heard.filter((text) => text.startsWith(`${kind}/visitor,`));
    await expect.poll(() => answers('40').length + answers('44').length).toBe(100);
    expect(answers('40')).toHaveLength(1);
    expect(answers('44').every((text) => text.includes('already_exists'))).toBe(true);
    await expect.poll(() => heard.join()).toContain('"session"');
    // Told once, not a hundred times.
    const session = JSON.parse(
      heard.find((text) => text.startsWith('42/visitor,["session"'))?.slice(11) ?? '[]',
    )[1];
    const tab = await openTab(at, { token: session.token });
    await say(tab, 'heard once');
    await expect.poll(() => heard.filter((text) => text.includes('heard once')).length).toBe(1);
    expect(toldOf(tab, 'session')).toHaveLength(1);
    tab.close();
    // It may leave and come again; Socket.IO closes a connection that does both in one breath.
    socket.send('41/visitor,');
    await served();
    socket.send(connectPacket);
    await expect.poll(() => answers('40').length).toBe(2);
    socket.close();
  });

  it('that was refused may ask again, with a better token', async () => {
    const { socket, heard } = await openEngine();
    socket.send(`40/visitor,${JSON.stringify(visitorAuth(at, { token: 'forged' }))}`);
    await expect.poll(() => heard.join()).toContain('unauthorized');
    socket.send(`40/visitor,${JSON.stringify(visitorAuth(at))}`);
    await expect.poll(() => heard.join()).toContain('40/visitor,{"sid"');
    socket.close();
  });
});

describe('S6: packets with attachments that are none', () => {
  it.each([
    [
      'a placeholder whose bytes never come',
      ['451-/visitor,["page",{"_placeholder":true,"num":0}]', '42/visitor,["page"]'],
    ],
    ['more attachments than there can be', ['459999999999-/visitor,["page"]']],
    ['a negative number of them', ['45-1-/visitor,["page"]']],
    ['a placeholder beyond them', ['451-/visitor,["page",{"_placeholder":true,"num":9}]', Buffer.from('x')]],
    [
      'one that is no number',
      ['451-/visitor,["page",{"_placeholder":true,"num":"constructor"}]', Buffer.from('x')],
    ],
    ['bytes that belong to nothing', [Buffer.alloc(1_000, 1)]],
    [
      'an acknowledgement of what was never asked',
      ['43/visitor,0[]', '43/visitor,99999999999999999999[{}]', '461-/visitor,1[]'],
    ],
    ['a packet of another kind', ['47/visitor,[]', '4', '40', '5', '6', '2probe', 'b', 'bAAAA']],
  ])('%s: ends its own connection at most', async (_what, packets) => {
    const { socket } = await openEngine();
    socket.send(`40/visitor,${JSON.stringify(visitorAuth(at))}`);
    for (const packet of packets) socket.send(packet);
    await served();
    expect((await fetch(`${at.url}/healthz`)).status).toBe(200);
    socket.terminate();
  });

  it('thousands of acknowledgements of what was never asked are nothing', async () => {
    const { socket } = await openEngine();
    socket.send(`40/visitor,${JSON.stringify(visitorAuth(at))}`);
    for (let n = 0; n < 5_000; n += 1) socket.send(`43/visitor,${n}[{"a":${n}}]`);
    await served();
    socket.close();
  });

  it('bytes in a request are taken for what they are: no text, no id', async () => {
    const { socket, heard } = await openEngine();
    socket.send(`40/visitor,${JSON.stringify(visitorAuth(at))}`);
    await expect.poll(() => heard.join()).toContain('"session"');
    socket.send(
      '451-/visitor,7["message:send",{"clientId":"abcdefgh","conversationId":null,"text":{"_placeholder":true,"num":0},"attachments":[],"waitedMs":0}]',
    );
    socket.send(Buffer.from('hello'));
    await expect
      .poll(() => heard.join())
      .toMatch(/43\/visitor,7\[\{"ok":false,"error":\{"code":"bad_request"/);
    socket.close();
  });
});

describe('frames that are no WebSocket’s', () => {
  const masked = (first: number, length: number[]) => Buffer.from([first, ...length, 0, 0, 0, 0]);
  it.each([
    ['not masked', Buffer.from([0x81, 0x02, 0x34, 0x30])],
    ['of a kind that does not exist', masked(0x83, [0x80])],
    ['with reserved bits', masked(0xf1, [0x80])],
    ['longer than can be', masked(0x81, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['longer than a packet may be', masked(0x81, [0xff, 0, 0, 0, 0, 0x40, 0, 0, 0])],
    ['a ping longer than a ping may be', masked(0x89, [0xfe, 0x10, 0x00])],
    ['text that is not UTF-8', Buffer.concat([masked(0x81, [0x82]), Buffer.from([0xff, 0xfe])])],
    ['a continuation of nothing', masked(0x80, [0x80])],
    ['HTTP in the middle', Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')],
  ])('%s: close their own connection', async (_what, bytes) => {
    const { socket, closed } = await upgrade();
    socket.write(bytes);
    await closed;
    expect((await fetch(`${at.url}/healthz`)).status).toBe(200);
  });

  it('an engine connection that asks for no namespace, or was refused, is closed soon; one that was admitted stays', async () => {
    const began = performance.now();
    const [silent, chatty, refused, admitted] = await Promise.all([
      openEngine(),
      openEngine(),
      openEngine(),
      openEngine(),
    ]);
    chatty.socket.send('42["page"]');
    for (const path of ['/nowhere', '/visitor', '/agent']) refused.socket.send(`40${path},{}`);
    admitted.socket.send('40/nowhere,{}');
    admitted.socket.send(`40/visitor,${JSON.stringify(visitorAuth(at))}`);
    await Promise.all([silent.closed, chatty.closed, refused.closed]);
    // Before the engine misses an answer to its ping, and long before Socket.IO looks.
    expect(performance.now() - began).toBeLessThan(35_000);
    expect(refused.heard.filter((text) => text.startsWith('44/'))).toHaveLength(3);
    expect(admitted.socket.readyState).toBe(WebSocket.OPEN);
    admitted.socket.close();
    await served();
  });

  it.each(['/', '/api/me', '/v1/visitor/events', '/socket.io/../x'])(
    'an upgrade at %s leads nowhere',
    async (target) => {
      const socket = connect(at.app.port, '127.0.0.1');
      const answer: string[] = [];
      socket.on('data', (data) => answer.push(String(data)));
      socket.on('error', () => undefined);
      socket.write(
        `GET ${target} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );
      await once(socket, 'close');
      expect(answer.join()).not.toMatch(/^HTTP\/1\.1 101/);
    },
  );
});
