import { randomBytes } from 'node:crypto';
import type { ContactFields } from '../../shared/events/contact.js';
import type { Channel } from '../../shared/events/parts.js';
import { createAgent } from '../agents/members.js';
import { addMember } from '../agents/membership.js';
import { AgentModel, MembershipModel } from '../agents/model.js';
import { hashPassword } from '../agents/passwords.js';
import { makeClaim } from '../contacts/claims.js';
import { createContact } from '../contacts/create.js';
import { proveIdentity } from '../contacts/prove.js';
import { listInboxes } from '../inboxes/inboxes.js';
import { newId } from '../store/id.js';
import { inTransaction } from '../store/transaction.js';
import { append, type DraftEvent } from '../timeline/append.js';
import type { Scope } from '../workspaces/scope.js';
import { UsageError } from './command.js';
import { colleagues, type Entry, type Person, people, type Who } from './demo-story.js';

type Agents = Readonly<Record<Who, string>>;

export interface Told {
  contacts: number;
  chats: number;
  emails: number;
  calls: number;
  notes: number;
}

interface Telling {
  importId: string;
  agents: Agents;
  now: Date;
}

/** Addresses of demo colleagues: under a name that no mail ever reaches, and by which they are found again. */
const colleagueEmail = (workspaceId: string, who: Who): string => `${who}@${workspaceId}.demo.invalid`;
const whos = Object.keys(colleagues) as Who[];

/** Two colleagues to write the answers. Nobody can sign in as them: they are not active, and nobody knows the password. */
export async function addColleagues({ workspaceId }: Scope): Promise<Agents> {
  const ids: Partial<Record<Who, string>> = {};
  for (const who of whos) {
    const email = colleagueEmail(workspaceId, who);
    const existing = await AgentModel.findOne({ email }, { _id: 1 }).lean();
    const agentId = existing?._id ?? newId();
    if (!existing) {
      const passwordHash = await hashPassword(randomBytes(32).toString('base64url'));
      await inTransaction((session) =>
        createAgent({ agentId, email, name: colleagues[who], passwordHash }, session),
      );
    }
    await addMember({ workspaceId, agentId, role: 'agent' });
    await MembershipModel.updateOne({ workspaceId, agentId }, { $set: { active: false } });
    ids[who] = agentId;
  }
  return { maya: ids.maya ?? '', pavel: ids.pavel ?? '' };
}

export async function removeColleagues({ workspaceId }: Scope): Promise<void> {
  const emails = whos.map((who) => colleagueEmail(workspaceId, who));
  const agents = await AgentModel.find({ email: { $in: emails } }, { _id: 1 }).lean();
  const ids = agents.map(({ _id }) => _id);
  await MembershipModel.deleteMany({ workspaceId, agentId: { $in: ids } });
  await AgentModel.deleteMany({ _id: { $in: ids } });
}

interface Line {
  person: Person;
  contactId: string;
  entry: Entry;
  at: Date;
}

/** Tells the whole story in the order in which it happened, as the real things would have arrived. */
export async function tellStory(
  scope: Scope,
  telling: Telling,
  progress: (done: number, all: number) => void,
): Promise<Told> {
  const inboxes = await inboxesOf(scope);
  const lines: Line[] = [];
  for (const person of people) {
    const contactId = await addPerson(scope, telling, person);
    for (const entry of person.entries) {
      lines.push({ person, contactId, entry, at: timeOf(entry, telling.now) });
    }
  }
  lines.sort((a, b) => a.at.getTime() - b.at.getTime());
  const told: Told = { contacts: people.length, chats: 0, emails: 0, calls: 0, notes: 0 };
  const begun = new Map<string, Begun>();
  for (const [index, line] of lines.entries()) {
    await tell(scope, telling, line, index, inboxes, begun, told);
    progress(index + 1, lines.length);
  }
  return told;
}

type Inboxes = Readonly<Record<Channel, string>>;

