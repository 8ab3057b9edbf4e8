import type { ClientSession } from 'mongoose';
import { addInbox } from '../inboxes/inboxes.js';
import { LeaseModel } from '../jobs/model.js';
import { isDuplicateKey } from '../store/duplicate-key.js';
import { inTransaction } from '../store/transaction.js';
import { WorkspaceModel } from './model.js';
import type { Scope } from './scope.js';
import { addWorkspace, listWorkspaces } from './workspaces.js';

/** What the first workspace is called until its owner gives it a name. */
const firstName = 'Threadline';

export interface FirstSettings {
  publicUrl: string;
  /** How telephone numbers without a country are read: ISO 3166-1 alpha-2. */
  defaultCountry: string;
}

/**
 * Makes the first workspace of an installation, with one inbox for each channel, so that chat, mail and calls have
 * somewhere to arrive before anybody has set anything up. Does nothing when there is a workspace. Of two processes
 * that start at once, one makes it: only one of them can write the marker.
 */
export async function ensureFirstWorkspace(settings: FirstSettings): Promise<void> {
  if ((await listWorkspaces(1)).length > 0) return;
  try {
    await makeFirstWorkspace(settings);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

async function makeFirstWorkspace({ publicUrl, defaultCountry }: FirstSettings): Promise<void> {
  await inTransaction(async (session) => {
    const now = new Date();
    await LeaseModel.create([{ _id: 'first-workspace', holder: 'done', until: now, fence: 1 }], { session });
    const { _id: workspaceId } = await addWorkspace(firstName, defaultCountry, session);
    await addFirstInboxes({ workspaceId }, publicUrl, session);
  });
}

/** One inbox for each channel, so that chat, mail and calls of a new workspace have somewhere to arrive. */
export async function addFirstInboxes(
  scope: Pick<Scope, 'workspaceId'>,
  publicUrl: string,
  session?: ClientSession,
): Promise<void> {
  // The chat inbox admits our own pages, and with them the page to try it on; the owner adds the company's sites.
  await addInbox(
    scope,
    { channel: 'chat', name: 'Website chat' },
    { allowedOrigins: [publicUrl], greeting: 'Hello. Ask us anything.' },
    session,
  );
  await addInbox(scope, { channel: 'email', name: 'E-mail' }, {}, session);
  await addInbox(scope, { channel: 'phone', name: 'Phone' }, {}, session);
}

/**
 * Gives the first workspace its name when its owner comes; makes one when there is none. For the set-up, inside its
 * transaction. @returns the workspace's id
 */
export async function claimFirstWorkspace(name: string, session: ClientSession): Promise<string> {
  const first = await WorkspaceModel.findOne().sort({ createdAt: 1, _id: 1 }).session(session).lean();
  if (!first) return (await addWorkspace(name, undefined, session))._id;
  await WorkspaceModel.updateOne({ _id: first._id }, { $set: { name } }, { session });
  return first._id;
}
