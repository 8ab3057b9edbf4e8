import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { createTransport } from 'nodemailer';
import { AppError } from '../../shared/errors.js';
import { type Config, loadConfig } from '../config.js';
import { listInboxes } from '../inboxes/inboxes.js';
import { EventModel } from '../timeline/model.js';
import { listWorkspaces } from '../workspaces/workspaces.js';
import { type Command, type CommandInput, exitCodes } from './command.js';
import { askFigures, judgeFigures } from './figures.js';
import type { Finding } from './finding.js';
import { withStore } from './store.js';

const answerWithinMs = 5_000;
const freeBytesWarning = 1024 ** 3;
const freeBytesFailed = 64 * 1024 ** 2;
const clockDriftMs = 5_000;

export const doctor: Command = {
  name: 'doctor',
  usage: '',
  summary: 'Check store, disk, Redis, mail, clock, allowed origins and a running server, each with a remedy.',
  details: 'Exit code 0 when nothing failed; warnings do not fail.',
  args: { min: 0, max: 0 },
  async run(input) {
    const config = loadConfig(input.environment);
    const findings: Finding[] = [];
    const report = (finding: Finding): void => {
      findings.push(finding);
      const mark = { ok: 'ok  ', warning: 'warn', failed: 'FAIL' }[finding.state];
      input.out.print(`${mark}  ${finding.check}: ${finding.found}`);
      if (finding.remedy !== undefined) input.out.print(`      ${finding.remedy}`);
    };
    report(await checkDisk(config));
    for (const finding of await checkStore(input)) report(finding);
    report(await checkRedis(config));
    report(await checkSmtp(config));
    report(await checkServer(config));
    const figures = await askFigures(config);
    for (const finding of figures ? judgeFigures(figures) : []) report(finding);
    const isWell = findings.every(({ state }) => state !== 'failed');
    if (input.out.json) input.out.data({ ok: isWell, findings }, '');
    return isWell ? exitCodes.ok : exitCodes.failed;
  },
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function checkDisk({ dataDir }: Config): Promise<Finding> {
  const check = 'Disk';
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK);
    const { bavail, bsize } = await statfs(dataDir);
    const free = bavail * bsize;
    const found = `${dataDir}, ${(free / 1024 ** 3).toFixed(1)} GB free`;
    if (free < freeBytesWarning) {
      const state = free < freeBytesFailed ? 'failed' : 'warning';
      return {
        check,
        state,
        found,
        remedy: 'Free some space, or set DATA_DIR to a folder on a larger disk.',
      };
    }
    return { check, state: 'ok', found };
  } catch (error) {
    return {
      check,
      state: 'failed',
      found: `${dataDir}: ${reasonOf(error)}`,
      remedy: 'Give the server its own folder: DATA_DIR, owned by the user it runs as.',
    };
  }
}

async function checkStore(input: CommandInput): Promise<Finding[]> {
  try {
    return await withStore(input, async (config) => [
      {
        check: 'Store',
        state: 'ok',
        found: config.mongodbUri === undefined ? 'the embedded store answers' : 'MongoDB answers',
      },
      await checkClock(),
      ...(await checkOrigins()),
    ]);
  } catch (error) {
    if (error instanceof AppError && error.code === 'config_invalid') throw error;
    const remedies: Partial<Record<string, string>> = {
      store_locked: 'Another process holds DATA_DIR: stop it, or give this one a folder of its own.',
      store_corrupt: 'Stop the server and put back the last backup of DATA_DIR.',
      store_full: 'Free some space; nothing acknowledged is lost.',
    };
    const code = error instanceof AppError ? error.code : '';
    return [
      {
        check: 'Store',
        state: 'failed',
        found: reasonOf(error),
        remedy: remedies[code] ?? 'Check MONGODB_URI, the network and the permissions of DATA_DIR.',
      },
    ];
  }
}

