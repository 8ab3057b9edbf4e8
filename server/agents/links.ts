import type mongoose from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { consoleLink, type LinkKind } from '../../shared/links.js';
import { newId } from '../store/id.js';
import { LinkModel, type LinkRow } from './model.js';
import { hashToken, linkToken } from './tokens.js';

export interface LinkDeps {
  secretKey: string;
  publicUrl: string;
}

type About = Partial<Pick<LinkRow, 'agentId' | 'workspaceId' | 'email' | 'role' | 'invitedBy'>>;

/** Makes a link that is good once, until it expires. */
export async function makeLink(
  deps: LinkDeps,
  kind: LinkKind,
  lifeMs: number,
  about: About = {},
): Promise<LinkRow> {
  const now = new Date();
  const id = newId();
  const row: LinkRow = {
    _id: id,
    kind,
    tokenHash: hashToken(linkToken(deps.secretKey, kind, id)),
    agentId: about.agentId ?? null,
    workspaceId: about.workspaceId ?? null,
    email: about.email ?? null,
    role: about.role ?? null,
    invitedBy: about.invitedBy ?? null,
    createdAt: now,
    expiresAt: new Date(now.getTime() + lifeMs),
    usedAt: null,
    revokedAt: null,
  };
  await LinkModel.create(row);
  return row;
}

/** The address to send to somebody. Made again from the id each time: nothing that is stored holds the token. */
export function addressOf(deps: LinkDeps, link: Pick<LinkRow, '_id' | 'kind'>): string {
  return consoleLink(deps.publicUrl, link.kind, linkToken(deps.secretKey, link.kind, link._id));
}

/**
 * The link behind a token, if it is still good. Reading does not use it.
 * @throws AppError `link_used`: used, expired, revoked, or never made; the answer does not tell which
 */
export async function findLink(kind: LinkKind, token: string): Promise<LinkRow> {
  const row = await LinkModel.findOne({ kind, tokenHash: hashToken(token) }).lean();
  if (!row || row.usedAt || row.revokedAt || row.expiresAt.getTime() <= Date.now()) {
    throw new AppError('link_used');
  }
  return row;
}

/**
 * Uses a link up, inside the transaction of what it allows. Of two at once, one wins and the other is refused.
 * @throws AppError `link_used`
 */
export async function useLink(link: LinkRow, session: mongoose.ClientSession): Promise<void> {
  const used = await LinkModel.updateOne(
    { _id: link._id, kind: link.kind, usedAt: null, revokedAt: null, expiresAt: { $gt: new Date() } },
    { $set: { usedAt: new Date() } },
    { session },
  );
  if (used.modifiedCount !== 1) throw new AppError('link_used');
}

/** Makes links useless: to the same person, whom a newer one replaces, or by somebody who may not invite any more. */
export async function revokeLinks(
  kind: LinkKind,
  about:
    | { agentId: string }
    | { workspaceId: string; email: string }
    | { workspaceId: string; invitedBy: string },
  session?: mongoose.ClientSession,
): Promise<void> {
  await LinkModel.updateMany(
    { kind, ...about, usedAt: null },
    { $set: { revokedAt: new Date() } },
    { ...(session && { session }) },
  );
}
