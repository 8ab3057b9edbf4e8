import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  describeConfig,
  explainConfigError,
  loadConfig,
  parseSettings,
  variables,
} from '../../../server/config.js';
import { guessCountry } from '../../../server/workspaces/country.js';
import { AppError } from '../../../shared/errors.js';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'threadline-config-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function refusal(environment: Record<string, string>): AppError {
  try {
    parseSettings(environment);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

describe('configuration', () => {
  it('has a default for everything', () => {
    expect(parseSettings({})).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
      publicUrl: 'http://localhost:3000',
      mailFrom: 'threadline@localhost',
      logLevel: 'info',
      trustProxy: 0,
    });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(parseSettings({ PORT: '', MONGODB_URI: '', SMTP_URL: '' })).toEqual(parseSettings({}));
  });

  it('keeps only the origin of PUBLIC_URL', () => {
    expect(parseSettings({ PUBLIC_URL: 'https://Chat.Example.com:8443/' }).publicUrl).toBe(
      'https://chat.example.com:8443',
    );
  });

  it('takes the country of new workspaces from the machine, unless it is told', () => {
    const countryOf = (environment: Record<string, string>) => parseSettings(environment).defaultCountry;
    expect(countryOf({ LANG: 'en_GB.UTF-8' })).toBe('GB');
    expect(countryOf({ LANG: 'en_GB.UTF-8', LC_TELEPHONE: 'de_CH@euro' })).toBe('CH');
    expect(countryOf({ LANG: 'en_GB', LC_TELEPHONE: 'de_CH', LC_ALL: 'ru_RU.UTF-8' })).toBe('RU');
    expect(countryOf({ LANG: 'en_GB', DEFAULT_COUNTRY: 'de' })).toBe('DE');
    expect(countryOf({ DEFAULT_COUNTRY: 'UK' })).toBe('GB');
    // What names no country: the system's own locale is asked, and in the end nothing is left but the fallback.
    for (const LANG of ['C.UTF-8', 'POSIX', 'de', 'en_ZZ', 'nonsense', '']) {
      expect(guessCountry({ LANG }, 'pt-BR')).toBe('BR');
      expect(guessCountry({ LANG }, 'pt')).toBe('US');
    }
  });

  it('reads a list of origins, each once', () => {
    const RECORDING_ORIGINS = 'https://pbx.example.com, http://10.0.0.5:8088 https://pbx.example.com';
    expect(parseSettings({ RECORDING_ORIGINS }).recordingOrigins).toEqual([
      'https://pbx.example.com',
      'http://10.0.0.5:8088',
    ]);
    expect(parseSettings({}).recordingOrigins).toEqual([]);
  });

  it('reads the headers of the collector, percent-encoded', () => {
    const { tracing } = parseSettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20abc==, x-tenant=kestrel',
    });
    expect(tracing).toEqual({
      endpoint: 'http://collector:4318',
      headers: { authorization: 'Bearer abc==', 'x-tenant': 'kestrel' },
    });
    expect(parseSettings({ OTEL_EXPORTER_OTLP_HEADERS: 'a=b' }).tracing).toBeUndefined();
  });

  it.each([
    ['PORT', '70000'],
    ['PORT', '3000 '],
    ['PORT', '-1'],
    ['HOST', 'a b'],
    ['PUBLIC_URL', 'chat.example.com'],
    ['PUBLIC_URL', 'https://example.com/path'],
    ['PUBLIC_URL', 'javascript:alert(1)'],
    ['MONGODB_URI', 'http://example.com'],
    ['REDIS_URL', 'localhost:6379'],
    ['SMTP_URL', 'mail.example.com'],
    ['MAIL_FROM', 'Shop <help@example.com>\r\nBcc: x@example.com'],
    ['TRUSTED_AUTH_HOST', 'mx example'],
    ['SECRET_KEY', 'short'],
    ['RECORDING_ORIGINS', 'pbx.example.com'],
    ['RECORDING_ORIGINS', 'https://pbx.example.com/recordings'],
    ['RECORDING_ORIGINS', 'https://pbx.example.com; script-src *'],
    ['DEFAULT_COUNTRY', 'Germany'],
    ['DEFAULT_COUNTRY', 'ZZ'],
    ['TRUST_PROXY', 'yes'],
    ['LOG_LEVEL', 'loud'],
    ['METRICS_TOKEN', 'short'],
    ['METRICS_TOKEN', 'sixteen characters, with spaces'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'no pair'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b%0d%0ac'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%ff'],
  ])('refuses %s=%j and names the variable, what was found and what is accepted', (name, value) => {
    const error = refusal({ [name]: value });
    expect(error.code).toBe('config_invalid');
    expect(error.details).toMatchObject({ variable: name });
    expect(error.details?.accepted).not.toBe('');
    const shown = explainConfigError(error);
    expect(shown).toContain(name);
    const isSecret = 'secret' in variables[name as keyof typeof variables];
    if (!isSecret || name === 'MONGODB_URI') expect(shown).toContain(value);
  });

  it('shows no secret, neither in a refusal nor in what it prints', () => {
    const key = 'short-but-secret';
    expect(explainConfigError(refusal({ SECRET_KEY: key }))).not.toContain(key);
    expect(explainConfigError(refusal({ SMTP_URL: 'ftp://me:hunter2@mail.example.com' }))).not.toContain(
      'hunter2',
    );
    expect(explainConfigError(refusal({ SMTP_URL: 'me:hunter2@mail.example.com' }))).not.toContain('hunter2');
    const printed = JSON.stringify(
      describeConfig({
        SECRET_KEY: 'k'.repeat(40),
        MONGODB_URI: 'mongodb://u:hunter2@db/x',
        SMTP_URL: 'smtp://u:hunter2@mail.example.com:587',
        REDIS_URL: 'redis://:hunter2@cache:6379',
        METRICS_TOKEN: 'hunter2-and-sixteen-more',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hunter2',
      }),
    );
    expect(printed).not.toContain('hunter2');
    expect(printed).not.toContain('kkkk');
    expect(printed).toContain('mail.example.com:587');
  });

  it('generates a key once, readable by its owner alone', () => {
    const first = loadConfig({ DATA_DIR: dataDir });
    expect(first.secretKey).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(dataDir, 'secret-key')).mode & 0o777).toBe(0o600);
    expect(loadConfig({ DATA_DIR: dataDir }).secretKey).toBe(first.secretKey);
  });

  it('takes a given key over the generated one, and writes nothing', () => {
    const secretKey = 'x'.repeat(32);
    expect(loadConfig({ DATA_DIR: join(dataDir, 'none'), SECRET_KEY: secretKey }).secretKey).toBe(secretKey);
    expect(() => statSync(join(dataDir, 'none'))).toThrow();
  });

  it('refuses a damaged key file instead of signing everybody out', () => {
    writeFileSync(join(dataDir, 'secret-key'), 'half');
    expect(() => loadConfig({ DATA_DIR: dataDir })).toThrow(AppError);
    expect(readFileSync(join(dataDir, 'secret-key'), 'utf8')).toBe('half');
  });

  it('requires SECRET_KEY with MONGODB_URI, since every process needs the same one', () => {
    expect(refusal({ MONGODB_URI: 'mongodb://db/threadline' }).details).toMatchObject({
      variable: 'SECRET_KEY',
    });
    const settings = parseSettings({ MONGODB_URI: 'mongodb://db/threadline', SECRET_KEY: 'x'.repeat(32) });
    expect(settings.mongodbUri).toBe('mongodb://db/threadline');
  });

  it('is described in docs/configuration.md, variable by variable, and nothing else is', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8');
    const rows = text.split('\n').filter((row) => row.startsWith('| `'));
    const documented = rows.map((row) => row.split('|').map((cell) => cell.trim()));
    expect(documented.map(([, name]) => name?.replaceAll('`', ''))).toEqual(Object.keys(variables));
    for (const [, name = '', byDefault, description] of documented) {
      const variable = variables[name.replaceAll('`', '') as keyof typeof variables];
      expect(description).toBe(variable.description);
      if ('defaultText' in variable) expect(byDefault).toBe(variable.defaultText);
    }
  });
});
