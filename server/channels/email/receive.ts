import { AppError } from '../../../shared/errors.js';
import type { EmailBody, SenderProof } from '../../../shared/events/email.js';
import type { FileRef } from '../../../shared/events/parts.js';
import { limits } from '../../../shared/limits.js';
import { putFile } from '../../files/files.js';
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
import { letterTime } from './when.js';
import { type Correspondent, correspondentOf, type KnownContacts, whoseLetter } from './whose.js';

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
  known: KnownContacts;
}

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

/** Files that are written at once: enough to keep the disk busy, few enough to keep memory flat. */
const filesAtOnce = 8;

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
  const results = new Map<RawLetter, Received>();
  const arrived: Arrived[] = [];
  for (const raw of raws) {
    const one = await decode(raw, options);
    if (one) arrived.push(one);
    else results.set(raw, { name: raw.name, outcome: 'broken', reason: 'not_mail' });
  }
  const fresh = await withoutDuplicates(scope, arrived, options, results);
  const drafts = await draftAll(scope, fresh, options);
  const settled = await appendAll(scope, drafts);
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
  return raws.map((raw) => results.get(raw) ?? { name: raw.name, outcome: 'duplicate' });
}

/** Null for what is no letter at all: a picture in a folder of letters is not somebody's broken mail. */
async function decode(raw: RawLetter, options: Receiving): Promise<Arrived | null> {
  const read = raw.bytes ? await parseLetter(raw.bytes) : parseHead(raw.head, 'too_large');
  if (read.unread === 'not_mail' && !raw.isFromMbox) return null;
  const letter: Letter = read.unread === 'not_mail' ? { ...read, unread: 'malformed' } : read;
  const proof = authenticate(letter.headers, letter.from, options);
  const correspondent = correspondentOf(letter, options.inbox.address);
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
    if (!seen.has(one.dedupeKey) && !(await isCopyOfOurs(scope, one, options))) {
      seen.add(one.dedupeKey);
      fresh.push(one);
    } else results.set(one.raw, { name: one.raw.name, outcome: 'duplicate' });
  }
  return fresh;
}

/** A reply that was written here stands on the timeline already; the copy in the mailbox's Sent folder is no other. */
async function isCopyOfOurs(scope: Scope, one: Arrived, options: Receiving): Promise<boolean> {
  if (one.correspondent.direction === 'in' || one.letter.messageId === '') return false;
  const contactId = await contactOf(scope, one, options, new Date());
  return isOurs(scope, options.inbox._id, contactId, one.letter.messageId);
}

const contactOf = (scope: Scope, one: Arrived, options: Receiving, at: Date): Promise<string> =>
  whoseLetter(
    scope,
    one.correspondent,
    { inboxId: options.inbox._id, importId: options.importId, at, key: one.identity, proof: one.proof },
    options.known,
  );

async function draftAll(scope: Scope, fresh: readonly Arrived[], options: Receiving): Promise<DraftEvent[]> {
  const now = new Date();
  const times = fresh.map(({ letter }) =>
    letterTime(letter.headers, letter.date, { trustedHost: options.trustedHost, now }),
  );
  const contactIds: string[] = [];
  for (const [index, one] of fresh.entries()) {
    contactIds.push(await contactOf(scope, one, options, times[index]?.occurredAt ?? now));
  }
  const stored = await inParallel(fresh, filesAtOnce, (one, index) =>
    storeFiles(scope, one, contactIds[index] ?? ''),
  );
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
    const time = times[index] ?? letterTime([], undefined, { now });
    return {
      kind: 'email',
      body: {
        ...bodyOf(letter),
        ...(stored[index] ?? { attachments: [] }),
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
      ...(options.importId !== undefined && { importId: options.importId }),
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

/** The letter as it came first of all: whatever is thought of it afterwards can be thought again. */
async function storeFiles(scope: Scope, { raw, letter }: Arrived, contactId: string): Promise<StoredFiles> {
  const put = (content: AsyncIterable<Uint8Array>, name: string) =>
    putFile(scope, content, { name, maxBytes: limits.emailRawBytes, contactId });
  const rawFile = await put(raw.content(), 'letter.eml').catch((error: unknown) => {
    // Beyond all measure: its head is told, and that it was too large.
    if (error instanceof AppError && error.code === 'file_too_large') return undefined;
    throw error;
  });
  const attachments: FileRef[] = [];
  const inline: { contentId: string; fileId: string }[] = [];
  for (const file of letter.files) {
    const stored = await put(onePiece(file.content), file.name);
    attachments.push(stored);
    if (file.contentId !== undefined) inline.push({ contentId: file.contentId, fileId: stored.fileId });
  }
  const html =
    letter.html !== undefined && Buffer.byteLength(letter.html) <= limits.emailHtmlBytes
      ? await put(onePiece(Buffer.from(letter.html)), 'letter.html')
      : undefined;
  return {
    ...(rawFile && { raw: rawFile }),
    attachments,
    ...(html && { html }),
    ...(inline.length > 0 && { inline }),
  };
}

async function* onePiece(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

/** Runs `work` over a list, at most `width` at once; results in order. */
async function inParallel<T, R>(
  list: readonly T[],
  width: number,
  work: (one: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lanes = Array.from({ length: Math.min(width, list.length) }, async () => {
    for (let index = next++; index < list.length; index = next++) {
      const one = list[index];
      if (one !== undefined) results[index] = await work(one, index);
    }
  });
  await Promise.all(lanes);
  return results;
}
