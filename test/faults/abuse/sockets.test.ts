import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../shared/limits.js';
import {
  message,
  openDesk,
  openSocket,
  post,
  refusedWith,
  say,
  type Tab,
  visitorAuth,
} from '../../server/http/app.js';
import {
  type Attacked,
  isLong,
  newTab,
  openRaw,
  openTabsOf,
  type Raw,
  somewhereElse,
  startAttacked,
  whileOthersTalk,
} from './attacked.js';

/**
 * What strangers do to a server's sockets, to a real process, while others go on talking. Nothing here is about
 * milliseconds: the process lives, its memory is bounded, whoever does it is told why, and everybody else is served.
 */
let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
  // Once through everything, so that what is loaded and compiled on the way is no growth of memory.
  await whileOthersTalk(attacked, async () => undefined);
});
afterAll(async () => {
  expect(attacked.server.output()).not.toMatch(/uncaught|unhandled|request on a socket failed/i);
  await attacked.remove();
});

/** Far more than what is bounded needs, far less than what is kept for each byte that was sent. */
const roomForMemory = 100 * 1024 * 1024;

/** Looks at the memory for as long as the work takes. */
async function withinMemory<T>(work: () => Promise<T>, room = roomForMemory): Promise<T> {
  const before = attacked.memoryBytes();
  let highest = before;
  const look = setInterval(() => {
    highest = Math.max(highest, attacked.memoryBytes());
  }, 50);
  try {
    return await work();
  } finally {
    clearInterval(look);
    expect(highest - before).toBeLessThan(room);
  }
}

describe('S3: packets over the limit', () => {
  it('close their own connections, are not kept, and nobody else feels it', async () => {
    const packet = `42/visitor,["page",{"url":"${'x'.repeat(1024 * 1024)}"}]`;
    await whileOthersTalk(attacked, () =>
      withinMemory(async () => {
        for (let round = 0; round < (isLong ? 50 : 2); round += 1) {
          const sockets = await Promise.all(Array.from({ length: 20 }, () => openRaw(attacked.at)));
          for (const { socket } of sockets) socket.send(packet);
          for (const { closed } of sockets) expect((await closed).code).toBe(1009);
        }
        const { socket, closed } = await openRaw(attacked.at);
        socket.send('x'.repeat(limits.packetBytes + 1));
        expect((await closed).code).toBe(1009);
      }),
    );
  });
});

describe('S6: frames that no client sends', () => {
  const frames = [
    '451-["x",{"_placeholder":true,"num":9}]',
    '450-[]',
    '4[',
    '42["disconnect"]',
    '42["connect_error"]',
    '42["newListener"]',
    '42/visitor,["constructor"]',
    '42/visitor,["__proto__",{}]',
    '42/visitor,["toString"]',
    '451-/visitor,["page",{"_placeholder":true,"num":0}]',
    '43/visitor,1[]',
    '47',
    'b4AAA',
    '2probe',
    '6',
    '',
    '[',
  ];

  it('end their own connections at most, hundreds of them at once too', async () => {
    await whileOthersTalk(attacked, () =>
      withinMemory(async () => {
        for (const frame of frames) {
          const sockets = await Promise.all(
            Array.from({ length: isLong ? 20 : 3 }, () => openRaw(attacked.at)),
          );
          for (const { socket } of sockets) {
            socket.send(`40/visitor,${JSON.stringify(visitorAuth(attacked.at, { token: 'none' }))}`);
            for (let n = 0; n < 20; n += 1) socket.send(frame);
            socket.send(Buffer.from(frame));
            socket.close();
          }
          await Promise.all(sockets.map(({ closed }) => closed));
        }
      }),
    );
  });
});

