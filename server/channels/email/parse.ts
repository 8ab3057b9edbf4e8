import { createHash } from 'node:crypto';
import PostalMime, { type Attachment } from 'postal-mime';
import type { MailAddress } from '../../../shared/events/email.js';
import { limits } from '../../../shared/limits.js';
import { cleanText } from '../../../shared/text.js';
import { cutBytes, type FromReading, readAddresses, readFrom } from './address.js';
import { type Automatic, automaticOf } from './automatic.js';
import { allOf, firstOf, type HeaderLine, readable, readHeaders, withoutComments } from './headers.js';
import { htmlToText } from './html-text.js';
import { repairParts } from './repair.js';
import { type Leaf, scanStructure, type Unread } from './scan.js';
import { unwrapped } from './unwrap.js';

/** A file in a letter. */
export interface LetterFile {
  /** As its sender called it, or a name by its kind; made safe where it is stored. */
  name: string;
  content: Uint8Array;
  /** Without its angle brackets: what `cid:` in the HTML names. */
  contentId?: string;
}

/** What a letter says, read as far as it can be read. */
export interface Letter {
  headers: readonly HeaderLine[];
  from: FromReading;
  replyTo: MailAddress[];
  to: MailAddress[];
  cc: MailAddress[];
  subject: string;
  /** With its angle brackets, as it came; empty when there is none. */
  messageId: string;
  inReplyTo: string[];
  references: string[];
  /** Outlook's own thread: the same 22 bytes (hex) in every letter of it. */
  threadIndex?: string;
  /** What the Date line says, when it says a time. */
  date?: Date;
  text: string;
  /** Where in `text` the HTML marked the letter that is answered. */
  quoteStart?: number;
  html?: string;
  files: LetterFile[];
  automatic?: Automatic;
  /** Set when its content could not be read; headers were read as far as they go. */
  unread?: Unread;
  /** SHA-256 of what was decoded: the same letter on another way has the same. */
  contentHash: string;
}

/** Reads a letter. Never throws: what cannot be read says so in `unread`. */
export async function parseLetter(raw: Uint8Array): Promise<Letter> {
  const bytes = unwrapped(raw);
  const headers = readHeaders(bytes, limits.emailHeaders).lines;
  if (!looksLikeMail(headers)) return withoutContent(headers, 'not_mail');
  if (bytes.length > limits.emailBytes) return withoutContent(headers, 'too_large');
  try {
    const scan = scanStructure(bytes);
    return 'unread' in scan
      ? withoutContent(headers, scan.unread)
      : await readContent(bytes, headers, scan.leaves);
  } catch {
    // Whatever a parser stumbles over: the letter is kept as it came, and says that nobody could read it.
    return withoutContent(headers, 'malformed');
  }
}

/** Of a letter that is too large to be held: its head alone. */
export function parseHead(head: Uint8Array, unread: Unread): Letter {
  return withoutContent(readHeaders(head, limits.emailHeaders).lines, unread);
}

const tellingNames = new Set(
  'from to subject date received message-id return-path delivered-to mime-version content-type sender reply-to cc in-reply-to references x-mailer envelope-to'.split(
    ' ',
  ),
);

/** Whether somebody could have sent this as mail: at least one header that letters have. */
export const looksLikeMail = (headers: readonly HeaderLine[]): boolean =>
  headers.some((line) => tellingNames.has(line.name));

function withoutContent(headers: readonly HeaderLine[], unread: Unread): Letter {
  const head = readHead(headers);
  return {
    ...head,
    text: '',
    files: [],
    unread,
    contentHash: hashOf([head.subject, head.from.address, unread]),
  };
}

function readHead(headers: readonly HeaderLine[]) {
  const date = readDate(firstOf(headers, 'date'));
  const threadIndex = readThreadIndex(firstOf(headers, 'thread-index'));
  return {
    headers,
    from: readFrom(allOf(headers, 'from')),
    replyTo: readAddresses(allOf(headers, 'reply-to').slice(0, 1)),
    to: readAddresses(allOf(headers, 'to')),
    cc: readAddresses(allOf(headers, 'cc')),
    subject: cutBytes(readable(firstOf(headers, 'subject') ?? ''), 4_096),
    messageId: readMessageIds(firstOf(headers, 'message-id') ?? '', 1)[0] ?? '',
    inReplyTo: readMessageIds(allOf(headers, 'in-reply-to').join(' '), 20),
    references: readMessageIds(allOf(headers, 'references').join(' '), 100),
    ...(threadIndex !== undefined && { threadIndex }),
    ...(date && { date }),
  };
}

