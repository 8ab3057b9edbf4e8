import { parseArgs } from 'node:util';
import { AppError, type ErrorCode } from '../../shared/errors.js';
import { type Environment, explainConfigError } from '../config.js';
import { type Command, type CommandInput, type ExitCode, exitCodes, UsageError } from './command.js';
import { type Output, output, table } from './output.js';

type Commands = ReadonlyMap<string, () => Promise<Command>>;

const ownOptions = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** Runs one command line and answers with its exit code. Nothing is thrown: what failed has been said. */
export async function runCommandLine(
  commands: Commands,
  words: readonly string[],
  environment: Environment,
  signal: AbortSignal,
  makeOutput: (json: boolean) => Output = output,
): Promise<ExitCode> {
  const out = makeOutput(words.includes('--json'));
  const found = await find(commands, words);
  if (!found) {
    const isHelp = words.length === 0 || ['help', '--help', '-h'].includes(words[0] ?? '');
    if (isHelp) out.print(await overview(commands));
    else out.note(`There is no command "${words.slice(0, 2).join(' ')}".\n\n${await overview(commands)}`);
    return isHelp ? exitCodes.ok : exitCodes.usage;
  }
  const { command, rest } = found;
  try {
    const input = parseInput(command, rest, { environment, out, signal });
    if (input === 'help') {
      out.print(help(command));
      return exitCodes.ok;
    }
    return await command.run(input);
  } catch (error) {
    return explain(command, error, out);
  }
}

/** The longest name that the words begin with. */
async function find(commands: Commands, words: readonly string[]) {
  for (const length of [2, 1]) {
    const load = commands.get(words.slice(0, length).join(' '));
    if (load) return { command: await load(), rest: words.slice(length) };
  }
  return null;
}

function parseInput(
  command: Command,
  words: readonly string[],
  around: Pick<CommandInput, 'environment' | 'out' | 'signal'>,
): CommandInput | 'help' {
  const { values, positionals } = parsed(command, words);
  if (values.help === true) return 'help';
  if (positionals.length < command.args.min) throw new UsageError('Something is missing.');
  if (positionals.length > command.args.max) {
    throw new UsageError(`"${positionals[command.args.max]}" is one too many.`);
  }
  const options: Record<string, string | boolean | undefined> = {};
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string' || typeof value === 'boolean') options[name] = value;
  }
  return { args: positionals, options, ...around };
}

function parsed(command: Command, words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: { ...command.options, ...ownOptions },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message.split('. ')[0] : 'Not understood.');
  }
}

const storeCodes: ReadonlySet<ErrorCode> = new Set([
  'store_unavailable',
  'store_locked',
  'store_full',
  'store_corrupt',
]);

function explain(command: Command, error: unknown, out: Output): ExitCode {
  const misuse = misuseOf(error);
  if (misuse !== null) {
    out.note(`${misuse}\nUsage: threadline ${command.name} ${command.usage}`.trimEnd());
    return exitCodes.usage;
  }
  if (out.json) out.data({ error: appErrorOf(error).toReply() }, '');
  if (!(error instanceof AppError)) {
    out.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCodes.failed;
  }
  if (error.code === 'config_invalid') {
    out.note(explainConfigError(error));
    return exitCodes.config;
  }
  const details = Object.entries(error.details ?? {}).map(([name, value]) => `  ${name}: ${value}`);
  out.note([`${error.message} (${error.code})`, ...details].join('\n'));
  return storeCodes.has(error.code) ? exitCodes.store : exitCodes.failed;
}

/** What is wrong with the words of the command line; null when something else failed. */
function misuseOf(error: unknown): string | null {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof AppError) || error.code !== 'bad_request') return null;
  return String(error.details?.problem ?? error.message);
}

const appErrorOf = (error: unknown): AppError =>
  error instanceof AppError ? error : new AppError('internal');

async function overview(commands: Commands): Promise<string> {
  const all = await Promise.all([...commands.values()].map((load) => load()));
  const rows = all.map(({ name, usage, summary }) => [`  ${name} ${usage}`.trimEnd(), summary]);
  return [
    'threadline COMMAND [OPTIONS]',
    '',
    table(rows),
    '',
    'threadline COMMAND --help says more about one. --json prints results as JSON.',
  ].join('\n');
}

function help(command: Command): string {
  const usage = `Usage: threadline ${command.name} ${command.usage}`.trimEnd();
  return [usage, '', command.summary, ...(command.details ? ['', command.details] : [])].join('\n');
}
