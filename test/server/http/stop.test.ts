import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  clientId,
  message,
  next,
  openDesk,
  openTab,
  say,
  signInOwner,
  type TestApp,
  testApp,
} from './app.js';

let at: TestApp;
beforeEach(async () => {
  at = await testApp();
});
afterEach(() => at.stop());

/** A request of which the last line is still to come: its connection is not idle, and outlives the listener. */
async function begun(path: string) {
  const socket = connect(at.app.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`);
  // It has arrived when something sent after it has been answered.
  await fetch(`${at.url}/healthz`);
  return async () => {
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.write('\r\n');
    await once(socket, 'close');
    return answer;
  };
}

describe('a graceful stop', () => {
  it('serves clients until each goes at its own time, and then takes nobody', async () => {
    const owner = await signInOwner(at);
    const [visitor, anna] = [await openTab(at), await openDesk(at, owner.accessToken)];
    const { conversationId } = await say(visitor, 'before');
    const notices = [next(visitor.socket, 'reconnect'), next(anna.socket, 'reconnect')];
    const began = performance.now();
    const stopped = at.app.close();
    for (const notice of await Promise.all(notices)) expect(notice).toEqual({ afterMs: expect.any(Number) });
    await expect(fetch(`${at.url}/healthz`)).rejects.toThrow();
    // Whoever is still here is answered and told.
    const told = next(anna.socket, 'event');
    await say(visitor, 'meanwhile', conversationId);
    expect(await told).toMatchObject({ body: { text: 'meanwhile' } });
    visitor.close();
    anna.close();
    await stopped;
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('acknowledges what was sent before it cuts off who does not leave', async () => {
    const visitor = await openTab(at);
    const gone = next(visitor.socket, 'disconnect');
    const { conversationId } = await say(visitor, 'first');
    const sent = Array.from({ length: 20 }, (_, n) =>
      visitor.ask('message:send', message(`m${n}`, conversationId, { clientId: clientId() })),
    );
    const stopped = at.app.close();
    expect((await Promise.all(sent)).filter(({ ok }) => !ok)).toEqual([]);
    await gone;
    await stopped;
  });

  it('is alive and not ready while it drains', async () => {
    const visitor = await openTab(at);
    const [ready, alive] = [await begun('/readyz'), await begun('/healthz')];
    expect((await fetch(`${at.url}/readyz`)).status).toBe(200);
    const notice = next(visitor.socket, 'reconnect');
    const stopped = at.app.close();
    await notice;
    const answers = await Promise.all([ready(), alive()]);
    expect(answers[0]).toMatch(/^HTTP\/1\.1 503 [\s\S]*\{"ready":false\}$/);
    expect(answers[1]).toMatch(/^HTTP\/1\.1 200 [\s\S]*"status":"ok"/);
    visitor.close();
    await stopped;
  });

  it('answers who waits for events over HTTP at once', async () => {
    const visitor = await openTab(at);
    const { conversationId, seq } = await say(visitor, 'Hello');
    const wait = await begun(
      `/v1/visitor/events?conversationId=${conversationId}&after=${seq} HTTP/1.1\r\nAuthorization: Bearer ${visitor.session.token}\r\nX-Rest:`,
    );
    const answer = wait();
    const began = performance.now();
    visitor.close();
    const stopped = at.app.close();
    expect(await answer).toMatch(/"events":\[\]/);
    expect(performance.now() - began).toBeLessThan(10_000);
    await stopped;
  });
});
