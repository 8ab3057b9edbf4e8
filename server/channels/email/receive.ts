import { AppError } from '../../../shared/errors.js';
import type { EmailBody, SenderProof } from '../../../shared/events/email.js';
import type { FileRef } from '../../../shared/events/parts.js';
import { limits } from '../../../shared/limits.js';
import { putFile } from '../../files/files.js';
import { type HeldFile, putFiles } from '../../files/put-many.js';
import { appendAll, type DraftEvent } from '../../timeline/append.js';
import { EventModel } from '../../timeline/model.js';
import type { Scope } from '../../workspaces/scope.js';
import { cutBytes } from './address.js';
import { authenticate } from './authenticate.js';
import type { RawLetter } from './mbox.js';
import { hashOf, type Letter, parseHead, parseLetter } from './parse.js';
import { splitQuoted } from './quote.js';
import type { Unread } from './scan.js';
import { isOurs, threadKeys } from './thread.js';
import { type LetterTime, letterTime } from './when.js';
import { type Correspondent, correspondentOf, type KnownContacts, whoseLetters } from './whose.js';

/**
 * The one pipeline of incoming mail, from bytes to timelines: decode, authenticate, identify, deduplicate, resolve,
 * store raw, thread, append. Takes letters in batches, since what is looked up and written for one can be for many.
 */

export interface Receiving {
  inbox: { _id: string; address: string | null };
  /** authserv-id of the mail host whose word is taken; without it no sender is proved by mail. */
  trustedHost?: string | undefined;
  /** The operator answers for the senders of these letters. */
  vouch?: boolean;
  importId?: string;
  run: ReceivingRun;
}

/** What batches that are received at the same time know of each other. */
export interface ReceivingRun {
  contacts: KnownContacts;
  /** Dedupe keys of letters that are being written. */
  underway: Set<string>;
  /** Resolves when the batch before has been appended: a thread is followed in the order of its letters. */
  before: Promise<void>;
}

export const newRun = (): ReceivingRun => ({
  contacts: new Map(),
  underway: new Set(),
  before: Promise.resolve(),
});

/** What became of a letter. */
export interface Received {
  name: string;
  outcome: 'imported' | 'duplicate' | 'broken';
  /** Of a broken one: why it could not be read. */
  reason?: Unread;
  /** Absent when nothing was kept: it was no letter at all. */
  eventId?: string;
}

interface Arrived {
  raw: RawLetter;
  letter: Letter;
  proof: SenderProof;
  correspondent: Correspondent;
  /** Half of the dedupe key: sender, whether proved, Message-ID, content. */
  identity: string;
  dedupeKey: string;
}

/**
 * Puts letters onto timelines, in the order given. What was here already adds nothing; what cannot be read is kept as
 * it came, on an event that says so.
 * @throws AppError `store_unavailable`, `store_full`: what was not appended may be given again
 */
export async function receiveLetters(
  scope: Scope,
  raws: readonly RawLetter[],
  options: Receiving,
): Promise<Received[]> {
  const { run } = options;
  const { before } = run;
  let appended = (): void => {};
  let failed = (_error: unknown): void => {};
  run.before = new Promise((resolve, reject) => {
    appended = resolve;
    failed = reject;
  });
  // Whoever comes next looks at it, and perhaps nobody comes.
  run.before.catch(() => {});
  const results = new Map<RawLetter, Received>();
  let fresh: Arrived[] = [];
  try {
    const arrived: Arrived[] = [];
    for (const raw of raws) {
      const one = await decode(raw, options);
      if (one) arrived.push(one);
      else results.set(raw, { name: raw.name, outcome: 'broken', reason: 'not_mail' });
    }
    fresh = await withoutDuplicates(scope, arrived, options, results);
    const kept = await keepAll(scope, fresh, options);
    await before;
    const settled = await appendAll(scope, await draftAll(scope, fresh, kept, options));
    for (const [index, outcome] of settled.entries()) {
      const one = fresh[index];
      if (!one) continue;
      if (outcome instanceof AppError) throw outcome;
      const { unread } = one.letter;
      results.set(one.raw, {
        name: one.raw.name,
        outcome: !outcome.isFirst ? 'duplicate' : unread ? 'broken' : 'imported',
        ...(unread && { reason: unread }),
        eventId: outcome.event.id,
      });
    }
    appended();
  } catch (error) {
    // Those behind end with it: given again, all come in their order.
    failed(error);
    throw error;
  } finally {
    for (const one of fresh) run.underway.delete(one.dedupeKey);
  }
  return raws.map((raw) => results.get(raw) ?? { name: raw.name, outcome: 'duplicate' });
}

