import type { Server } from 'node:http';
import mongoose from 'mongoose';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../shared/errors.js';
import { agentMailJob } from './agents/mail.js';
import { makeSetupLink } from './agents/setup.js';
import { throttle } from './agents/throttle.js';
import { pollsWaiting } from './channels/chat/long-poll.js';
import { noRates, visitorRates } from './channels/chat/rates.js';
import { emailDraft } from './channels/email/reply.js';
import { emailSending } from './channels/email/send.js';
import type { Config } from './config.js';
import type { ReplyPorts } from './conversations/send.js';
import { openBlobs } from './files/blobs.js';
import { createHttpApp, createHttpServer, listen } from './http/server.js';
import { productVersion } from './http/version.js';
import { bullQueue } from './jobs/bull.js';
import { jobFigures } from './jobs/figures.js';
import { startJobs } from './jobs/queue.js';
import { mongooseJobs } from './jobs/store.js';
import { log } from './log.js';
import { lookAt } from './observe/metrics.js';
import { observe } from './observe/observe.js';
import type { Spans } from './observe/spans.js';
import { followEvents } from './realtime/follow.js';
import { createRealtime, socketsPath } from './realtime/server.js';
import { openRedis } from './redis.js';
import { createStopping } from './stopping.js';
import { followStoreClock, storeNow } from './store/clock.js';
import { openStore } from './store/connect.js';
import { ensureIndexes } from './store/indexes.js';
import { appendsSettled, appendsWaiting } from './timeline/append.js';
import { ensureFirstWorkspace } from './workspaces/first.js';

export interface App {
  /** The address that browsers reach it at; with port 0 the port that was given. */
  publicUrl: string;
  port: number;
  version: string;
  store: 'embedded' | 'mongodb';
  /** The one-time link by which the first owner is made; null when there is one. */
  setupLink: () => Promise<string | null>;
  /** Stops within 10 s: takes nothing new, hands clients over, finishes what was begun. */
  close: () => Promise<void>;
}

/** What a stop waits for before it goes on without. Longer than clients take to go to another process. */
const drainMs = 5_000;

