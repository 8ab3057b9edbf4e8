import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../shared/limits.js';
import { openSocket, openTab, type TestApp, testApp, visitorAuth } from '../http/app.js';

let at: TestApp;
beforeAll(async () => {
  at = await testApp();
});
afterAll(() => at.stop());

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