async function inboxesOf(scope: Scope): Promise<Inboxes> {
  const found: Partial<Record<Channel, string>> = {};
  for (const { channel, _id } of await listInboxes(scope)) found[channel] ??= _id;
  const { chat, email, phone } = found;
  if (!chat || !email || !phone) throw new UsageError('The demo needs a chat, an e-mail and a phone inbox.');
  return { chat, email, phone };
}

/** Today's entries keep their hour while it has passed, and are moved to just now when it has not. */
function timeOf(entry: Entry, now: Date): Date {
  const day = new Date(now.getTime() - entry.daysAgo * 24 * 3_600_000).toISOString().slice(0, 10);
  const at = new Date(`${day}T${entry.at}:00.000Z`);
  if (at.getTime() <= now.getTime()) return at;
  const minute = Number(entry.at.slice(3));
  return new Date(now.getTime() - (60 - minute) * 60_000);
}

async function addPerson(scope: Scope, { importId, now }: Telling, person: Person): Promise<string> {
  const firstDay = Math.max(...person.entries.map(({ daysAgo }) => daysAgo));
  const at = new Date(now.getTime() - (firstDay + 1) * 24 * 3_600_000);
  const contactId = await createContact(scope, { given: { name: person.name }, importId });
  for (const type of ['email', 'phone'] as const) {
    const value = person[type];
    if (value === undefined) continue;
    if (person.claimed) await makeClaim(scope, contactId, { type, value, source: 'form', importId, at });
    else await proveIdentity(scope, contactId, { type, value, proof: 'agent', importId, at });
  }
  const changes: ContactFields = {
    city: person.city,
    language: person.language,
    timeZone: person.timeZone,
    ...(person.company !== undefined && { company: person.company }),
  };
  await append(scope, {
    kind: 'contact_changed',
    body: { changes },
    channel: null,
    direction: 'internal',
    actor: { type: 'system' },
    dedupeKey: `demo:${importId}:fields:${person.key}`,
    occurredAt: at,
    contactId,
    importId,
  });
  return contactId;
}

interface Begun {
  id: string;
  /** Message-IDs of the thread so far. */
  letters: string[];
}

async function tell(
  scope: Scope,
  telling: Telling,
  line: Line,
  index: number,
  inboxes: Inboxes,
  begun: Map<string, Begun>,
  told: Told,
): Promise<void> {
  const { person, contactId, entry, at } = line;
  const threadKey = `${person.key}:${entry.thread}`;
  const thread = begun.get(threadKey);
  const channel = channelOf(person, entry);
  const inboxId = inboxes[channel];
  const agentId = entry.kind !== 'close' && entry.by !== 'customer' ? telling.agents[entry.by] : null;
  const common = {
    channel,
    direction: directionOf(entry),
    actor: actorOf(entry, contactId, agentId),
    dedupeKey: `demo:${telling.importId}:${index}`,
    occurredAt: at,
    contactId,
    inboxId,
    importId: telling.importId,
    conversation: thread
      ? { id: thread.id }
      : {
          open: { key: `demo:${telling.importId}:${threadKey}`, inboxId, subject: subjectOf(entry, person) },
        },
  };
  const letterId = `${index}.${telling.importId}@demo.invalid`;
  const { event } = await append(scope, draftOf(common, line, letterId, thread?.letters ?? []));
  const letters = [...(thread?.letters ?? []), ...(entry.kind === 'mail' ? [letterId] : [])];
  if (event.conversationId !== undefined) begun.set(threadKey, { id: event.conversationId, letters });
  if (entry.kind === 'chat') told.chats += 1;
  else if (entry.kind === 'mail') told.emails += 1;
  else if (entry.kind === 'call') told.calls += 1;
  else if (entry.kind === 'note') told.notes += 1;
}

