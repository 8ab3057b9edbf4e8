import type * as v from 'valibot';
import type { SetUp } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { isDuplicateKey } from '../store/duplicate-key.js';
import { newId } from '../store/id.js';
import { inTransaction } from '../store/transaction.js';
import { claimFirstWorkspace } from '../workspaces/first.js';
import { addressOf, findLink, type LinkDeps, makeLink, useLink } from './links.js';
import { createAgent } from './members.js';
import { addMember } from './membership.js';
import { InstallationModel } from './model.js';
import { hashPassword } from './passwords.js';

/** Whether this installation has no owner yet. */
export async function isSetUpNeeded(): Promise<boolean> {
  return (await InstallationModel.exists({ _id: 'owner' })) === null;
}

/** The one-time link by which the first owner is made; null when there is one. Each start prints a new one. */
export async function makeSetupLink(deps: LinkDeps): Promise<string | null> {
  if (!(await isSetUpNeeded())) return null;
  return addressOf(deps, await makeLink(deps, 'setup', limits.setupTokenHours * 3_600_000));
}

/**
 * Makes the first workspace and its owner. However many links were printed and however many try at once, it happens
 * once in the life of an installation.
 * @returns the owner's id
 * @throws AppError `link_used`
 */
export async function setUp(input: v.InferOutput<typeof SetUp>): Promise<string> {
  const link = await findLink('setup', input.token);
  const passwordHash = await hashPassword(input.password);
  const agentId = newId();
  try {
    await inTransaction(async (session) => {
      await useLink(link, session);
      await InstallationModel.create([{ _id: 'owner', agentId, at: new Date() }], { session });
      await createAgent({ agentId, email: input.email, name: input.name, passwordHash }, session);
      const workspaceId = await claimFirstWorkspace(input.workspace, session);
      await addMember({ workspaceId, agentId, role: 'owner' }, session);
    });
  } catch (error) {
    if (isDuplicateKey(error)) throw new AppError('link_used', undefined, { cause: error });
    throw error;
  }
  return agentId;
}
