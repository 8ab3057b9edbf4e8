import { describe, expect, test } from 'vitest';
import { createTransport, RequestError } from '../../console/api/request.js';

const session = (accessToken: string) => ({ accessToken, expiresInSeconds: 900, agent: {} });
const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });

/** A transport over made answers; what was asked is kept. */
function made(answer: (path: string, token: string | null) => Response | Promise<Response>) {
  const asked: string[] = [];
  let now = 0;
  let signedOut = 0;
  const transport = createTransport({
    fetch: async (input, init) => {
      asked.push(String(input));
      return answer(String(input), new Headers(init?.headers).get('authorization'));
    },
    now: () => now,
    onSignedOut: () => {
      signedOut += 1;
    },
  });
  return {
    transport,
    asked,
    passTime: (ms: number) => {
      now += ms;
    },
    signedOut: () => signedOut,
  };
}

describe('requests', () => {
  test('many at once ask for one session', async () => {
    const { transport, asked } = made((path) =>
      path.endsWith('refresh') ? json(200, session('t1')) : json(200, { ok: true }),
    );
    await Promise.all([1, 2, 3, 4].map(() => transport.json('GET', '/api/me')));
    expect(asked.filter((path) => path.endsWith('refresh'))).toHaveLength(1);
  });

  test('a token about to end is renewed before it is used', async () => {
    let number = 0;
    const { transport, passTime } = made((path, token) => {
      if (path.endsWith('refresh')) return json(200, session(`t${++number}`));
      return json(200, { token });
    });
    expect(await transport.json('GET', '/x')).toEqual({ token: 'Bearer t1' });
    passTime(880_000);
    expect(await transport.json('GET', '/x')).toEqual({ token: 'Bearer t2' });
  });

  test('a token refused all the same is renewed once, and the request made again', async () => {
    let number = 0;
    const { transport, asked } = made((path, token) => {
      if (path.endsWith('refresh')) return json(200, session(`t${++number}`));
      return token === 'Bearer t2'
        ? json(200, { fine: true })
        : json(401, { error: { code: 'token_expired', retry: 'changed', message: '' } });
    });
    expect(await transport.json('GET', '/x')).toEqual({ fine: true });
    expect(asked).toEqual(['/api/sessions/refresh', '/x', '/api/sessions/refresh', '/x']);
  });

  test('a session that is over says so once; a network that is gone does not', async () => {
    const over = made(() => json(401, { error: { code: 'unauthorized', retry: 'changed', message: '' } }));
    await expect(over.transport.json('GET', '/x')).rejects.toBeInstanceOf(RequestError);
    expect(over.signedOut()).toBe(1);
    const gone = made(() => Promise.reject(new TypeError('network')));
    await expect(gone.transport.json('GET', '/x')).rejects.toMatchObject({ unreachable: true });
    expect(gone.signedOut()).toBe(0);
  });

  test('an answer that is not ours still reads as an error', async () => {
    const { transport } = made((path) =>
      path.endsWith('refresh')
        ? json(200, session('t'))
        : new Response('<h1>Bad gateway</h1>', { status: 502 }),
    );
    await expect(transport.json('GET', '/x')).rejects.toMatchObject({
      unreachable: true,
      reply: { code: 'internal' },
    });
  });
});
