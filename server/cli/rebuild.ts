import { rebuild as rebuildProjections } from '../timeline/rebuild.js';
import { mongooseRemake } from '../timeline/remake-store.js';
import { chosenWorkspace, workspaceOption } from './choose.js';
import { type Command, exitCodes, textOption } from './command.js';
import { withStore } from './store.js';

export const rebuild: Command = {
  name: 'rebuild',
  usage: '[--workspace NAME]',
  summary: 'Drop every projection (conversations, counters, unread) and make them again from the events.',
  details: 'Without --workspace: of all workspaces. The server may run meanwhile.',
  options: workspaceOption,
  args: { min: 0, max: 0 },
  async run(input) {
    return withStore(input, async () => {
      const isOne = textOption(input, 'workspace') !== undefined;
      const which = isOne ? { workspaceId: (await chosenWorkspace(input))._id } : 'all';
      const done = await rebuildProjections(mongooseRemake, which, ({ conversations }) =>
        input.out.progress(`${conversations} conversations`),
      );
      input.out.data(
        done,
        `Made ${done.conversations} conversations again from their events; removed ${done.removed} rows that no event begins.`,
      );
      return exitCodes.ok;
    });
  },
};