/** Null for what is no letter at all: a picture in a folder of letters is not somebody's broken mail. */
async function decode(raw: RawLetter, options: Receiving): Promise<Arrived | null> {
  const read = raw.bytes ? await parseLetter(raw.bytes) : parseHead(raw.head, 'too_large');
  if (read.unread === 'not_mail' && !raw.isFromMbox) return null;
  const letter: Letter = read.unread === 'not_mail' ? { ...read, unread: 'malformed' } : read;
  const proof = authenticate(letter.headers, letter.from, options);
  const correspondent = correspondentOf(letter, options.inbox.address, proof);
  // The sender is part of it, proved or not: nobody can hide a letter by sending its Message-ID first.
  const content = letter.messageId === '' || letter.unread ? raw.sha256() : letter.contentHash;
  const identity = hashOf([
    proof.verified ? 'proved' : 'unproved',
    letter.from.problem ?? '',
    letter.from.address,
    letter.messageId,
    content,
  ]);
  return { raw, letter, proof, correspondent, identity, dedupeKey: `email:${options.inbox._id}:${identity}` };
}

async function withoutDuplicates(
  scope: Scope,
  arrived: readonly Arrived[],
  options: Receiving,
  results: Map<RawLetter, Received>,
): Promise<Arrived[]> {
  if (arrived.length === 0) return [];
  const keys = arrived.map((one) => one.dedupeKey);
  const events = await EventModel.find(
    { workspaceId: scope.workspaceId, dedupeKey: { $in: keys } },
    { dedupeKey: 1 },
  ).lean();
  const seen = new Set(events.map((event) => event.dedupeKey));
  const fresh: Arrived[] = [];
  for (const one of arrived) {
    const isKnown = seen.has(one.dedupeKey) || options.run.underway.has(one.dedupeKey);
    if (!isKnown && !(await isCopyOfOurs(scope, one, options))) {
      options.run.underway.add(one.dedupeKey);
      fresh.push(one);
    } else results.set(one.raw, { name: one.raw.name, outcome: 'duplicate' });
  }
  return fresh;
}

/** A reply that was written here stands on the timeline already; the copy in the mailbox's Sent folder is no other. */
async function isCopyOfOurs(scope: Scope, one: Arrived, options: Receiving): Promise<boolean> {
  if (one.correspondent.direction === 'in' || one.letter.messageId === '') return false;
  const [contactId = ''] = await contactsOf(scope, [one], [], options);
  return isOurs(scope, options.inbox._id, contactId, one.letter.messageId);
}

const contactsOf = (
  scope: Scope,
  letters: readonly Arrived[],
  times: readonly LetterTime[],
  options: Receiving,
): Promise<string[]> =>
  whoseLetters(
    scope,
    letters.map(({ correspondent, identity, proof }, index) => ({
      correspondent,
      proof,
      key: identity,
      inboxId: options.inbox._id,
      importId: options.importId,
      at: times[index]?.occurredAt ?? new Date(),
    })),
    options.run.contacts,
  );

interface Kept {
  times: LetterTime[];
  contactIds: string[];
  files: StoredFiles[];
}

/** Whose each letter is, and all that it holds, in the store: the part that batches do side by side. */
async function keepAll(scope: Scope, fresh: readonly Arrived[], options: Receiving): Promise<Kept> {
  const now = new Date();
  const times = fresh.map(({ letter }) =>
    letterTime(letter.headers, letter.date, { trustedHost: options.trustedHost, now }),
  );
  const contactIds = await contactsOf(scope, fresh, times, options);
  return { times, contactIds, files: await storeFiles(scope, fresh, contactIds) };
}

async function draftAll(
  scope: Scope,
  fresh: readonly Arrived[],
  { times, contactIds, files }: Kept,
  options: Receiving,
): Promise<DraftEvent[]> {
  const keys = await threadKeys(
    scope,
    options.inbox._id,
    fresh.map((one, index) => ({
      contactId: contactIds[index] ?? '',
      letter: one.letter,
      ownKey: `email:${options.inbox._id}:${contactIds[index]}:${one.identity.slice(0, 40)}`,
    })),
  );
  return fresh.map((one, index): DraftEvent => {
    const { letter, correspondent } = one;
    const contactId = contactIds[index] ?? '';
    const time = times[index] ?? letterTime([], undefined, { now: new Date() });
    return {
      kind: 'email',
      body: {
        ...bodyOf(letter),
        ...(files[index] ?? { attachments: [] }),
        proof: one.proof,
        timeFrom: time.timeFrom,
        ...(time.dateHeader !== undefined && { dateHeader: time.dateHeader }),
      },
      channel: 'email',
      direction: correspondent.direction,
      actor: correspondent.direction === 'in' ? { type: 'contact', id: contactId } : { type: 'system' },
      dedupeKey: one.dedupeKey,
      occurredAt: time.occurredAt,
      contactId,
      inboxId: options.inbox._id,
      conversation: {
        open: {
          key: keys[index] ?? '',
          inboxId: options.inbox._id,
          subject: conversationSubject(letter.subject),
        },
      },
      ...(options.importId !== undefined && { importId: options.importId, fromArchive: true }),
    };
  });
}

