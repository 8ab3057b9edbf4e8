import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../shared/errors.js';
import { countryOf, fallbackCountry, guessCountry } from './workspaces/country.js';

/**
 * Configuration: environment variables, parsed once, by one schema. Nothing else in the product reads the environment.
 * docs/configuration.md is the same table for people; a test holds the two together.
 */

const urlOf = (protocols: readonly string[], accepted: string) =>
  v.pipe(
    v.string(),
    v.check((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), accepted),
  );
const wholeNumber = (min: number, max: number, accepted: string) =>
  v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/, accepted),
    v.transform(Number),
    v.minValue(min, accepted),
    v.maxValue(max, accepted),
  );

const origins = 'origins (https://pbx.example.com), with commas or spaces between them';
/** Pairs as OpenTelemetry writes them; null for what is none. */
function readHeaders(text: string): Record<string, string> | null {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    // Of what is percent-encoded only visible ASCII: nothing else may stand in a header.
    const found = /^\s*([\w-]+)=((?:[!-$&-+\--~]|%(?:[2-6][0-9a-f]|7[0-9a-e]))*)\s*$/i.exec(pair);
    if (!found?.[1] || found[2] === undefined) return null;
    headers[found[1].toLowerCase()] = decodeURIComponent(found[2]);
  }
  return headers;
}
const isOrigin = (text: string): boolean =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const publicUrl = 'an address that begins with http:// or https://, without a path';
const port = 'a whole number from 0 to 65535 (0: any free port)';
const hops = 'a whole number from 0 to 10';
const country = 'a country as ISO 3166-1 writes it: GB, DE, RU';
const metricsToken = 'at least 16 characters without spaces: openssl rand -hex 32';
const otlpHeaders = 'pairs name=value with commas between them, values percent-encoded';
const mailAddress = 'an address (help@example.com), or a name and an address (Kestrel <help@example.com>)';

interface Variable {
  readonly schema: v.GenericSchema<string | undefined, unknown>;
  readonly description: string;
  /** What stands in the documentation where the default is not one fixed value. */
  readonly defaultText?: string;
  /** `all`: never shown. `password`: a URL whose password is never shown. */
  readonly secret?: 'all' | 'password';
}

/** Every variable: its schema with its default, and what it is for. */
export const variables = {
  PORT: {
    schema: v.optional(wholeNumber(0, 65_535, port), '3000'),
    description: 'Port that the server listens on.',
  },
  HOST: {
    schema: v.optional(
      v.pipe(v.string(), v.regex(/^[0-9a-zA-Z.:_-]{1,255}$/, 'a host name or an IP address')),
      '127.0.0.1',
    ),
    description: 'Address that the server listens on. `0.0.0.0` answers other machines too.',
  },
  DATA_DIR: {
    schema: v.optional(
      v.pipe(
        v.string(),
        v.nonEmpty('a folder'),
        v.transform((path) => resolve(path)),
      ),
      'data',
    ),
    description: 'Folder for the embedded store, files and generated secrets.',
  },
  PUBLIC_URL: {
    schema: v.optional(
      v.pipe(
        urlOf(['http:', 'https:'], publicUrl),
        v.check((text) => {
          const url = new URL(text);
          return url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
        }, publicUrl),
        v.transform((text) => new URL(text).origin),
      ),
    ),
    defaultText: '`http://localhost:PORT`',
    description: 'Address at which browsers reach the server. With https:// cookies are marked Secure.',
  },
  MONGODB_URI: {
    schema: v.optional(urlOf(['mongodb:', 'mongodb+srv:'], 'a mongodb:// or mongodb+srv:// address')),
    defaultText: 'none: the embedded store in DATA_DIR',
    description: 'MongoDB, a replica set or a sharded cluster. Needs SECRET_KEY.',
    secret: 'password',
  },
  REDIS_URL: {
    schema: v.optional(urlOf(['redis:', 'rediss:'], 'a redis:// or rediss:// address')),
    defaultText: 'none: one process',
    description:
      'Redis, through which several processes speak: live events, typing, presence, jobs, shared rate limits.',
    secret: 'password',
  },
  SMTP_URL: {
    schema: v.optional(urlOf(['smtp:', 'smtps:'], 'an smtp:// or smtps:// address')),
    defaultText: 'none: replies by e-mail are off',
    description: 'Mail server for outgoing mail: `smtp://user:password@host:587`.',
    secret: 'password',
  },
  MAIL_FROM: {
    schema: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^(?:[^<>\r\n"]{1,100} <[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$/, mailAddress),
      ),
    ),
    defaultText: '`threadline@` the host of PUBLIC_URL',
    description: 'Sender of mail that Threadline itself writes: invitations and password resets.',
  },
  TRUSTED_AUTH_HOST: {
    schema: v.optional(
      v.pipe(v.string(), v.regex(/^[0-9a-zA-Z._-]{1,255}$/, 'a host name'), v.toLowerCase()),
    ),
    defaultText: 'none: no sender is taken as proved',
    description:
      'Name (authserv-id) of the mail host whose Authentication-Results header decides whether a sender is proved.',
  },
  RECORDING_ORIGINS: {
    schema: v.optional(
      v.pipe(
        v.string(),
        v.transform((text) => [...new Set(text.split(/[\s,]+/).filter(Boolean))]),
        v.check((list) => list.every(isOrigin), origins),
      ),
    ),
    defaultText: 'none: recordings open in a page of their own',
    description: 'Where recordings of calls lie: the console plays those, and its policy admits no other.',
  },
  DEFAULT_COUNTRY: {
    schema: v.optional(
      v.pipe(
        v.string(),
        v.check((text) => countryOf(text) !== null, country),
        v.transform((text) => countryOf(text) ?? fallbackCountry),
      ),
    ),
    defaultText: "the machine's locale (`LC_ALL`, `LC_TELEPHONE`, `LANG`, else the system's), else `US`",
    description:
      'Country (ISO 3166-1: GB, DE, RU) of new workspaces: how telephone numbers without a country are read.',
  },
  SECRET_KEY: {
    schema: v.optional(v.pipe(v.string(), v.minLength(32, 'at least 32 characters: openssl rand -hex 32'))),
    defaultText: 'generated once into `DATA_DIR/secret-key`',
    description: 'Signs tokens. Every process of one installation needs the same one.',
    secret: 'all',
  },
  TRUST_PROXY: {
    schema: v.optional(wholeNumber(0, 10, hops), '0'),
    description: 'How many reverse proxies stand before the server: whose X-Forwarded-For is believed.',
  },
  LOG_LEVEL: {
    schema: v.optional(v.picklist(logLevels, `one of ${logLevels.join(', ')}`), 'info'),
    description: 'How much the server logs.',
  },
  METRICS_TOKEN: {
    schema: v.optional(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{16,200}$/, metricsToken))),
    defaultText: 'none: `/metrics` answers nobody but `threadline doctor`',
    description: 'What Prometheus shows as its bearer token to read `/metrics`.',
    secret: 'all',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: v.optional(urlOf(['http:', 'https:'], 'an http:// or https:// address')),
    defaultText: 'none: no spans are made',
    description: 'OpenTelemetry collector that takes spans as OTLP over HTTP: `http://collector:4318`.',
    secret: 'password',
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    schema: v.optional(
      v.pipe(
        v.string(),
        v.check((text) => readHeaders(text) !== null, otlpHeaders),
        v.transform((text) => readHeaders(text) ?? {}),
      ),
    ),
    defaultText: 'none',
    description: 'Headers for the collector: `authorization=Bearer%20...,x-tenant=kestrel`.',
    secret: 'all',
  },
  LIMITS: {
    schema: v.optional(v.picklist(['on', 'off'], 'on or off'), 'on'),
    description: 'Whether visitors and agents are held to rates. `off` is for benchmarks alone.',
  },
} as const satisfies Record<string, Variable>;

