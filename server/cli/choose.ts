import type { Channel } from '../../shared/events/parts.js';
import { listInboxes } from '../inboxes/inboxes.js';
import type { InboxRow } from '../inboxes/model.js';
import type { WorkspaceRow } from '../workspaces/model.js';
import { type Scope, systemScope } from '../workspaces/scope.js';
import { listWorkspaces } from '../workspaces/workspaces.js';
import { type CommandInput, textOption, UsageError } from './command.js';

/** Options of every command that works in one workspace. */
export const workspaceOption = { workspace: { type: 'string' } } as const;
export const inboxOption = { inbox: { type: 'string' } } as const;

/** The workspace that `--workspace` names by name or id; without it the only one there is. */
export async function chosenWorkspace(input: CommandInput): Promise<WorkspaceRow> {
  const workspaces = await listWorkspaces();
  return choose(
    workspaces,
    textOption(input, 'workspace'),
    'workspace',
    'threadline workspace add NAME --owner EMAIL',
  );
}

export async function chosenScope(input: CommandInput): Promise<Scope> {
  return systemScope((await chosenWorkspace(input))._id);
}

/** The inbox of this channel that `--inbox` names by name or id; without it the only one there is. */
export async function chosenInbox(input: CommandInput, scope: Scope, channel: Channel): Promise<InboxRow> {
  const inboxes = await listInboxes(scope, channel);
  return choose(
    inboxes,
    textOption(input, 'inbox'),
    'inbox',
    `add one for ${channel} in the console's settings`,
  );
}

function choose<Row extends { _id: string; name: string }>(
  rows: readonly Row[],
  wanted: string | undefined,
  what: 'workspace' | 'inbox',
  remedy: string,
): Row {
  const names = rows.map(({ name, _id }) => `"${name}" (${_id})`).join(', ');
  const found =
    wanted === undefined ? rows : rows.filter(({ _id, name }) => _id === wanted || name === wanted);
  const [only, another] = found;
  if (only && !another) return only;
  if (rows.length === 0) throw new UsageError(`There is no ${what} yet: ${remedy}.`);
  if (only) throw new UsageError(`There are several: choose one with --${what}: ${names}.`);
  throw new UsageError(`There is no ${what} "${wanted}". There is: ${names}.`);
}