describe('S7: 10,000 events a second from one socket', () => {
  it('are limited, refused in words, and end the connection with the reason; it may come again and fares the same', async () => {
    const { session, close } = await newTab(attacked.at);
    close();
    const before = await attacked.figures();
    const rounds = isLong ? 30 : 2;
    await whileOthersTalk(attacked, () =>
      withinMemory(async () => {
        for (let round = 0; round < rounds; round += 1) {
          const { socket, heard, closed } = await openRaw(
            attacked.at,
            round === 0 ? { token: session.token } : {},
          );
          let isClosed = false;
          const ended = closed.then((end) => {
            isClosed = true;
            return end;
          });
          for (let n = 0; n < 100_000 && !isClosed; n += 1_000) {
            for (let at = n; at < n + 1_000; at += 1) {
              socket.send(`42/visitor,${at}["page",{"url":"/${at}","title":""}]`);
            }
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
          expect(await ended).toEqual({ code: 1008, reason: 'rate_limited' });
          const refused = heard.find(
            (text) => text.startsWith('43/visitor') && text.includes('rate_limited'),
          );
          expect(refused).toMatch(/"retryAfterMs":\d+/);
        }
      }),
    );
    const after = await attacked.figures();
    const taken = 'threadline_requests_total{kind="visitor",outcome="ok"}';
    // What each browser may ask for, and what the neighbours said.
    const neighbours = 1_000;
    expect((after.get(taken) ?? 0) - (before.get(taken) ?? 0)).toBeLessThan(rounds * 600 + neighbours);
  });

  it('is no different for what needs no namespace: pings, heartbeats, asking for namespaces', async () => {
    await whileOthersTalk(attacked, () =>
      withinMemory(async () => {
        for (const flood of ['ping', '3', '40/nowhere,{}'] as const) {
          const { socket, closed } = await openRaw(attacked.at);
          for (let n = 0; n < limits.connectionPackets + 100; n += 1) {
            if (flood === 'ping') socket.ping();
            else socket.send(flood);
          }
          expect([flood, await closed]).toEqual([flood, { code: 1008, reason: 'rate_limited' }]);
        }
      }),
    );
  });
});

describe('S9: a client that never acknowledges', () => {
  it('is never waited for: no notice asks for an acknowledgement, and nothing of them is kept', async () => {
    const { at, owner } = attacked;
    const { socket, heard } = await openRaw(at, {});
    const token = /"token":"([^"]+)"/.exec(heard.join())?.[1] ?? '';
    const writer = await newTab(at, { token });
    const { conversationId } = await say(writer, 'hello');
    const agent = await openDesk(at, owner.accessToken);
    const timers = async () => (await attacked.figures()).get('nodejs_active_resources{type="Timeout"}') ?? 0;
    const before = await timers();
    const notices = isLong ? 10_000 : 300;
    await withinMemory(async () => {
      for (let sent = 0; sent < notices; sent += 50) {
        const asked = Array.from({ length: 50 }, (_, n) =>
          n === 0
            ? agent.ask('message:send', { ...message(`${sent}`, conversationId), mode: 'reply' })
            : agent.ask('typing', { conversationId, typing: n % 2 === 0 }),
        );
        for (const answer of await Promise.all(asked)) {
          if (answer.ok) continue;
          await new Promise((resolve) => setTimeout(resolve, Number(answer.error.details?.retryAfterMs)));
        }
      }
    });
    const told = () => heard.filter((text) => /^42\/visitor,\["(?:event|typing)"/.test(text)).length;
    await expect.poll(told, { timeout: 30_000 }).toBeGreaterThan(notices / 2);
    // With an id in front of its name a notice would wait for an answer.
    expect(heard.filter((text) => /^4[25]\/visitor,\d/.test(text))).toEqual([]);
    await expect.poll(timers, { timeout: 30_000 }).toBeLessThan(before + 20);
    socket.close();
    writer.close();
    agent.close();
  });
});