/** `Re: AW: Fwd: [list] Order` begins a conversation called `[list] Order`. */
const conversationSubject = (subject: string): string =>
  subject.replace(
    /^(?:\s*(?:re|fwd?|aw|wg|sv|vs|antw|tr|rv|odp|отв|ответ|ha|пер|回复|答复|转发)(?:\[\d+\])?\s*[:：])+\s*/i,
    '',
  );

type EventBody = Omit<EmailBody, 'attachments'>;

function bodyOf(letter: Letter): EventBody {
  const { before, shown, after } = splitQuoted(letter.text, letter.quoteStart);
  const text = cutBytes(shown, limits.emailTextBytes);
  const quoted = cutBytes(before + after, limits.emailTextBytes);
  const isShortened =
    text.length < shown.length ||
    quoted.length < before.length + after.length ||
    Buffer.byteLength(letter.html ?? '') > limits.emailHtmlBytes;
  const answersTo = letter.replyTo[0];
  const cut = (value: string) => cutBytes(value, 4_000);
  return {
    messageId: cut(letter.messageId),
    inReplyTo: letter.inReplyTo.map(cut),
    references: letter.references.map(cut),
    from: { name: letter.from.name, address: letter.from.address },
    ...(answersTo && answersTo.address !== letter.from.address && { replyTo: answersTo }),
    to: letter.to,
    cc: letter.cc,
    subject: letter.subject,
    text,
    ...(quoted !== '' && { quoted }),
    ...(before !== '' && { quotedBefore: Math.min(before.length, quoted.length) }),
    ...(isShortened && { shortened: true }),
    ...(letter.automatic && { automatic: letter.automatic }),
    ...(letter.unread && { unread: letter.unread }),
  };
}

type StoredFiles = Pick<EmailBody, 'attachments'> & Partial<Pick<EmailBody, 'raw' | 'html' | 'inline'>>;

/**
 * The letters as they came first of all: whatever is thought of one afterwards can be thought again. What is in memory
 * is written with one commit for the whole batch.
 */
async function storeFiles(
  scope: Scope,
  fresh: readonly Arrived[],
  contactIds: readonly string[],
): Promise<StoredFiles[]> {
  const held: HeldFile[] = [];
  const hold = (content: Uint8Array, name: string, contactId: string): number =>
    held.push({ name, content, contactId }) - 1;
  const places = fresh.map(({ raw, letter }, index) => {
    const contactId = contactIds[index] ?? '';
    const { html } = letter;
    const keepsHtml = html !== undefined && Buffer.byteLength(html) <= limits.emailHtmlBytes;
    return {
      raw: raw.bytes ? hold(raw.bytes, 'letter.eml', contactId) : null,
      html: keepsHtml ? hold(Buffer.from(html), 'letter.html', contactId) : null,
      files: letter.files.map((file) => hold(file.content, file.name, contactId)),
    };
  });
  const refs = await putFiles(scope, held);
  const stored: StoredFiles[] = [];
  for (const [index, place] of places.entries()) {
    const one = fresh[index];
    if (!one) continue;
    const rawFile =
      place.raw === null ? await putLarge(scope, one.raw, contactIds[index] ?? '') : refs[place.raw];
    const html = place.html === null ? undefined : refs[place.html];
    const attachments = place.files.flatMap((at) => refs[at] ?? []);
    const inline = one.letter.files.flatMap(({ contentId }, at) => {
      const fileId = attachments[at]?.fileId;
      return contentId !== undefined && fileId !== undefined ? [{ contentId, fileId }] : [];
    });
    stored.push({
      ...(rawFile && { raw: rawFile }),
      attachments,
      ...(html && { html }),
      ...(inline.length > 0 && { inline }),
    });
  }
  return stored;
}

/** A letter that is not held in memory. Beyond all measure only its head is told, and that it was too large. */
async function putLarge(scope: Scope, raw: RawLetter, contactId: string): Promise<FileRef | undefined> {
  try {
    return await putFile(scope, raw.content(), {
      name: 'letter.eml',
      maxBytes: limits.emailRawBytes,
      contactId,
    });
  } catch (error) {
    if (error instanceof AppError && error.code === 'file_too_large') return undefined;
    throw error;
  }
}
