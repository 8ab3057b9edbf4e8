import { io, type Socket } from 'socket.io-client';
import type { InferInput } from 'valibot';
import { errorCatalogue } from '../../shared/errors.js';
import {
  type Ack,
  type AgentNotices,
  type AgentResults,
  type agentRequests,
  protocolNumber,
} from '../../shared/protocol.js';
import { createSlice, type Slice } from '../state/slice.js';
import { isErrorReply, RequestError } from './request.js';

type AgentRequest = keyof AgentResults & keyof typeof agentRequests;
type RequestBody<N extends AgentRequest> = InferInput<(typeof agentRequests)[N]>;

/** The agent's live connection. Everything above it can be tested against an object of this shape. */
export interface Live {
  /** True between the server's `ready` and the next break. */
  readonly online: Slice<boolean>;
  connect(workspaceId: string): void;
  disconnect(): void;
  /**
   * Sends only while connected: nothing is kept by the socket itself, which would send it again on its own after a
   * break, next to the outbox that does so on purpose.
   * @throws RequestError `unreachable` when there is no connection or no answer
   */
  request<N extends AgentRequest>(name: N, body: RequestBody<N>): Promise<AgentResults[N]>;
  on<N extends keyof AgentNotices>(name: N, listener: (notice: AgentNotices[N]) => void): () => void;
}

const ackTimeoutMs = 15_000;
const offline = () =>
  new RequestError({ code: 'store_unavailable', retry: 'same', message: 'There is no connection.' }, true);

interface LiveOptions {
  /** Where the server is; empty: this page's own origin. */
  url: string;
  accessToken: () => Promise<string>;
  random: () => number;
}

export function createLive(options: LiveOptions): Live {
  const online = createSlice(false);
  const listeners = new Map<string, Set<(notice: never) => void>>();
  let socket: Socket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempts = 0;

  /** Half to the whole of a delay that doubles up to half a minute: many consoles must not come back as one. */
  function reconnectSoon(): void {
    clearTimeout(timer);
    const delay = Math.min(30_000, 500 * 2 ** attempts) * (0.5 + options.random() / 2);
    attempts += 1;
    timer = setTimeout(() => socket?.connect(), delay);
  }

  const live: Live = {
    online,
    connect(workspaceId) {
      live.disconnect();
      const made = io(`${options.url}/agent`, {
        transports: ['websocket'],
        autoConnect: false,
        // Reconnecting is ours: the client's own does not come back from a server's disconnect or a refused handshake.
        reconnection: false,
        auth: (give) => {
          options.accessToken().then(
            (accessToken) => give({ protocol: protocolNumber, accessToken, workspaceId }),
            () => {
              // Without a token there is no handshake to make; the next attempt asks again.
              made.disconnect();
              reconnectSoon();
            },
          );
        },
      });
      socket = made;
      made.on('connect_error', () => {
        online.set(false);
        if (socket === made) reconnectSoon();
      });
      made.on('disconnect', (reason) => {
        online.set(false);
        if (socket === made && reason !== 'io client disconnect') reconnectSoon();
      });
      made.on('ready', () => {
        attempts = 0;
        online.set(true);
      });
      made.on('reconnect', (notice: AgentNotices['reconnect']) => {
        // Until then all goes on here.
        clearTimeout(timer);
        timer = setTimeout(() => {
          online.set(false);
          made.disconnect().connect();
        }, notice.afterMs);
      });
      made.onAny((name: string, notice: unknown) => {
        for (const listener of listeners.get(name) ?? []) listener(notice as never);
      });
      made.connect();
    },
    disconnect() {
      clearTimeout(timer);
      attempts = 0;
      const old = socket;
      socket = null;
      old?.removeAllListeners();
      old?.offAny();
      old?.disconnect();
      online.set(false);
    },
    async request(name, body) {
      if (!socket?.connected || !online.get()) throw offline();
      let answer: unknown;
      try {
        answer = await socket.timeout(ackTimeoutMs).emitWithAck(name, body);
      } catch {
        // No answer in time: it may or may not have arrived. What must not be doubled carries its own id.
        throw offline();
      }
      return unpack(answer) as AgentResults[typeof name];
    },
    on(name, listener) {
      let set = listeners.get(name);
      if (!set) {
        set = new Set();
        listeners.set(name, set);
      }
      set.add(listener as (notice: never) => void);
      return () => set.delete(listener as (notice: never) => void);
    },
  };
  return live;
}

function unpack(answer: unknown): object {
  if (typeof answer === 'object' && answer !== null && 'ok' in answer) {
    const ack = answer as Ack<object>;
    if (ack.ok) return ack;
    if (isErrorReply(ack.error)) throw new RequestError(ack.error);
  }
  throw new RequestError({ code: 'internal', retry: 'same', message: errorCatalogue.internal.message });
}
