import { describeConfig } from '../config.js';
import { type Command, exitCodes } from './command.js';
import { table } from './output.js';

export const config: Command = {
  name: 'config',
  usage: '',
  summary: 'Print the configuration as the server would read it, secrets masked.',
  args: { min: 0, max: 0 },
  async run({ environment, out }) {
    const shown = describeConfig(environment);
    out.data(
      Object.fromEntries(shown.map(({ name, value, source }) => [name, { value, source }])),
      table(
        shown.map(({ name, value, source }) => [
          name,
          value ?? '(not set)',
          source === 'default' ? 'default' : '',
        ]),
      ),
    );
    return exitCodes.ok;
  },
};