/** Puts the parts together and starts them: store, indexes, jobs, sockets, HTTP. The one place that knows all of them. */
export async function startApp(given: Config): Promise<App> {
  log.level = given.logLevel;
  const store = await openStore({
    dataDir: given.dataDir,
    ...(given.mongodbUri !== undefined && { mongodbUri: given.mongodbUri }),
    onFailure: (problem) => log.error({ problem }, 'the embedded store failed at a command'),
  });
  const stopping = createStopping();
  stopping.closes(() => store.close());
  try {
    await ensureIndexes(Object.values(mongoose.models));
    const endClock = await followStoreClock();
    stopping.closes(async () => endClock());
    await openBlobs({ dataDir: given.dataDir, mongodbUri: given.mongodbUri });
    const http = createHttpServer();
    const port = await listen(http, given);
    stopping.drains(() => closeServer(http));
    // The last appends are those of requests that were under way.
    stopping.closes(appendsSettled);
    const config = withPort(given, port);
    const redis = config.redisUrl === undefined ? null : openRedis(config.redisUrl);
    stopping.closes(async () => redis?.close());

    let isReady = false;
    const rates = config.limits === 'off' ? noRates : visitorRates(redis?.client ?? null);
    const reply: ReplyPorts = {
      emailDraft: (scope, conversation, agentReply) => emailDraft(scope, conversation, agentReply, config),
    };
    const realtime = createRealtime(http, {
      secretKey: config.secretKey,
      trustProxy: config.trustProxy,
      publicUrl: () => config.publicUrl,
      rates,
      countsPackets: config.limits !== 'off',
      countAgentRequest: config.limits === 'off' ? async () => {} : agentRequests(),
      reply,
      redis,
    });
    stopping.drains(() => realtime.close());
    const version = productVersion();
    const observer = observe(config.tracing ? await loadSpans(config.tracing, version) : null);
    stopping.closes(() => observer.close());
    const stopLooking = lookAt({
      connections: () => ({ ...realtime.connections(), poll: pollsWaiting() }),
      occupied: realtime.occupied,
      appendsWaiting,
      storePing,
      jobs: () => jobFigures(mongooseJobs, storeNow()),
    });
    stopping.closes(async () => stopLooking());
    const follower = followEvents({
      report: ({ error }) => log.warn({ err: error }, 'the change stream broke off'),
    });
    stopping.closes(() => follower.close());
    const answer = createHttpApp({
      config,
      throttle: throttle(redis?.client ?? null),
      health: {
        version,
        store: store.kind,
        isReady: () => isReady && !stopping.isStopping(),
        storeAnswers: async () => (await storePing()) !== null,
      },
      chat: {
        secretKey: config.secretKey,
        rates,
        availability: realtime.availability,
        live: realtime.live,
        onStop: stopping.onStop,
      },
      console: {
        visitOf: realtime.visitOf,
        isOnline: async (workspaceId, contactIds) =>
          (await realtime.visitOf(workspaceId, contactIds)) !== null,
        isEmailConfigured: () => config.smtpUrl !== undefined,
        ...reply,
      },
    });
    http.on('request', (req, res) => {
      // The sockets' server answers what comes there, be it with a refusal: nothing must be answered twice.
      if (req.url?.startsWith(socketsPath)) return;
      // A connection that is kept would be asked again where nobody answers soon.
      if (stopping.isStopping()) res.setHeader('connection', 'close');
      answer(req, res);
    });
    await ensureFirstWorkspace(config);
    const sending = emailSending(config);
    stopping.closes(async () => sending.close());
    const jobs = startJobs(observer.jobs([agentMailJob(config), ...sending.jobs]), {
      report: ({ what, job, error }) => log.warn({ what, job, err: error }, 'a job needs a look'),
      ...(redis && {
        queue: bullQueue({
          ...redis,
          onError: (error) => log.debug({ err: error }, 'the queue of jobs is away'),
        }),
      }),
    });
    stopping.drains(() => jobs.stop(drainMs));
    isReady = true;

    return {
      publicUrl: config.publicUrl,
      port,
      version,
      store: store.kind,
      setupLink: () => makeSetupLink(config),
      close: stopping.stop,
    };
  } catch (error) {
    await stopping.stop();
    throw error;
  }
}

/** With port 0 the public address is known only now. */
function withPort(config: Config, port: number): Config {
  const url = new URL(config.publicUrl);
  return url.port === '0'
    ? { ...config, port, publicUrl: `${url.protocol}//${url.hostname}:${port}` }
    : config;
}

/** Takes no more connections; what was begun may finish, idle ones are closed, and after a while the rest too. */
async function closeServer(http: Server): Promise<void> {
  const closed = new Promise((resolve) => http.close(resolve));
  http.closeIdleConnections();
  const timer = setTimeout(() => http.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}

/** One console asks far less; a script that runs wild is slowed before it slows others. */
function agentRequests(): (agentId: string) => Promise<void> {
  const limiter = new RateLimiterMemory({ points: 1_200, duration: 10 });
  return async (agentId) => {
    try {
      await limiter.consume(agentId);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new AppError('rate_limited', { retryAfterMs: Math.max(1, refused.msBeforeNext) });
    }
  };
}

/** Loaded only where a collector is named: nobody else waits for it at the start. */
async function loadSpans(tracing: NonNullable<Config['tracing']>, version: string): Promise<Spans> {
  const { startSpans } = await import('./observe/spans.js');
  return startSpans(tracing, version);
}

/** Seconds that the store takes to say that it is there; null when it does not. */
async function storePing(): Promise<number | null> {
  const began = performance.now();
  try {
    await mongoose.connection.db?.command({ ping: 1 }, { timeoutMS: 2_000 });
    const isConnected = mongoose.connection.readyState === mongoose.ConnectionStates.connected;
    return isConnected ? (performance.now() - began) / 1_000 : null;
  } catch (error) {
    log.warn({ err: error }, 'the store does not answer');
    return null;
  }
}