/** This machine's clock against the store's, and against the newest thing that was ever recorded. */
async function checkClock(): Promise<Finding> {
  const check = 'Clock';
  const remedy = 'Let the machine keep time: timedatectl set-ntp true';
  const hello = await mongoose.connection.db?.admin().command({ hello: 1 });
  const storeTime = hello?.localTime;
  const driftMs = storeTime instanceof Date ? Math.abs(storeTime.getTime() - Date.now()) : 0;
  if (driftMs > clockDriftMs) {
    const found = `${Math.round(driftMs / 1_000)} s away from the store's`;
    return { check, state: 'failed', found, remedy };
  }
  const ahead = new Date(Date.now() + 60_000);
  // Of all workspaces: it is the machine that is asked about here, and nothing of the event is shown.
  if (await EventModel.exists({ recordedAt: { $gt: ahead } })) {
    return { check, state: 'warning', found: 'events were recorded later than now: it went back', remedy };
  }
  return { check, state: 'ok', found: new Date().toISOString() };
}

async function checkOrigins(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const workspace of await listWorkspaces()) {
    for (const inbox of await listInboxes({ workspaceId: workspace._id }, 'chat')) {
      findings.push(checkInbox(`Allowed origins of "${inbox.name}"`, inbox.allowedOrigins));
    }
  }
  return findings;
}

function checkInbox(check: string, origins: readonly string[]): Finding {
  const where = "in the console's settings of this inbox";
  if (origins.length === 0) {
    const remedy = `Name your site ${where}, for example https://www.example.com.`;
    return { check, state: 'warning', found: 'none: the widget works on no site', remedy };
  }
  if (origins.includes('*')) {
    const remedy = `Name your sites ${where} instead of *.`;
    return { check, state: 'warning', found: 'any site may hold the widget', remedy };
  }
  const plain = origins.filter((origin) => /^http:\/\/(?!localhost|127\.|\[::1\])/.test(origin));
  if (plain.length > 0) {
    const remedy = 'Serve the site by https: what visitors write travels readable otherwise.';
    return { check, state: 'warning', found: plain.join(', '), remedy };
  }
  return { check, state: 'ok', found: origins.join(', ') };
}

async function checkRedis({ redisUrl }: Config): Promise<Finding> {
  const check = 'Redis';
  if (redisUrl === undefined) return { check, state: 'ok', found: 'not set: this is one process' };
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: answerWithinMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // Without a listener an unreachable Redis would end the process; the reason comes by `connect` as well.
  redis.on('error', () => {});
  try {
    await redis.connect();
    await redis.ping();
    return { check, state: 'ok', found: 'answers' };
  } catch (error) {
    const remedy =
      'Check REDIS_URL and that Redis runs. Without it, run one process and leave REDIS_URL unset.';
    return { check, state: 'failed', found: reasonOf(error), remedy };
  } finally {
    redis.disconnect();
  }
}

async function checkSmtp({ smtpUrl }: Config): Promise<Finding> {
  const check = 'Outgoing mail';
  if (smtpUrl === undefined) {
    const remedy = 'Set SMTP_URL to answer e-mail: smtp://user:password@host:587';
    return { check, state: 'warning', found: 'SMTP_URL is not set: replies by e-mail are off', remedy };
  }
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: answerWithinMs,
    greetingTimeout: answerWithinMs,
    socketTimeout: answerWithinMs,
  });
  try {
    await transport.verify();
    return { check, state: 'ok', found: 'the mail server accepts us' };
  } catch (error) {
    const remedy =
      'Check host, port, user and password of SMTP_URL. Port 587 is smtp://, port 465 is smtps://.';
    return { check, state: 'failed', found: reasonOf(error), remedy };
  } finally {
    transport.close();
  }
}

async function checkServer({ publicUrl }: Config): Promise<Finding> {
  const check = 'Server';
  try {
    const answer = await fetch(`${publicUrl}/healthz`, { signal: AbortSignal.timeout(answerWithinMs) });
    if (answer.ok) return { check, state: 'ok', found: `answers at ${publicUrl}` };
    const remedy = 'Look into its log; PUBLIC_URL must lead to this server.';
    return { check, state: 'failed', found: `${publicUrl}/healthz answers ${answer.status}`, remedy };
  } catch (error) {
    const found = `nothing answers at ${publicUrl} (${reasonOf(error)})`;
    return { check, state: 'warning', found, remedy: 'Start it: npm start. Or correct PUBLIC_URL.' };
  }
}
