import type { ClientSession } from 'mongoose';
import type { ClaimSource } from '../../shared/events/contact.js';
import type { Channel, IdentityType, Proof } from '../../shared/events/parts.js';
import { newId } from '../store/id.js';
import { appendInside, type DraftEvent } from '../timeline/append.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { insertClaim } from './claims.js';
import { createContact } from './create.js';
import { ContactModel, IdentityModel, type IdentityRow } from './model.js';
import { canonical } from './values.js';

/**
 * Whose is it? A proved value is its identity's contact. What nobody proved gathers on one contact for each inbox, type
 * and value, so that ten calls are not ten people, and stays apart from whoever really has that address: joining the
 * two is an agent's merge.
 */

const channelOf = { email: 'email', phone: 'phone' } as const satisfies Record<string, Channel>;

export interface Arrival {
  inboxId: string;
  type: 'email' | 'phone';
  value: string;
  /** What the sender calls itself. */
  name?: string | undefined;
  /** How this very arrival proved its sender; absent when it did not. */
  proved?: Proof | undefined;
  source: ClaimSource;
  importId?: string | undefined;
  /** When it happened: the time of the claim or proof on the timeline. Default: now. */
  at?: Date | undefined;
}

export interface Resolved {
  contactId: string;
  /** Whether this arrival proved who sent it. A call never does: its number can be forged. */
  verified: boolean;
}

/** The contact that a proved value belongs to; never a claim's. */
export async function resolveIdentity(
  scope: Pick<Scope, 'workspaceId'>,
  { type, value }: { type: IdentityType; value: string },
): Promise<string | null> {
  const row = await findIdentity(scope, type, canonical(type, value));
  return row?.contactId ?? null;
}

export const findIdentity = (
  scope: Pick<Scope, 'workspaceId'>,
  type: IdentityType,
  value: string,
  session: ClientSession | null = null,
): Promise<IdentityRow | null> =>
  IdentityModel.findOne({ workspaceId: scope.workspaceId, type, value }, null, { session }).lean();

/**
 * The contact for mail or a call that arrived, made if there is none.
 * @throws AppError `bad_request` for a value that is no address or number
 */
export async function resolveOrCreate(scope: Scope, arrival: Arrival): Promise<Resolved> {
  const value = canonical(arrival.type, arrival.value);
  const found = await findIdentity(scope, arrival.type, value);
  if (arrival.proved !== undefined) {
    if (found && hasProof(found, arrival.proved, arrival.importId)) {
      return { contactId: found.contactId, verified: true };
    }
    return { contactId: await provedContact(scope, arrival, value, arrival.proved), verified: true };
  }
  // A call goes to whoever proved that number, marked "not verified". Nobody's letter does: anybody can write a From line.
  if (found && arrival.type === 'phone') return { contactId: found.contactId, verified: false };
  return { contactId: await gatheringContact(scope, arrival, value), verified: false };
}

export const hasProof = (row: IdentityRow, proof: Proof, importId?: string): boolean =>
  row.proofs.some((one) => one.proof === proof && one.importId === importId);

const proofsKept = 20;

/** One more way in which it was proved, kept apart, so that undoing an import takes only its own. */
export async function addProof(
  scope: Pick<Scope, 'workspaceId'>,
  row: IdentityRow,
  proof: { proof: Proof; at: Date; importId?: string },
  session: ClientSession,
): Promise<void> {
  if (hasProof(row, proof.proof, proof.importId) || row.proofs.length >= proofsKept) return;
  await IdentityModel.updateOne(
    { _id: row._id, workspaceId: scope.workspaceId },
    { $push: { proofs: proof } },
    { session },
  );
}

async function provedContact(scope: Scope, arrival: Arrival, value: string, proof: Proof): Promise<string> {
  const at = arrival.at ?? new Date();
  const { importId } = arrival;
  const imported = importId === undefined ? {} : { importId };
  const { contactId, tell } = await transactOnce(async (session) => {
    const found = await findIdentity(scope, arrival.type, value, session);
    if (found) {
      await addProof(scope, found, { proof, at, ...imported }, session);
      return { contactId: found.contactId, tell: undefined };
    }
    const created = await createContact(scope, { given: { name: arrival.name }, importId }, session);
    const told = await insertIdentity(session, scope, {
      contactId: created,
      type: arrival.type,
      value,
      proof: { proof, at, ...imported },
      inboxId: arrival.inboxId,
    });
    return { contactId: created, tell: told };
  });
  tell?.();
  return contactId;
}

export interface NewIdentity {
  contactId: string;
  type: IdentityType;
  value: string;
  proof: IdentityRow['proofs'][number];
  inboxId?: string;
}

/** Writes an identity and its event; the caller calls what it returns after its commit. @throws DuplicateKey */
export async function insertIdentity(
  session: ClientSession,
  scope: Scope,
  identity: NewIdentity,
): Promise<() => void> {
  const { row, draft } = identityRow(scope, identity);
  await IdentityModel.create([row], { session });
  if (!draft) return () => {};
  const { tell } = await appendInside(session, scope, [draft]);
  return tell;
}

/** An identity and the event that says so, not written yet. */
export function identityRow(
  scope: Scope,
  identity: NewIdentity,
): { row: IdentityRow; draft: DraftEvent | null } {
  const { type, value, proof, contactId } = identity;
  const _id = newId();
  const { workspaceId } = scope;
  const row = { _id, workspaceId, contactId, type, value, proofs: [proof], createdAt: new Date() };
  // A browser's secret is its key, not news about the customer; and it must never stand on a timeline.
  if (type === 'visitor') return { row, draft: null };
  const draft: DraftEvent = {
    kind: 'identity_proved',
    body: { type, value, proof: proof.proof },
    channel: type === 'external' ? null : channelOf[type],
    direction: 'internal',
    actor: scope.actor,
    dedupeKey: `identity:${_id}`,
    occurredAt: proof.at,
    contactId,
    ...(identity.inboxId !== undefined && { inboxId: identity.inboxId }),
    ...(proof.importId !== undefined && { importId: proof.importId }),
  };
  return { row, draft };
}

/** The key of the one contact on which an unproved sender's letters or calls gather. */
export const gathersUnder = (arrival: Pick<Arrival, 'inboxId' | 'type'>, value: string): string =>
  `${arrival.inboxId}:${arrival.type}:${value}`;

async function gatheringContact(scope: Scope, arrival: Arrival, value: string): Promise<string> {
  const gathers = gathersUnder(arrival, value);
  const { workspaceId } = scope;
  const existing = await ContactModel.findOne({ workspaceId, gathers }, { _id: 1 }).lean();
  if (existing) return existing._id;
  const { contactId, tell } = await transactOnce(async (session) => {
    const found = await ContactModel.findOne({ workspaceId, gathers }, { _id: 1 }, { session }).lean();
    if (found) return { contactId: found._id, tell: undefined };
    const { name, importId, type, source } = arrival;
    const created = await createContact(scope, { given: { name }, gathers, importId }, session);
    const told = await insertClaim(session, scope, created, {
      type,
      value,
      source,
      importId,
      at: arrival.at,
      inboxId: arrival.inboxId,
    });
    return { contactId: created, tell: told };
  });
  tell?.();
  return contactId;
}
