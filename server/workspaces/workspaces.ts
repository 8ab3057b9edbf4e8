import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { newId } from '../store/id.js';
import { countryOf, fallbackCountry } from './country.js';
import { WorkspaceModel, type WorkspaceRow } from './model.js';
import type { Scope } from './scope.js';

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

function checkedCountry(text: string): string {
  const country = countryOf(text);
  if (country === null) {
    throw new AppError('bad_request', { field: 'defaultCountry', problem: 'No country of ISO 3166-1.' });
  }
  return country;
}
