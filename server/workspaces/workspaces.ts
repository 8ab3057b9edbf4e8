import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { newId } from '../store/id.js';
import { WorkspaceModel, type WorkspaceRow } from './model.js';
import type { Scope } from './scope.js';

/** How numbers are read until the company says where it is. */
const fallbackCountry = 'US';

/** Makes a workspace, perhaps inside a transaction. `defaultCountry` is ISO 3166-1 alpha-2. */
export async function addWorkspace(
  name: string,
  defaultCountry = fallbackCountry,
  session?: ClientSession,
): Promise<WorkspaceRow> {
  const row: WorkspaceRow = {
    _id: newId(),
    name,
    defaultCountry: checkedCountry(defaultCountry),
    conversationCount: 0,
    createdAt: new Date(),
  };
  await WorkspaceModel.create([row], session ? { session } : {});
  return row;
}

/** @throws AppError `not_found` */
export async function getWorkspace(scope: Pick<Scope, 'workspaceId'>): Promise<WorkspaceRow> {
  const row = await WorkspaceModel.findOne({ _id: scope.workspaceId }).lean();
  if (!row) throw new AppError('not_found');
  return row;
}

/** All workspaces of this installation, oldest first: for the command line and the start, never for an agent. */
export async function listWorkspaces(limit = 1_000): Promise<WorkspaceRow[]> {
  return WorkspaceModel.find().sort({ createdAt: 1, _id: 1 }).limit(limit).lean();
}

function checkedCountry(country: string): string {
  const upper = country.toUpperCase();
  if (!/^[A-Z]{2}$/.test(upper)) throw new AppError('bad_request', { field: 'defaultCountry' });
  return upper;
}
