import type { ClientSession } from 'mongoose';
import { appendInside, type DraftEvent } from '../timeline/append.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { claimRow } from './claims.js';
import { newContactRow } from './create.js';
import {
  ClaimModel,
  type ClaimRow,
  ContactModel,
  type ContactRow,
  IdentityModel,
  type IdentityRow,
} from './model.js';
import { type Arrival, gathersUnder, hasProof, identityRow, resolveOrCreate } from './resolve.js';
import { canonical } from './values.js';

/** One letter's sender, by the spelling that identities have. */
interface Sender extends Arrival {
  value: string;
}

/**
 * Whose each of these letters is, as `resolveOrCreate` says of one, in their order: those who are new are made with one
 * commit. For imports, in which nearly everybody is new at first.
 * @throws AppError `bad_request` for a value that is no address
 */
export async function resolveMany(
  scope: Scope,
  arrivals: readonly (Arrival & { type: 'email' })[],
): Promise<string[]> {
  const senders = arrivals.map(
    (arrival): Sender => ({ ...arrival, value: canonical('email', arrival.value) }),
  );
  const distinct = new Map(senders.map((sender) => [keyOf(sender), sender]));
  const known = await findKnown(scope, [...distinct.values()]);
  const fresh = [...distinct].filter(([key]) => !known.contacts.has(key));
  // An identity that is there already and proved anew needs one more proof on its row: seldom, so one by one.
  for (const [key, sender] of fresh.filter(([, one]) => known.provable.has(one.value) && one.proved)) {
    known.contacts.set(key, (await resolveOrCreate(scope, sender)).contactId);
  }
  const made = await makeAll(
    scope,
    fresh.map(([, sender]) => sender).filter((sender) => !known.contacts.has(keyOf(sender))),
  );
  return senders.map((sender) => {
    const contactId = known.contacts.get(keyOf(sender)) ?? made.get(keyOf(sender));
    if (contactId === undefined) throw new Error('A sender was neither found nor made.');
    return contactId;
  });
}

const keyOf = (sender: Sender): string =>
  `${sender.proved ? 'proved' : sender.inboxId} ${sender.proved ?? ''} ${sender.value}`;

async function findKnown(
  { workspaceId }: Pick<Scope, 'workspaceId'>,
  senders: readonly Sender[],
  session: ClientSession | null = null,
): Promise<{ contacts: Map<string, string>; provable: Set<string> }> {
  const proved = senders.filter((sender) => sender.proved !== undefined);
  const unproved = senders.filter((sender) => sender.proved === undefined);
  const identities =
    proved.length === 0
      ? []
      : await IdentityModel.find(
          { workspaceId, type: 'email', value: { $in: proved.map((sender) => sender.value) } },
          null,
          { session },
        ).lean();
  const gathering =
    unproved.length === 0
      ? []
      : await ContactModel.find(
          { workspaceId, gathers: { $in: unproved.map((sender) => gathersUnder(sender, sender.value)) } },
          { gathers: 1 },
          { session },
        ).lean();
  const byValue = new Map(identities.map((row) => [row.value, row]));
  const byKey = new Map(gathering.map((row) => [row.gathers, row._id]));
  const contacts = new Map<string, string>();
  for (const sender of proved) {
    const row = byValue.get(sender.value);
    if (row && sender.proved && hasProof(row, sender.proved, sender.importId)) {
      contacts.set(keyOf(sender), row.contactId);
    }
  }
  for (const sender of unproved) {
    const contactId = byKey.get(gathersUnder(sender, sender.value));
    if (contactId !== undefined) contacts.set(keyOf(sender), contactId);
  }
  return { contacts, provable: new Set(byValue.keys()) };
}

interface NewRows {
  contacts: ContactRow[];
  identities: IdentityRow[];
  claims: ClaimRow[];
  drafts: DraftEvent[];
}

/** New contacts with what is proved or said of them. Who loses a race for one starts again and finds the winner's. */
async function makeAll(scope: Scope, senders: readonly Sender[]): Promise<Map<string, string>> {
  if (senders.length === 0) return new Map();
  const { contacts, tell } = await transactOnce(async (session) => {
    const known = await findKnown(scope, senders, session);
    const rows: NewRows = {
      contacts: [],
      identities: [],
      claims: [],
      drafts: [],
    };
    for (const sender of senders) {
      if (known.contacts.has(keyOf(sender))) continue;
      known.contacts.set(keyOf(sender), addSender(scope, sender, rows));
    }
    const options = { session, ordered: true, lean: true } as const;
    await ContactModel.insertMany(rows.contacts, options);
    await IdentityModel.insertMany(rows.identities, options);
    await ClaimModel.insertMany(rows.claims, options);
    const appended = await appendInside(session, scope, rows.drafts);
    return { contacts: known.contacts, tell: appended.tell };
  });
  tell();
  return contacts;
}

function addSender(scope: Scope, sender: Sender, rows: NewRows): string {
  const { importId, proved, value, type, inboxId, name } = sender;
  const at = sender.at ?? new Date();
  const proof = { at, ...(importId !== undefined && { importId }) };
  const twin = proved && rows.identities.find((row) => row.value === value);
  if (proved && twin) {
    // The same address, proved in two ways by letters of one batch.
    twin.proofs.push({ proof: proved, ...proof });
    return twin.contactId;
  }
  const contact = newContactRow(scope, {
    given: { name },
    ...(proved === undefined && { gathers: gathersUnder(sender, value) }),
    importId,
  });
  rows.contacts.push(contact);
  const contactId = contact._id;
  if (proved) {
    const { row, draft } = identityRow(scope, {
      contactId,
      type,
      value,
      proof: { proof: proved, ...proof },
      inboxId,
    });
    rows.identities.push(row);
    if (draft) rows.drafts.push(draft);
  } else {
    const { row, draft } = claimRow(scope, contactId, {
      type,
      value,
      source: sender.source,
      importId,
      at,
      inboxId,
    });
    rows.claims.push(row);
    rows.drafts.push(draft);
  }
  return contactId;
}
