import { beginImport, finishImport, listImports, undoImport } from '../contacts/imports.js';
import { ensureFirstWorkspace } from '../workspaces/first.js';
import type { Scope } from '../workspaces/scope.js';
import { chosenScope, workspaceOption } from './choose.js';
import { type Command, type CommandInput, type ExitCode, exitCodes, isGiven } from './command.js';
import { addColleagues, removeColleagues, tellStory } from './demo-telling.js';
import { withStore } from './store.js';

/** By this the rows of a demo are known again. */
const source = 'threadline demo';

export const demo: Command = {
  name: 'demo',
  usage: '[--clear] [--workspace NAME]',
  summary:
    'Fill a workspace with a year of a bicycle shop: chats, e-mails, calls. --clear removes exactly that.',
  details:
    'Everything goes in by the door that real messages use and stands as one import, so that it can be taken back whole.\n--clear    remove what demos brought, and nothing else',
  options: { ...workspaceOption, clear: { type: 'boolean' } },
  args: { min: 0, max: 0 },
  async run(input) {
    return withStore(input, async (config) => {
      await ensureFirstWorkspace(config);
      const scope = await chosenScope(input);
      const standing = (await listImports(scope)).filter((row) => row.source === source && !row.undoneAt);
      if (isGiven(input, 'clear')) {
        return clear(
          input,
          scope,
          standing.map(({ _id }) => _id),
        );
      }
      if (standing.length > 0) {
        input.out.note('The demo is there already. Remove it first: threadline demo --clear');
        return exitCodes.failed;
      }
      return fill(input, scope, config.publicUrl);
    });
  },
};

async function fill({ out }: CommandInput, scope: Scope, publicUrl: string): Promise<ExitCode> {
  const importId = await beginImport(scope, { source, channel: 'chat', vouch: true });
  const agents = await addColleagues(scope);
  const made = await tellStory(scope, { importId, agents, now: new Date() }, (done, all) =>
    out.progress(`${done} of ${all} entries`),
  );
  const imported = made.chats + made.emails + made.calls + made.notes;
  await finishImport(scope, importId, { imported, duplicates: 0, broken: 0 });
  out.data(
    { importId, ...made },
    `Made ${made.contacts} contacts with ${made.chats} chat messages, ${made.emails} e-mails, ${made.calls} calls and ${made.notes} notes, and two colleagues who cannot sign in.\nLook at them: ${publicUrl}\nRemove them:  threadline demo --clear`,
  );
  return exitCodes.ok;
}

async function clear({ out }: CommandInput, scope: Scope, importIds: readonly string[]): Promise<ExitCode> {
  const total = { events: 0, conversations: 0, contacts: 0 };
  for (const importId of importIds) {
    const undone = await undoImport(scope, importId);
    total.events += undone.events;
    total.conversations += undone.conversations;
    total.contacts += undone.contacts;
  }
  await removeColleagues(scope);
  out.data(
    total,
    importIds.length === 0
      ? 'There was no demo to remove.'
      : `Removed ${total.contacts} contacts, ${total.conversations} conversations and ${total.events} events.`,
  );
  return exitCodes.ok;
}
