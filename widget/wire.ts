import type { ErrorReply } from '../shared/errors.js';

/**
 * A client for Socket.IO v5 over Engine.IO v4, WebSocket and JSON alone: the visitors' namespace, acknowledgements,
 * heartbeat, and a reconnect that never gives up. What it does not do (polling, binary, other namespaces) the widget does
 * not need.
 */
export interface WireOptions {
  /** `wss://host/`. */
  url: string;
  /** Asked at each connect. */
  auth: () => Promise<object>;
  /** The server's first word came: nobody on the way holds WebSocket back. */
  onReached?: () => void;
  /** Two attempts in a row came to nothing, or one hangs: somebody on the way may hold WebSocket back. */
  onStuck?: () => void;
  onClose: () => void;
  onNotice: (name: string, data: never) => void;
  /** The handshake was refused. @returns whether to try again */
  onRefused: (error: ErrorReply | undefined) => boolean;
  random?: () => number;
  makeSocket?: (url: string) => WebSocket;
}

export interface Wire {
  /** Resolves with the acknowledgement; rejects when the connection ends before it or none comes in time. */
  request: (name: string, body: object) => Promise<unknown>;
  /** Connect now: there is no connection before the first time. */
  wake: () => void;
  /** No connection until `wake`: a page in the back-forward cache must hold no socket. */
  sleep: () => void;
}

const prefix = '/visitor,';
const answerWithinMs = 15_000;
/** An attempt without a word of the server's for so long hangs. It goes on: the network may only be slow. */
const hangsAfterMs = 4_000;
const longestPauseMs = 30_000;

export function openWire(options: WireOptions): Wire {
  const { random = Math.random, makeSocket = (url) => new WebSocket(url) } = options;
  let socket: WebSocket | null = null;
  let isReached = false;
  let isOpen = false;
  let failures = 0;
  let nextAck = 0;
  let pauseTimer: ReturnType<typeof setTimeout> | undefined;
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;
  let stuckTimer: ReturnType<typeof setTimeout> | undefined;
  /** Longer silence than this means that the connection is dead, whatever the socket says. */
  let silenceMs = 45_000;
  const waiting = new Map<string, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();

  const hearSilence = (): void => {
    clearTimeout(silenceTimer);
    silenceTimer = setTimeout(() => drop(true), silenceMs);
  };

  function connect(): void {
    clearTimeout(pauseTimer);
    if (socket) return;
    const made = makeSocket(`${options.url}socket.io/?EIO=4&transport=websocket`);
    socket = made;
    isReached = false;
    hearSilence();
    stuckTimer = setTimeout(() => options.onStuck?.(), hangsAfterMs);
    made.onmessage = ({ data }) => {
      if (socket !== made || typeof data !== 'string') return;
      hearSilence();
      hear(made, data);
    };
    made.onclose = () => socket === made && drop(true);
  }

  function hear(from: WebSocket, packet: string): void {
    const type = packet[0];
    if (type === '2') from.send('3');
    else if (type === '1') drop(true);
    else if (type === '0') {
      const { pingInterval, pingTimeout }: { pingInterval: number; pingTimeout: number } = JSON.parse(
        packet.slice(1),
      );
      silenceMs = pingInterval + pingTimeout;
      hearSilence();
      isReached = true;
      clearTimeout(stuckTimer);
      options.onReached?.();
      options.auth().then(
        (auth) => socket === from && from.send(`40${prefix}${JSON.stringify(auth)}`),
        () => socket === from && drop(true),
      );
    } else if (type === '4') hearMessage(packet);
  }

  function hearMessage(packet: string): void {
    const [, type, id = '', payload = ''] = /^4(.)(?:\/visitor,)?(\d*)(.*)/s.exec(packet) ?? [];
    switch (type) {
      case '0':
        isOpen = true;
        failures = 0;
        return;
      case '1':
        // The server ended the session but not the network: it wants us back.
        return drop(true);
      case '2': {
        const [name, data]: [string, never] = JSON.parse(payload);
        return options.onNotice(name, data);
      }
      case '3': {
        const [answer]: unknown[] = JSON.parse(payload);
        return waiting.get(id)?.resolve(answer);
      }
      case '4': {
        const { data }: { data?: ErrorReply } = JSON.parse(payload);
        const wait = Number(data?.details?.retryAfterMs ?? 0);
        return drop(options.onRefused(data), wait);
      }
    }
  }

  /** Full jitter: a server that comes back must not meet all of its clients at once. */
  function drop(isComingBack: boolean, atLeastMs = 0): void {
    const old = socket;
    socket = null;
    clearTimeout(silenceTimer);
    clearTimeout(stuckTimer);
    clearTimeout(pauseTimer);
    if (old) {
      old.onclose = null;
      old.close();
    }
    for (const { reject } of waiting.values()) reject(new Error('The connection ended.'));
    waiting.clear();
    if (isOpen) {
      isOpen = false;
      options.onClose();
    }
    if (!isComingBack) return;
    pauseTimer = setTimeout(connect, atLeastMs + random() * Math.min(longestPauseMs, 1_000 * 2 ** failures));
    failures += 1;
    if (failures > 1 && !isReached) options.onStuck?.();
  }

  return {
    request(name, body) {
      const id = `${nextAck++}`;
      let timer: ReturnType<typeof setTimeout>;
      return new Promise((resolve, reject) => {
        if (!socket || !isOpen) return reject(new Error('There is no connection.'));
        timer = setTimeout(() => reject(new Error('No answer came.')), answerWithinMs);
        waiting.set(id, { resolve, reject });
        socket.send(`42${prefix}${id}${JSON.stringify([name, body])}`);
      }).finally(() => {
        clearTimeout(timer);
        waiting.delete(id);
      });
    },
    wake() {
      failures = 0;
      if (!isOpen && !socket) connect();
    },
    sleep: () => drop(false),
  };
}
