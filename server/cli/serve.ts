import { loadConfig } from '../config.js';
import { type Command, exitCodes } from './command.js';

export const serve: Command = {
  name: 'serve',
  usage: '',
  summary: 'Run the server until Ctrl+C or SIGTERM.',
  details: 'What npm start runs. Settings are environment variables: threadline config prints them.',
  args: { min: 0, max: 0 },
  async run({ environment, out, signal }) {
    const config = loadConfig(environment);
    const { serve: serveUntil } = await import('../main.js');
    await serveUntil(config, { print: (line) => out.print(line), signal });
    return exitCodes.ok;
  },
};
