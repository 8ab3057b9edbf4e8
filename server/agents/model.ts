import mongoose from 'mongoose';
import type { Role } from '../../shared/api.js';

/**
 * Agents: people who use the console. An agent is one person with one password, whatever number of workspaces it
 * belongs to; what it may do in one stands in its membership. Agents, sessions and links belong to a person and not to
 * a workspace, so every query of them is by that person's own id, or by a secret that only that person holds.
 */

export interface AgentRow {
  _id: string;
  /** Lower case; unique in the installation. */
  email: string;
  name: string;
  /** argon2id, in PHC form. */
  passwordHash: string;
  locale: 'en' | 'ru';
  availability: 'available' | 'away';
  createdAt: Date;
}

export interface MembershipRow {
  _id: string;
  workspaceId: string;
  agentId: string;
  role: Role;
  active: boolean;
  /** Goes up with every change among a workspace's owners, so that two who change each other at once collide. */
  revision: number;
  createdAt: Date;
}

/** One signed-in browser: a family of refresh tokens, of which only the latest is good. */
export interface SessionRow {
  _id: string;
  agentId: string;
  /** Which refresh token is the current one; goes up by one with each refresh. */
  generation: number;
  rotatedAt: Date;
  /** Mixed into the family's tokens, so that the key alone does not make one. */
  salt: string;
  /** The address it was opened from: an address that once signed in is trusted more than one that never did. */
  address: string;
  createdAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
}

/** A link sent to somebody, good once. The token itself is not stored, only its hash. */
export interface LinkRow {
  _id: string;
  kind: 'setup' | 'reset' | 'invitation';
  tokenHash: string;
  agentId: string | null;
  workspaceId: string | null;
  email: string | null;
  role: Role | null;
  invitedBy: string | null;
  createdAt: Date;
  expiresAt: Date;
  usedAt: Date | null;
  revokedAt: Date | null;
}

/** Facts of the whole installation of which there can be one only. `owner`: the set-up has been done. */
export interface InstallationRow {
  _id: 'owner';
  agentId: string;
  at: Date;
}

const text = { type: String, required: true } as const;
const time = { type: Date, required: true } as const;
const options = { versionKey: false, strict: 'throw' } as const;

const agentSchema = new mongoose.Schema<AgentRow>(
  {
    _id: text,
    email: text,
    name: text,
    passwordHash: text,
    locale: { type: String, enum: ['en', 'ru'], required: true },
    availability: { type: String, enum: ['available', 'away'], required: true },
    createdAt: time,
  },
  options,
);
agentSchema.index({ email: 1 }, { unique: true });

const membershipSchema = new mongoose.Schema<MembershipRow>(
  {
    _id: text,
    workspaceId: text,
    agentId: text,
    role: { type: String, enum: ['owner', 'admin', 'agent'], required: true },
    active: { type: Boolean, required: true },
    revision: { type: Number, default: 0 },
    createdAt: time,
  },
  options,
);
membershipSchema.index({ workspaceId: 1, agentId: 1 }, { unique: true });
membershipSchema.index({ agentId: 1 });

const sessionSchema = new mongoose.Schema<SessionRow>(
  {
    _id: text,
    agentId: text,
    generation: { type: Number, required: true },
    rotatedAt: time,
    salt: text,
    address: { type: String, default: '' },
    createdAt: time,
    expiresAt: time,
    endedAt: { type: Date, default: null },
  },
  options,
);
sessionSchema.index({ agentId: 1, createdAt: 1 });

const linkSchema = new mongoose.Schema<LinkRow>(
  {
    _id: text,
    kind: { type: String, enum: ['setup', 'reset', 'invitation'], required: true },
    tokenHash: text,
    agentId: { type: String, default: null },
    workspaceId: { type: String, default: null },
    email: { type: String, default: null },
    role: { type: String, default: null },
    invitedBy: { type: String, default: null },
    createdAt: time,
    expiresAt: time,
    usedAt: { type: Date, default: null },
    revokedAt: { type: Date, default: null },
  },
  options,
);
linkSchema.index({ tokenHash: 1 }, { unique: true });
linkSchema.index({ workspaceId: 1, email: 1 });
linkSchema.index({ agentId: 1 });

const installationSchema = new mongoose.Schema<InstallationRow>(
  { _id: text, agentId: text, at: time },
  options,
);

export const AgentModel = mongoose.model<AgentRow>('Agent', agentSchema, 'agents');
export const MembershipModel = mongoose.model<MembershipRow>('Membership', membershipSchema, 'memberships');
export const SessionModel = mongoose.model<SessionRow>('Session', sessionSchema, 'sessions');
export const LinkModel = mongoose.model<LinkRow>('Link', linkSchema, 'links');
export const InstallationModel = mongoose.model<InstallationRow>(
  'Installation',
  installationSchema,
  'installation',
);
