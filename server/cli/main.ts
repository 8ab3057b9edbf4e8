import { commands } from './commands.js';
import { runCommandLine } from './run.js';

/** The entry of the command line. Ctrl+C asks a command to stop; a second one ends it. */
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

process.exitCode = await runCommandLine(commands, process.argv.slice(2), process.env, stop.signal);