function channelOf(person: Person, entry: Entry): Channel {
  const first = person.entries.find(({ thread, kind }) => thread === entry.thread && kind !== 'note');
  if (first?.kind === 'mail') return 'email';
  return first?.kind === 'call' ? 'phone' : 'chat';
}

function directionOf(entry: Entry): 'in' | 'out' | 'internal' {
  if (entry.kind === 'close' || entry.kind === 'note') return 'internal';
  return entry.by === 'customer' ? 'in' : 'out';
}

function actorOf(entry: Entry, contactId: string, agentId: string | null): DraftEvent['actor'] {
  if (agentId !== null) return { type: 'agent', id: agentId };
  return entry.kind === 'close' ? { type: 'system' } : { type: 'contact', id: contactId };
}

function subjectOf(entry: Entry, person: Person): string {
  if (entry.kind === 'mail') return entry.subject;
  return entry.kind === 'call' ? (person.phone ?? '') : '';
}

type Draft<K extends DraftEvent['kind']> = Extract<DraftEvent, { kind: K }>;
type Common = Omit<Draft<'message'>, 'kind' | 'body'>;

function draftOf(common: Common, line: Line, letterId: string, letters: readonly string[]): DraftEvent {
  const { entry } = line;
  switch (entry.kind) {
    case 'chat':
      return {
        ...common,
        kind: 'message',
        body: { text: entry.text, attachments: [], clientId: common.dedupeKey.slice(-60) },
      };
    case 'note':
      return {
        ...common,
        kind: 'note',
        body: { text: entry.text, attachments: [], clientId: common.dedupeKey.slice(-60) },
      };
    case 'close':
      return { ...common, kind: 'status_changed', body: { from: 'open', to: 'closed' } };
    case 'mail':
      return { ...common, kind: 'email', body: mailBody(line, entry, letterId, letters) };
    case 'call':
      return { ...common, kind: 'call', body: callBody(line, entry) };
  }
}

function mailBody(
  { person }: Line,
  entry: Extract<Entry, { kind: 'mail' }>,
  letterId: string,
  letters: readonly string[],
): Draft<'email'>['body'] {
  const customer = { name: person.name, address: person.email ?? '' };
  const shop = { name: 'Kestrel Cycles', address: 'hello@kestrel-cycles.example' };
  const isIn = entry.by === 'customer';
  const last = letters.at(-1);
  return {
    messageId: `<${letterId}>`,
    inReplyTo: last === undefined ? [] : [`<${last}>`],
    references: letters.map((id) => `<${id}>`),
    from: isIn ? customer : shop,
    to: [isIn ? shop : customer],
    cc: [],
    subject: entry.subject,
    text: entry.text,
    attachments: [],
    ...(isIn && {
      proof: person.claimed
        ? { verified: false, method: 'none', reason: 'no_results' }
        : { verified: true, method: 'agent' },
    }),
  };
}

function callBody({ person, at }: Line, entry: Extract<Entry, { kind: 'call' }>): Draft<'call'>['body'] {
  const answeredAt = new Date(at.getTime() + entry.ringSeconds * 1_000);
  const endedAt = new Date(answeredAt.getTime() + entry.talkSeconds * 1_000);
  const customer = { shown: person.phone ?? '', e164: person.phone ?? '', name: person.name };
  const shop = { shown: '101', extension: '101' };
  const isIn = entry.by === 'customer';
  const who = entry.by === 'customer' ? colleagues.pavel : colleagues[entry.by];
  return {
    callId: `demo-${at.getTime()}`,
    from: isIn ? customer : shop,
    to: isIn ? shop : customer,
    ...(entry.outcome === 'answered' && { agent: who, answeredAt: answeredAt.toISOString() }),
    startedAt: at.toISOString(),
    endedAt: endedAt.toISOString(),
    outcome: entry.outcome,
    ringSeconds: entry.ringSeconds,
    talkSeconds: entry.talkSeconds,
    numberVerified: !isIn,
  };
}
