import { request as ask, createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** What a middlebox does to a request for WebSocket. */
export type Upgrades = 'pass' | 'refuse' | 'hang';

/** What stands between browsers and servers: a balancer that takes turns, and a proxy that is in the way. */
export interface Middlebox {
  url: string;
  /** May be changed at any time; what is open already stays. */
  upgrades: Upgrades;
  /** Every connection, of whatever kind, is cut when it is so old. */
  cutAfterMs: number;
  /** Pages of the middlebox's own, by their path: a site that holds the widget. */
  pages: Record<string, string>;
  /** How many WebSockets are open through it. */
  sockets(): number;
  /** What was asked through it so far: `upgrade` and the path, or the method and the path, and the server's number. */
  readonly asked: readonly { what: string; path: string; server: number }[];
  /** How many requests for such a path have no answer yet. */
  waiting(path: RegExp): number;
  /** How many connections were cut because of their age. */
  cuts: number;
  /** Cuts whatever is open, in mid-air. */
  cut(): void;
  close(): Promise<void>;
}

/** Opens one to these ports of this machine, which may be added to; each request goes to the next of them. */
export async function openMiddlebox(
  ports: readonly number[],
  more: Partial<Middlebox> = {},
): Promise<Middlebox> {
  const open = new Set<Socket>();
  const upgraded = new Set<Socket>();
  const unanswered = new Set<IncomingMessage>();
  const asked: { what: string; path: string; server: number }[] = [];
  let turn = 0;
  const next = (what: string, { url: path = '/' }: IncomingMessage): number => {
    const server = turn++ % ports.length;
    asked.push({ what, path, server });
    return ports[server] as number;
  };

  const http = createServer((from, to) => {
    const page = middlebox.pages[from.url ?? ''];
    if (page !== undefined) {
      to.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      return;
    }
    const on = ask({
      host: '127.0.0.1',
      port: next(from.method ?? 'GET', from),
      method: from.method,
      path: from.url,
      headers: from.headers,
      agent: false,
    });
    on.on('response', (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
      answer.on('error', () => to.destroy());
    });
    // A server that is not there: what a balancer says then.
    on.on('error', () => (to.headersSent ? to.destroy() : to.writeHead(502).end()));
    unanswered.add(from);
    to.on('close', () => {
      unanswered.delete(from);
      on.destroy();
    });
    from.pipe(on);
  });
  http.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    const timer = setTimeout(
      () => {
        middlebox.cuts += 1;
        socket.destroy();
      },
      Math.min(middlebox.cutAfterMs, 2 ** 31 - 1),
    );
    socket.on('close', () => {
      clearTimeout(timer);
      open.delete(socket);
    });
  });
  http.on('upgrade', (from: IncomingMessage, socket: Socket, head: Buffer) => {
    const port = next('upgrade', from);
    if (middlebox.upgrades === 'hang') return;
    if (middlebox.upgrades === 'refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const on = connect(port, '127.0.0.1', () => {
      const headers = from.rawHeaders.reduce(
        (text, part, at) => text + part + (at % 2 ? '\r\n' : ': '),
        `GET ${from.url} HTTP/1.1\r\n`,
      );
      on.write(`${headers}\r\n`);
      on.write(head);
      socket.pipe(on).pipe(socket);
      upgraded.add(socket);
    });
    on.on('error', () => socket.destroy());
    on.on('close', () => socket.destroy());
    socket.on('close', () => {
      upgraded.delete(socket);
      on.destroy();
    });
  });

  const middlebox: Middlebox = {
    url: '',
    upgrades: 'pass',
    cutAfterMs: Number.POSITIVE_INFINITY,
    pages: {},
    cuts: 0,
    sockets: () => upgraded.size,
    waiting: (path) => [...unanswered].filter(({ url = '' }) => path.test(url)).length,
    asked,
    cut() {
      for (const socket of open) socket.destroy();
    },
    async close() {
      const closed = new Promise((resolve) => http.close(resolve));
      middlebox.cut();
      await closed;
    },
    ...more,
  };
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  middlebox.url = `http://localhost:${(http.address() as AddressInfo).port}`;
  return middlebox;
}