describe('S10: readers that stop reading', () => {
  /** A conversation of which one page is more than a megabyte, and how to ask for it. */
  async function longConversation(): Promise<{ writer: Tab; conversationId: string }> {
    const writer = await newTab(attacked.at);
    const { conversationId } = await say(writer, 'start');
    const text = '\u{1f600}'.repeat(limits.messageCodePoints);
    for (let n = 0; n < 40; n += 1) await say(writer, text, conversationId);
    return { writer, conversationId };
  }
  const askFor = ({ socket }: Raw, id: number, conversationId: string, after: number): void =>
    socket.send(
      `42/visitor,${id}["events:read",{"conversationId":"${conversationId}","after":${after},"limit":50}]`,
    );
  const belowOf = ({ socket }: Raw) => (socket as unknown as { _socket: TcpSocket })._socket;
  const figure = async (name: string): Promise<number> => (await attacked.figures()).get(name) ?? 0;
  const waited = { timeout: 30_000 };
  const answers = 'threadline_requests_total{kind="visitor",outcome="ok"}';

  it('leave the live stream and cost no memory; who reads again reads on from its cursor, everything once', {
    timeout: 120_000,
  }, async () => {
    const { at, owner } = attacked;
    const agent = await openDesk(at, owner.accessToken);
    const { writer, conversationId } = await longConversation();
    const reader = await openRaw(at, { token: writer.session.token });
    const behind = 'threadline_slow_readers_total{outcome="behind"}';
    const before = await figure(behind);
    belowOf(reader).pause();
    const sent: number[] = [];
    await withinMemory(async () => {
      // As much as the machine's own buffers take, and then more than we keep.
      const answered = await figure(answers);
      for (let id = 1; id <= 50 && (await figure(behind)) === before; id += 1) {
        askFor(reader, id, conversationId, 0);
        await expect.poll(() => figure(answers), waited).toBe(answered + id);
      }
      expect(await figure(behind)).toBe(before + 1);
      for (let n = 0; n < 20; n += 1) {
        const answer = await agent.ask('message:send', {
          ...message(`while it did not read ${n}`, conversationId),
          mode: 'reply',
        });
        if (!answer.ok) throw new Error(answer.error.code);
        sent.push(answer.event.seq ?? 0);
      }
    });
    belowOf(reader).resume();
    const resync = `42/visitor,["resync",{"conversationId":"${conversationId}"}]`;
    await expect.poll(() => reader.heard.includes(resync), waited).toBe(true);
    expect(reader.heard.filter((frame) => frame.includes('while it did not read'))).toEqual([]);
    askFor(reader, 900, conversationId, (sent[0] ?? 0) - 1);
    const page = () => reader.heard.find((frame) => frame.startsWith('43/visitor,900['));
    await expect.poll(page, waited).toBeDefined();
    const read = [...(page() ?? '').matchAll(/"seq":(\d+)/g)].map((found) => Number(found[1]));
    expect(read).toEqual(sent);
    // And it is live again.
    await agent.ask('message:send', { ...message('now it reads', conversationId), mode: 'reply' });
    const again = () => reader.heard.filter((frame) => frame.includes('now it reads')).length;
    await expect.poll(again, waited).toBe(1);
    expect(await figure('threadline_slow_readers_total{outcome="resynced"}')).toBeGreaterThan(0);
    for (const one of [reader.socket, agent, writer]) one.close();
  });

  it('and ask for more and more are cut off', { timeout: 120_000 }, async () => {
    const { writer, conversationId } = await longConversation();
    const greedy = await openRaw(attacked.at, { token: writer.session.token });
    belowOf(greedy).pause();
    const open = 'threadline_connections{kind="visitor"}';
    const before = await figure(open);
    await withinMemory(async () => {
      for (let id = 0; id < 100; id += 1) askFor(greedy, id, conversationId, 0);
      await expect.poll(() => figure(open), waited).toBeLessThan(before);
    });
    belowOf(greedy).resume();
    await greedy.closed;
    await say(writer, 'still here', conversationId);
    writer.close();
  });
});

describe('S11: many who come and go', () => {
  it('leave nothing behind: connections, rooms, presence and timers are back where they were', {
    timeout: isLong ? 900_000 : 120_000,
  }, async () => {
    const { at } = attacked;
    const gauges = [
      'threadline_connections{kind="visitor"}',
      'threadline_rooms',
      'threadline_present_contacts',
    ];
    const state = async () => {
      const figures = await attacked.figures();
      return gauges.map((name) => figures.get(name) ?? 0);
    };
    await expect.poll(state, { timeout: 30_000 }).toEqual([0, 0, 0]);
    const heldBefore = attacked.heldConnections();
    const timersOf = async () =>
      (await attacked.figures()).get('nodejs_active_resources{type="Timeout"}') ?? 0;
    const timersBefore = await timersOf();
    const visitors = await Promise.all(Array.from({ length: isLong ? 500 : 8 }, () => newTab(at)));
    const perVisitor = limits.visitorSocketsPerContact - 1;
    // What a socket itself takes, and what everybody may.
    const room = roomForMemory + visitors.length * limits.visitorSocketsPerContact * 32 * 1024;
    const idle = await withinMemory(async () => {
      const opened: { close(): void }[] = [...visitors];
      for (const { session } of visitors) opened.push(...(await openTabsOf(at, session.token, perVisitor)));
      return opened;
    }, room);
    expect((await state())[0]).toBe(idle.length);
    expect(attacked.heldConnections()).toBeGreaterThanOrEqual(idle.length);
    // One more of somebody who has as many as may be is told so.
    const full = visitors[0]?.session.token;
    expect(
      await refusedWith(openSocket(at, '/visitor', visitorAuth(at, { token: full }), somewhereElse(at))),
    ).toBe('rate_limited');
    // Among all of them a newcomer is let in and heard.
    const newcomer = await newTab(at);
    await say(newcomer, 'is there room');
    newcomer.close();
    for (const one of idle) one.close();
    for (let round = 0; round < (isLong ? 40 : 2); round += 1) {
      const comers = await Promise.all(
        visitors.map(({ session }) => openTabsOf(at, session.token, isLong ? 1 : 5)),
      );
      for (const one of comers.flat()) one.close();
    }
    await expect.poll(state, { timeout: 30_000 }).toEqual([0, 0, 0]);
    await expect.poll(attacked.heldConnections, { timeout: 30_000 }).toBeLessThan(heldBefore + 20);
    await expect.poll(timersOf, { timeout: 30_000 }).toBeLessThan(timersBefore + 20);
  });
});

