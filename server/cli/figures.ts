import type { Config } from '../config.js';
import { doctorToken } from '../observe/token.js';
import type { Finding } from './finding.js';

/** Figures of a running server by name and labels, as it printed them: `threadline_jobs{state="dead"}`. */
export type Figures = ReadonlyMap<string, number>;

const answerWithinMs = 5_000;

/** Reads the text format of Prometheus: a name, perhaps labels, a number. Comments and broken lines are passed over. */
export function readFigures(text: string): Figures {
  const figures = new Map<string, number>();
  for (const line of text.split('\n')) {
    const found = /^([a-z_]\w*(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (!found?.[1] || !found[2]) continue;
    const value = Number(found[2].replace('+Inf', 'Infinity'));
    if (!Number.isNaN(value)) figures.set(found[1], value);
  }
  return figures;
}

/** The figures of the server of this installation on this machine; null when none answers. */
export async function askFigures({ host, port, secretKey }: Config): Promise<Figures | null> {
  const near = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const address = `http://${near.includes(':') ? `[${near}]` : near}:${port}/metrics`;
  try {
    const answer = await fetch(address, {
      headers: { authorization: `Bearer ${doctorToken(secretKey)}` },
      signal: AbortSignal.timeout(answerWithinMs),
    });
    return answer.ok ? readFigures(await answer.text()) : null;
  } catch (error) {
    // No server at this address is no fault of the figures: the check of the server itself has said so.
    if (error instanceof TypeError || error instanceof DOMException) return null;
    throw error;
  }
}

interface Rule {
  check: string;
  /** What is measured; undefined when the server does not tell of it. */
  read: (figures: Figures) => number | undefined;
  shown: (value: number) => string;
  /** Above it something is unwell. */
  limit: number;
  state: 'warning' | 'failed';
  remedy: string;
}

const ms = (seconds: number): string =>
  Number.isFinite(seconds) ? `${Math.round(seconds * 1_000)} ms` : 'longer than is counted';
const whole = (what: string) => (value: number) => `${value} ${what}`;

const rules: readonly Rule[] = [
  {
    check: 'Event loop',
    read: (figures) => figures.get('nodejs_eventloop_lag_p99_seconds'),
    shown: (value) => `p99 ${ms(value)} late`,
    limit: 0.2,
    state: 'warning',
    remedy:
      'One core is not enough for this load: run more processes (MONGODB_URI, REDIS_URL) or move imports.',
  },
  {
    check: 'Store latency',
    read: (figures) => figures.get('threadline_store_ping_seconds'),
    shown: (value) => `answers after ${ms(value)}`,
    limit: 0.1,
    state: 'warning',
    remedy: 'Look at the disk of DATA_DIR, or at the network and the load of MongoDB.',
  },
  {
    check: 'Appends',
    read: (figures) => quantile(figures, 'threadline_append_seconds', 0.99),
    shown: (value) => `99 of 100 durable within ${ms(value)}`,
    limit: 0.5,
    state: 'warning',
    remedy:
      'The disk is slow to sync: give DATA_DIR a local disk, or look at the majority writes of MongoDB.',
  },
  {
    check: 'Delivery',
    read: (figures) => quantile(figures, 'threadline_delivery_seconds', 0.99),
    shown: (value) => `99 of 100 told within ${ms(value)}`,
    limit: 1,
    state: 'warning',
    remedy: 'Look at the event loop and at Redis; several processes need one clock: timedatectl set-ntp true',
  },
  {
    check: 'Waiting at the door',
    read: (figures) => figures.get('threadline_append_queue'),
    shown: whole('events'),
    limit: 5_000,
    state: 'warning',
    remedy: 'More comes in than the store takes: pause imports, or run on MongoDB with more processes.',
  },
  {
    check: 'Refused for want of space',
    read: (figures) => sumOf(figures, 'threadline_appends_total', 'outcome="store_full"'),
    shown: whole('events since the start'),
    limit: 0,
    state: 'failed',
    remedy:
      'Free some space on the disk of DATA_DIR; what was refused is kept by its sender and comes again.',
  },
  {
    check: 'Failures',
    read: (figures) =>
      sumOf(figures, 'threadline_requests_total', 'outcome="internal"') +
      sumOf(figures, 'threadline_http_errors_total', 'code="internal"'),
    shown: whole('requests since the start'),
    limit: 0,
    state: 'warning',
    remedy: 'Look for "failed" in the log: each stands there under its request id.',
  },
  {
    check: 'Dead jobs',
    read: (figures) => figures.get('threadline_jobs{state="dead"}'),
    shown: whole('given up'),
    limit: 0,
    state: 'warning',
    remedy: 'Each names its error: mend that (mostly outgoing mail), then have them tried again.',
  },
  {
    check: 'Oldest due job',
    read: (figures) => figures.get('threadline_job_oldest_due_seconds'),
    shown: (value) => `due for ${Math.round(value)} s`,
    limit: 300,
    state: 'warning',
    remedy: 'Nothing takes it: letters wait for SMTP_URL, everything else for a process that runs jobs.',
  },
];

/** What a running server's figures say of it: one finding a rule, with a remedy where something is unwell. */
export function judgeFigures(figures: Figures): Finding[] {
  const visitors = figures.get('threadline_connections{kind="visitor"}') ?? 0;
  const agents = figures.get('threadline_connections{kind="agent"}') ?? 0;
  const findings: Finding[] = [
    { check: 'Connections', state: 'ok', found: `${visitors} visitors, ${agents} agents` },
  ];
  if (figures.get('threadline_store_up') === 0) {
    const remedy = 'Look at the store first: most else follows from it.';
    findings.push({ check: 'Store of the server', state: 'failed', found: 'does not answer', remedy });
  }
  for (const { check, read, shown, limit, state, remedy } of rules) {
    const value = read(figures);
    if (value === undefined) continue;
    const found = shown(value);
    findings.push(value > limit ? { check, state, found, remedy } : { check, state: 'ok', found });
  }
  return findings;
}

/** The upper bound of the bucket that holds this share of all; undefined while there is nothing. */
function quantile(figures: Figures, name: string, share: number): number | undefined {
  const all = figures.get(`${name}_count`) ?? 0;
  if (all === 0) return undefined;
  const buckets = [...figures]
    .flatMap(([key, count]) => {
      const bound = key.startsWith(`${name}_bucket{`) ? /le="([^"]+)"/.exec(key)?.[1] : undefined;
      return bound === undefined ? [] : [{ bound: Number(bound.replace('+Inf', 'Infinity')), count }];
    })
    .sort((one, other) => one.bound - other.bound);
  return buckets.find(({ count }) => count >= all * share)?.bound;
}

/** The sum of all series of a name that carry this label. */
function sumOf(figures: Figures, name: string, label: string): number {
  let sum = 0;
  for (const [key, value] of figures) if (key.startsWith(`${name}{`) && key.includes(label)) sum += value;
  return sum;
}