/** `<id@host>`s in order, each once; of too many the first (the thread's root) and the last (the parents) are kept. */
export function readMessageIds(value: string, max: number): string[] {
  const found = new Set<string>();
  for (const match of value.slice(0, 64 * 1024).matchAll(/<([^<>\s]{1,900})>/g))
    found.add(`<${match[1] ?? ''}>`);
  if (found.size === 0) {
    // Some programs leave the brackets out.
    const bare = /^[^\s<>@]{1,400}@[^\s<>@]{1,400}$/.exec(value.trim());
    if (bare) found.add(`<${bare[0]}>`);
  }
  const list = [...found];
  if (list.length <= max) return list;
  return max === 1 ? list.slice(0, 1) : [...list.slice(0, 1), ...list.slice(-(max - 1))];
}

/**
 * A time as headers write it (RFC 5322, 3.3, and what old programs wrote); undefined when it is none. One that names no
 * zone is universal time (RFC 5322, 4.3), never that of the machine that reads it.
 */
export function readDate(value: string | undefined): Date | undefined {
  if (value === undefined) return undefined;
  const text = withoutComments(value.slice(0, 200)).replace(/\s+/g, ' ').trim();
  if (!/\d/.test(text)) return undefined;
  const withZone = /(?:[+-]\d{2}:?\d{2}|[A-Za-z])$/.test(text) ? text : `${text} +0000`;
  for (const attempt of [
    withZone,
    withZone.replace(/ [A-Za-z]{1,5}$/, ' +0000'),
    withZone.replace(/^\w{2,9},? /, ''),
  ]) {
    const date = new Date(attempt);
    const year = date.getUTCFullYear();
    if (year >= 1900 && year <= 2200) return date;
  }
  return undefined;
}

function readThreadIndex(value: string | undefined): string | undefined {
  if (value === undefined || !/^[A-Za-z0-9+/=\s]{28,4000}$/.test(value)) return undefined;
  const bytes = Buffer.from(value, 'base64');
  // MS-OXOMSG 2.2.1.3: a reserved byte, five bytes of time, a GUID; each answer adds five.
  return bytes.length >= 22 && bytes[0] === 1 ? bytes.subarray(0, 22).toString('hex') : undefined;
}

async function readContent(
  bytes: Uint8Array,
  headers: readonly HeaderLine[],
  leaves: readonly Leaf[],
): Promise<Letter> {
  const head = readHead(headers);
  const email = await PostalMime.parse(repairParts(bytes, leaves), {
    // A letter inside a letter is a file of it: its sender is somebody else.
    forceRfc822Attachments: true,
    maxNestingDepth: limits.emailDepth + 1,
  });
  const automatic = automaticOf(headers, {
    subject: head.subject,
    fromAddress: head.from.address,
    partTypes: leaves.map((leaf) => leaf.type),
  });
  const shown = shownText(email.text, email.html);
  const files = email.attachments.map(letterFile);
  return {
    ...head,
    ...shown,
    ...(email.html !== undefined && { html: email.html }),
    files,
    ...(automatic && { automatic }),
    contentHash: hashOf([
      head.subject,
      head.from.address,
      email.text ?? '',
      email.html ?? '',
      ...files.flatMap((file) => [file.name, createHash('sha256').update(file.content).digest('hex')]),
    ]),
  };
}

function shownText(
  plain: string | undefined,
  html: string | undefined,
): { text: string; quoteStart?: number } {
  const text = cleanText(plain ?? '')
    .replace(/^\ufeff/, '')
    .trimEnd();
  if (html === undefined || text.trim() !== '') return { text };
  const read = htmlToText(html);
  const clean = cleanText(read.text);
  return clean.length === read.text.length ? read : { text: clean };
}

const namesByType: readonly (readonly [RegExp, string])[] = [
  [/^message\/rfc822$/, 'letter.eml'],
  [/^text\/rfc822-headers$/, 'headers.txt'],
  [/^message\/delivery-status$/, 'delivery-status.txt'],
  [/^message\/feedback-report$/, 'feedback-report.txt'],
  [/^message\/disposition-notification$/, 'disposition.txt'],
  [/^(?:text\/calendar|application\/ics)$/, 'invitation.ics'],
  [/^application\/ms-tnef$/, 'winmail.dat'],
  [/^application\/pgp-signature$/, 'signature.asc'],
  [/^image\/(?:png|gif|webp)$/, 'image'],
];

function letterFile(attachment: Attachment): LetterFile {
  const { content, filename, mimeType } = attachment;
  const byType = namesByType.find(([pattern]) => pattern.test(mimeType))?.[1] ?? 'file';
  const name = readable(filename ?? '').replace(/^$/, byType);
  const contentId = /^<?([^<>\s]{1,400})>?$/.exec((attachment.contentId ?? '').trim())?.[1];
  return {
    name: cutBytes(name, 2_000),
    content: typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content),
    ...(contentId !== undefined && { contentId }),
  };
}

/** A hash in which no two lists of strings look the same. */
export function hashOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex');
}
