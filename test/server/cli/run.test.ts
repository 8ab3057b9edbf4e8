import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Command, exitCodes } from '../../../server/cli/command.js';
import { commands } from '../../../server/cli/commands.js';
import { type Output, output } from '../../../server/cli/output.js';
import { runCommandLine } from '../../../server/cli/run.js';
import { AppError } from '../../../shared/errors.js';

/** Runs a command line and answers with what it printed and how it ended. */
async function run(words: string[], environment: Record<string, string> = {}, table = commands) {
  const printed = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr') => ({
    write(text: string) {
      printed[stream] += text;
      return true;
    },
  });
  const makeOutput = (json: boolean): Output =>
    output(json, { stdout: into('stdout'), stderr: into('stderr') });
  const code = await runCommandLine(table, words, environment, new AbortController().signal, makeOutput);
  return { code, ...printed };
}

function only(command: Partial<Command>): Map<string, () => Promise<Command>> {
  const whole: Command = {
    name: 'try it',
    usage: 'THING [--slow]',
    summary: 'Tries.',
    options: { slow: { type: 'boolean' } },
    args: { min: 1, max: 1 },
    run: async () => exitCodes.ok,
    ...command,
  };
  return new Map([[whole.name, async () => whole]]);
}

describe('the command line', () => {
  it('lists every command by itself, with help, and after a word that is none', async () => {
    for (const words of [[], ['help'], ['--help']]) {
      const { code, stdout } = await run(words);
      expect(code).toBe(0);
      for (const name of commands.keys()) expect(stdout).toContain(`  ${name}`);
    }
    const wrong = await run(['nonsense']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('There is no command "nonsense"');
  });

  it('has every command in its table under its own name, described in docs/cli.md, and no other there', async () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
    const documented = [...text.matchAll(/^### `threadline (.+)`$/gm)].map(([, usage]) => usage);
    const usages: string[] = [];
    for (const [name, load] of commands) {
      const command = await load();
      expect(command.name).toBe(name);
      usages.push(`${command.name} ${command.usage}`.trim());
    }
    expect(documented).toEqual(usages);
  });

  it.each([
    [['try', 'it'], 'Something is missing.'],
    [['try', 'it', 'a', 'b'], '"b" is one too many.'],
    [['try', 'it', 'a', '--fast'], "Unknown option '--fast'"],
  ])('answers %j with its usage and code 2', async (words, said) => {
    const { code, stderr, stdout } = await run(words, {}, only({}));
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toContain(said);
    expect(stderr).toContain('Usage: threadline try it THING [--slow]');
    expect(stdout).toBe('');
  });

  it.each([
    [new AppError('contact_not_found', { looked: 'x' }), exitCodes.failed, 'contact_not_found'],
    [new AppError('store_locked'), exitCodes.store, 'store_locked'],
    [
      new AppError('config_invalid', { variable: 'PORT', found: 'x', accepted: 'y' }),
      exitCodes.config,
      'PORT',
    ],
    [new TypeError('a bug'), exitCodes.failed, 'a bug'],
  ])('ends after %o with its own code', async (error, expected, said) => {
    const fails = only({ run: () => Promise.reject(error) });
    const { code, stderr } = await run(['try', 'it', 'a'], {}, fails);
    expect(code).toBe(expected);
    expect(stderr).toContain(said);
  });

  it('answers a value that is none of those it takes with what is wrong, its usage and code 2', async () => {
    const refusing = only({
      run: () => Promise.reject(new AppError('bad_request', { problem: 'Not an IANA time zone.' })),
    });
    const { code, stderr } = await run(['try', 'it', 'a'], {}, refusing);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(/^Not an IANA time zone\.\nUsage: threadline try it/);
  });

  it('prints one JSON value a line with --json, and nothing else, to standard output', async () => {
    const talks = only({
      run: async ({ out }) => {
        out.print('for people');
        out.progress('1 of 2');
        out.note('a record was passed over');
        out.data({ done: 1 }, 'done');
        out.data({ done: 2 }, 'done');
        return exitCodes.ok;
      },
    });
    const { stdout, stderr } = await run(['try', 'it', 'a', '--json'], {}, talks);
    expect(stdout).toBe('{"done":1}\n{"done":2}\n');
    expect(stderr).toContain('passed over');
  });

  it('writes progress over one line on a terminal, and as plain lines now and then otherwise', async () => {
    const lines = (isTTY: boolean) => {
      let written = '';
      const out = output(false, {
        stdout: { write: () => true },
        stderr: {
          write(text: string) {
            written += text;
            return true;
          },
          isTTY,
          columns: 10,
        },
      });
      out.progress('first line, too long');
      out.progress('second');
      out.print('done');
      return written;
    };
    expect(lines(true)).toBe('\r\u001b[Kfirst lin\r\u001b[K');
    expect(lines(false)).toBe('first line, too long\n');
  });

  it('prints the configuration with secrets masked, and refuses a wrong value with code 3', async () => {
    const shown = await run(['config', '--json'], {
      SMTP_URL: 'smtp://u:hunter2@mail.example.com',
      PORT: '8080',
    });
    expect(shown.code).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({ PORT: { value: '8080', source: 'environment' } });
    expect(shown.stdout).not.toContain('hunter2');
    const refused = await run(['config'], { PORT: 'http' });
    expect(refused.code).toBe(exitCodes.config);
    expect(refused.stderr).toMatch(/PORT is not accepted\.\n {2}found: {4}http\n {2}accepted: /);
  });
});
