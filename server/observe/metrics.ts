import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * The figures of this process, by Prometheus' conventions; docs/operations.md says what each is for. Only numbers and
 * names of our own stand in them: no id, no address, nothing that a stranger wrote.
 */
export const registry = new Registry();

/** From what a fast disk needs to what a person calls broken. */
const latencyBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const registers = [registry];

collectDefaultMetrics({ register: registry });

export const appendSeconds = new Histogram({
  name: 'threadline_append_seconds',
  help: 'From handing an event to the door until it was durable.',
  buckets: latencyBuckets,
  registers,
});

export const transactionSeconds = new Histogram({
  name: 'threadline_store_transaction_seconds',
  help: 'One batch of events in the store, from its begin to its durable commit.',
  buckets: latencyBuckets,
  registers,
});

export const deliverySeconds = new Histogram({
  name: 'threadline_delivery_seconds',
  help: 'From recording an event until it was handed to every socket that may see it.',
  buckets: latencyBuckets,
  registers,
});

export const jobSeconds = new Histogram({
  name: 'threadline_job_seconds',
  help: 'One attempt at a job, by its name.',
  labelNames: ['name'] as const,
  buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120],
  registers,
});

export const jobAttempts = new Counter({
  name: 'threadline_job_attempts_total',
  help: 'Attempts at jobs, by name and outcome.',
  labelNames: ['name', 'outcome'] as const,
  registers,
});

export const resyncs = new Counter({
  name: 'threadline_resyncs_total',
  help: 'Times that a client on a socket read on from its cursor.',
  labelNames: ['kind'] as const,
  registers,
});

export const slowReaders = new Counter({
  name: 'threadline_slow_readers_total',
  help: 'Readers that fell behind and left the live stream, and what became of them.',
  labelNames: ['outcome'] as const,
  registers,
});

export const httpErrors = new Counter({
  name: 'threadline_http_errors_total',
  help: 'Requests over HTTP that were answered with an error, by its code.',
  labelNames: ['code'] as const,
  registers,
});

/** Appends by channel and outcome: `new`, `retry`, or the code of the error. */
export const countAppend = tally('threadline_appends_total', 'Events handed to the door.', [
  'channel',
  'outcome',
]);

/** Requests on sockets by kind of client and outcome: `ok`, or the code of the error. */
export const countRequest = tally('threadline_requests_total', 'Requests on sockets.', ['kind', 'outcome']);

/**
 * A counter for the hot path: plain numbers, handed to Prometheus when it asks. Both labels must come from short lists
 * of our own.
 */
function tally(name: string, help: string, labels: readonly [string, string]) {
  const counts = new Map<string, Map<string, number>>();
  const counter: Counter = new Counter({
    name,
    help,
    labelNames: labels,
    registers,
    collect() {
      counter.reset();
      for (const [first, inner] of counts) {
        for (const [second, count] of inner) counter.inc({ [labels[0]]: first, [labels[1]]: second }, count);
      }
    },
  });
  return (first: string, second: string): void => {
    const inner = counts.get(first) ?? new Map<string, number>();
    counts.set(first, inner);
    inner.set(second, (inner.get(second) ?? 0) + 1);
  };
}

/** What is looked up when Prometheus asks, and not before. */
export interface Looked {
  /** Open connections by kind: `visitor`, `agent`, `poll`. */
  connections(): Readonly<Record<string, number>>;
  /** Rooms that somebody is in, and contacts whose browsers are here. */
  occupied(): { rooms: number; present: number };
  /** Events that wait at the door. */
  appendsWaiting(): number;
  /** Seconds that the store takes to say that it is there; null when it does not. */
  storePing(): Promise<number | null>;
  jobs(): Promise<{ waiting: number; running: number; dead: number; oldestDueSeconds: number }>;
}

let looked: Looked | null = null;

/** Says where the figures of the moment are found. One server a process; returns what ends it. */
export function lookAt(given: Looked): () => void {
  looked = given;
  return () => {
    if (looked === given) looked = null;
  };
}

/** Gauges that are asked at once share one look. */
function shared<T>(look: () => Promise<T> | undefined): () => Promise<T | undefined> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= look()?.finally(() => {
      asked = undefined;
    });
    return asked ?? Promise.resolve(undefined);
  };
}
const pinged = shared(() => looked?.storePing());
const jobsNow = shared(() => looked?.jobs());

/** A figure of the moment: `read` is asked when Prometheus asks. */
function gauge(name: string, help: string, read: () => number | Promise<number>): void {
  const figure: Gauge = new Gauge({
    name,
    help,
    registers,
    async collect() {
      figure.set(await read());
    },
  });
}

gauge('threadline_rooms', 'Rooms that a socket is in.', () => looked?.occupied().rooms ?? 0);
gauge(
  'threadline_present_contacts',
  'Contacts whose browsers are here.',
  () => looked?.occupied().present ?? 0,
);
gauge('threadline_append_queue', 'Events that wait at the door.', () => looked?.appendsWaiting() ?? 0);
gauge('threadline_store_up', 'Whether the store answered just now.', async () =>
  typeof (await pinged()) === 'number' ? 1 : 0,
);
gauge(
  'threadline_store_ping_seconds',
  'How long the store took to answer just now.',
  async () => (await pinged()) ?? 0,
);
gauge(
  'threadline_job_oldest_due_seconds',
  'For how long the job that waits longest has been due.',
  async () => (await jobsNow())?.oldestDueSeconds ?? 0,
);

const connections: Gauge = new Gauge({
  name: 'threadline_connections',
  help: 'Open connections by kind.',
  labelNames: ['kind'],
  registers,
  collect() {
    for (const [kind, count] of Object.entries(looked?.connections() ?? {})) connections.set({ kind }, count);
  },
});

const jobs: Gauge = new Gauge({
  name: 'threadline_jobs',
  help: 'Jobs in the store by state; counted to 10,000.',
  labelNames: ['state'],
  registers,
  async collect() {
    const figures = await jobsNow();
    if (!figures) return;
    for (const state of ['waiting', 'running', 'dead'] as const) jobs.set({ state }, figures[state]);
  },
});
