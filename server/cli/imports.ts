import { listImports, undoImport } from '../contacts/imports.js';
import { chosenScope, workspaceOption } from './choose.js';
import { type Command, exitCodes } from './command.js';
import { table } from './output.js';
import { withStore } from './store.js';

export const undo: Command = {
  name: 'import undo',
  usage: 'ID [--workspace NAME]',
  summary: 'Take an import back whole: its events, and what only it brought.',
  details: 'threadline import list shows the ids. What was imported may be imported again afterwards.',
  options: workspaceOption,
  args: { min: 1, max: 1 },
  async run(input) {
    return withStore(input, async () => {
      const undone = await undoImport(await chosenScope(input), input.args[0] ?? '');
      input.out.data(
        undone,
        `Taken back: ${undone.events} events, ${undone.conversations} conversations, ${undone.contacts} contacts.`,
      );
      return exitCodes.ok;
    });
  },
};

export const list: Command = {
  name: 'import list',
  usage: '[--workspace NAME]',
  summary: 'List the imports of a workspace, the newest first.',
  options: workspaceOption,
  args: { min: 0, max: 0 },
  async run(input) {
    return withStore(input, async () => {
      const imports = await listImports(await chosenScope(input));
      if (input.out.json) for (const row of imports) input.out.data(row, '');
      else if (imports.length === 0) input.out.print('Nothing was imported yet.');
      else {
        input.out.print(
          table(
            imports.map(({ _id, startedAt, channel, source, counts, undoneAt }) => [
              _id,
              startedAt.toISOString().slice(0, 16).replace('T', ' '),
              channel,
              source,
              undoneAt ? 'taken back' : `${counts.imported} imported, ${counts.broken} broken`,
            ]),
          ),
        );
      }
      return exitCodes.ok;
    });
  },
};