type VariableName = keyof typeof variables;
const names = Object.keys(variables) as VariableName[];

const Environment = v.object(
  Object.fromEntries(names.map((name) => [name, variables[name].schema])) as {
    [Name in VariableName]: (typeof variables)[Name]['schema'];
  },
);

/** Configuration without what has to be generated. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  /** Absolute. */
  readonly dataDir: string;
  /** An origin: no slash at the end. */
  readonly publicUrl: string;
  readonly mongodbUri?: string;
  readonly redisUrl?: string;
  readonly smtpUrl?: string;
  readonly mailFrom: string;
  /** Lower case. */
  readonly trustedAuthHost?: string;
  readonly recordingOrigins: readonly string[];
  /** ISO 3166-1 alpha-2, upper case. */
  readonly defaultCountry: string;
  readonly trustProxy: number;
  readonly logLevel: (typeof logLevels)[number];
  /** Without it nobody but this installation's own doctor reads the metrics. */
  readonly metricsToken?: string;
  /** Where spans go; without it none are made. */
  readonly tracing?: { readonly endpoint: string; readonly headers: Readonly<Record<string, string>> };
  readonly limits: 'on' | 'off';
}

export interface Config extends Settings {
  readonly secretKey: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A URL with its password hidden; what is no URL is hidden whole, since nobody knows what stands where in it. */
function maskPassword(text: string): string {
  if (!/^[\w+.-]+:\/\//.test(text) || !URL.canParse(text)) return '***';
  const url = new URL(text);
  if (url.password !== '') url.password = '***';
  // Some providers put credentials into the query.
  for (const key of [...url.searchParams.keys()]) {
    if (/pass|secret|token|key/i.test(key)) url.searchParams.set(key, '***');
  }
  return url.href;
}

function shown(name: VariableName, text: string): string {
  const variable: Variable = variables[name];
  if (variable.secret === 'all') return '***';
  const visible = variable.secret === 'password' ? maskPassword(text) : text;
  return visible.length > 200 ? `${visible.slice(0, 200)}...` : visible;
}

/** An empty variable counts as one that is not set: that is how compose files and shells switch one off. */
function given(environment: Environment): Partial<Record<VariableName, string>> {
  const found: Partial<Record<VariableName, string>> = {};
  for (const name of names) {
    const text = environment[name];
    if (text !== undefined && text !== '') found[name] = text;
  }
  return found;
}

function parseEnvironment(environment: Environment) {
  const input = given(environment);
  const result = v.safeParse(Environment, input, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const name = (v.getDotPath(issue) ?? '') as VariableName;
  throw new AppError('config_invalid', {
    variable: name,
    found: shown(name, input[name] ?? ''),
    accepted: issue.message,
  });
}

function toSettings(parsed: v.InferOutput<typeof Environment>, environment: Environment): Settings {
  const origin = parsed.PUBLIC_URL ?? `http://localhost:${parsed.PORT}`;
  return {
    port: parsed.PORT,
    host: parsed.HOST,
    dataDir: parsed.DATA_DIR,
    publicUrl: origin,
    ...(parsed.MONGODB_URI !== undefined && { mongodbUri: parsed.MONGODB_URI }),
    ...(parsed.REDIS_URL !== undefined && { redisUrl: parsed.REDIS_URL }),
    ...(parsed.SMTP_URL !== undefined && { smtpUrl: parsed.SMTP_URL }),
    mailFrom: parsed.MAIL_FROM ?? `threadline@${new URL(origin).hostname}`,
    ...(parsed.TRUSTED_AUTH_HOST !== undefined && { trustedAuthHost: parsed.TRUSTED_AUTH_HOST }),
    recordingOrigins: parsed.RECORDING_ORIGINS ?? [],
    defaultCountry: parsed.DEFAULT_COUNTRY ?? guessCountry(environment),
    trustProxy: parsed.TRUST_PROXY,
    logLevel: parsed.LOG_LEVEL,
    ...(parsed.METRICS_TOKEN !== undefined && { metricsToken: parsed.METRICS_TOKEN }),
    ...(parsed.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined && {
      tracing: {
        endpoint: parsed.OTEL_EXPORTER_OTLP_ENDPOINT,
        headers: parsed.OTEL_EXPORTER_OTLP_HEADERS ?? {},
      },
    }),
    limits: parsed.LIMITS,
  };
}

/**
 * Parses the environment; touches no disk.
 * @throws AppError `config_invalid` with `variable`, `found` (masked when secret) and `accepted`
 */
export function parseSettings(environment: Environment): Settings {
  const parsed = parseEnvironment(environment);
  if (parsed.MONGODB_URI !== undefined && parsed.SECRET_KEY === undefined) {
    throw new AppError('config_invalid', {
      variable: 'SECRET_KEY',
      found: 'nothing',
      accepted: 'with MONGODB_URI a key is required, the same for every process: openssl rand -hex 32',
    });
  }
  return toSettings(parsed, environment);
}

/**
 * The whole configuration. A key that was not given is generated once into `DATA_DIR/secret-key`, mode 0600.
 * @throws AppError `config_invalid`
 */
export function loadConfig(environment: Environment): Config {
  const settings = parseSettings(environment);
  return { ...settings, secretKey: given(environment).SECRET_KEY ?? generatedSecret(settings.dataDir) };
}

/** Two processes that start at once end with one key: the file appears whole, under its name, and the first one wins. */
function generatedSecret(dataDir: string): string {
  const path = join(dataDir, 'secret-key');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const found = readSecret(path);
  if (found !== null) return found;
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(32).toString('hex')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(temporary);
  }
  const directory = openSync(dataDir, 'r');
  fsyncSync(directory);
  closeSync(directory);
  const secret = readSecret(path);
  if (secret === null) throw new AppError('internal');
  return secret;
}

function readSecret(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (text.length >= 32) return text;
    throw new AppError('config_invalid', {
      variable: 'SECRET_KEY',
      found: `a damaged file ${path}`,
      accepted: 'at least 32 characters; removing the file signs everybody out and makes a new key',
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

export interface ShownVariable {
  name: VariableName;
  /** Masked when secret; null when it is not set and has no default. */
  value: string | null;
  source: 'environment' | 'default';
  description: string;
}

/** What `threadline config` prints: every variable as it stands, secrets masked. */
export function describeConfig(environment: Environment): ShownVariable[] {
  const input = given(environment);
  const settings = parseSettings(environment);
  const effective: Partial<Record<VariableName, string>> = {
    PORT: String(settings.port),
    HOST: settings.host,
    DATA_DIR: settings.dataDir,
    PUBLIC_URL: settings.publicUrl,
    MAIL_FROM: settings.mailFrom,
    DEFAULT_COUNTRY: settings.defaultCountry,
    TRUST_PROXY: String(settings.trustProxy),
    LOG_LEVEL: settings.logLevel,
    LIMITS: settings.limits,
  };
  return names.map((name) => {
    const text = effective[name] ?? input[name];
    return {
      name,
      value: text === undefined ? null : shown(name, text),
      source: input[name] === undefined ? 'default' : 'environment',
      description: variables[name].description,
    };
  });
}

/** One paragraph for the person who starts the server. */
export function explainConfigError(error: AppError): string {
  const details = error.details ?? {};
  return `${details.variable} is not accepted.\n  found:    ${details.found}\n  accepted: ${details.accepted}`;
}