describe('S12: namespaces', () => {
  it('are refused by the thousand, and a visitor’s secret opens none of the agents’', async () => {
    const { at } = attacked;
    const { session, close } = await newTab(at);
    const auth = { protocol: 1, accessToken: session.token, workspaceId: at.workspaceId };
    expect(await refusedWith(openSocket(at, '/agent', auth, somewhereElse(at)))).toBe('unauthorized');
    close();
    await whileOthersTalk(attacked, () =>
      withinMemory(async () => {
        for (let round = 0; round < (isLong ? 50 : 3); round += 1) {
          const { socket, heard, closed } = await openRaw(at);
          for (let n = 0; n < 1_000; n += 1) socket.send(`40/n${round}-${n},{}`);
          const refusals = () => heard.filter((text) => text.startsWith('44/n')).length;
          await expect.poll(refusals, { timeout: 30_000 }).toBe(1_000);
          expect(heard.some((text) => text.startsWith('40/n'))).toBe(false);
          socket.close();
          await closed;
        }
      }),
    );
  });
});

describe('W11: 500 new visitors from one address', () => {
  it('are told to wait; who comes back from there, and who is new elsewhere, is let in', async () => {
    const { at } = attacked;
    const crowd = { origin: at.app.publicUrl, 'x-forwarded-for': '203.0.113.9' };
    const known = await newTab(at);
    await whileOthersTalk(attacked, async () => {
      let admitted = 0;
      let refused = 0;
      for (let n = 0; n < (isLong ? 500 : 250); n += 50) {
        const answers = await Promise.all(
          Array.from({ length: 50 }, () => post(at, '/v1/visitor/session', visitorAuth(at), crowd)),
        );
        for (const { status, body, headers } of answers) {
          if (status === 200) admitted += 1;
          else {
            refused += 1;
            expect(body.error).toMatchObject({ code: 'rate_limited', retry: 'same' });
            expect(body.error?.details?.retryAfterMs).toBeGreaterThan(0);
            expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
          }
        }
      }
      // A slow machine may need more than one window for all of them.
      expect(admitted).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(50);
      expect(await refusedWith(openSocket(at, '/visitor', visitorAuth(at), crowd))).toBe('rate_limited');
      for (let n = 0; n < 30; n += 1) {
        const back = await post(
          at,
          '/v1/visitor/session',
          visitorAuth(at, { token: known.session.token }),
          crowd,
        );
        expect(back.status).toBe(200);
      }
      const elsewhere = await newTab(at);
      await say(elsewhere, 'new, and from elsewhere');
      elsewhere.close();
    });
    known.close();
  });
});

describe('frames in pieces', () => {
  it('that never end hold no memory: a message of many fragments is cut at the limit', async () => {
    const { at } = attacked;
    await withinMemory(async () => {
      const socket = connect(Number(new URL(at.url).port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(
        `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\norigin: ${at.app.publicUrl}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );
      await once(socket, 'data');
      const closed = once(socket, 'close');
      socket.resume();
      const length = 60_000;
      const fragment = (first: number) =>
        Buffer.concat([
          Buffer.from([first, 0x80 | 126, length >> 8, length & 0xff, 0, 0, 0, 0]),
          Buffer.alloc(length, 0x61),
        ]);
      socket.write(fragment(0x01));
      for (let n = 0; n < 100; n += 1) socket.write(fragment(0x00));
      await closed;
    });
  });
});
