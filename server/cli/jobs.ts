import { listDead, retryAllDead, retryDead } from '../jobs/queue.js';
import { chosenScope, workspaceOption } from './choose.js';
import { type Command, exitCodes, isGiven, UsageError } from './command.js';
import { table } from './output.js';
import { withStore } from './store.js';

export const list: Command = {
  name: 'jobs list',
  usage: '[--workspace NAME]',
  summary: 'List the jobs of a workspace that failed for good, the newest first.',
  details: 'With --json each is one line.',
  options: workspaceOption,
  args: { min: 0, max: 0 },
  async run(input) {
    return withStore(input, async () => {
      const dead = await listDead(await chosenScope(input));
      if (input.out.json) for (const row of dead) input.out.data(row, '');
      else if (dead.length === 0) input.out.print('No job has failed for good.');
      else {
        input.out.print(
          table(
            dead.map(({ _id, name, attempts, finishedAt, error }) => [
              _id,
              name,
              finishedAt?.toISOString().slice(0, 16).replace('T', ' ') ?? '',
              `${attempts} attempts`,
              error ?? '',
            ]),
          ),
        );
      }
      return exitCodes.ok;
    });
  },
};

export const retry: Command = {
  name: 'jobs retry',
  usage: 'ID|--all [--workspace NAME]',
  summary: 'Give a job that failed for good all its attempts again.',
  details: 'threadline jobs list shows the ids. --all takes every one of the workspace.',
  options: { ...workspaceOption, all: { type: 'boolean' } },
  args: { min: 0, max: 1 },
  async run(input) {
    const [id] = input.args;
    if (isGiven(input, 'all') === (id !== undefined)) throw new UsageError('Give one id, or --all.');
    return withStore(input, async () => {
      const scope = await chosenScope(input);
      const retried = id === undefined ? await retryAllDead(scope) : await retryDead(scope, id).then(() => 1);
      input.out.data({ retried }, `${retried} to be tried again.`);
      return exitCodes.ok;
    });
  },
};
