import type { Readable } from 'node:stream';
import type { SendMailOptions } from 'nodemailer';
import type { MailAddress } from '../../../shared/events/email.js';
import type { EventBody } from '../../../shared/events/kinds.js';

/**
 * A stored reply as the letter that leaves. Nothing of it is made up here, so that every attempt sends the same one;
 * and nothing in it can add a header: each value is put on one line, and the envelope is named apart from the headers.
 */
export function composeLetter(
  body: EventBody<'email'>,
  sentAt: Date,
  files: readonly { name: string; content: Readable }[],
): SendMailOptions {
  const everybody = [...body.to, ...body.cc].map((one) => oneLine(one.address));
  return {
    messageId: oneLine(body.messageId),
    date: sentAt,
    from: mailbox(body.from),
    to: body.to.map(mailbox),
    ...(body.cc.length > 0 && { cc: body.cc.map(mailbox) }),
    envelope: { from: oneLine(body.from.address), to: everybody },
    subject: oneLine(body.subject),
    ...(body.inReplyTo[0] !== undefined && { inReplyTo: oneLine(body.inReplyTo[0]) }),
    ...(body.references.length > 0 && { references: body.references.map(oneLine) }),
    text: body.text,
    html: htmlOf(body.text),
    attachments: files.map((file) => ({ filename: oneLine(file.name), content: file.content })),
    // What an agent or a customer wrote names neither a file of ours nor an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

const oneLine = (value: string): string => value.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim();
const mailbox = ({ name, address }: MailAddress) => ({ name: oneLine(name), address: oneLine(address) });

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? character);

/** The same text as HTML: paragraphs and line breaks, nothing else. */
export function htmlOf(text: string): string {
  const paragraphs = text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => `<p>${escaped(paragraph).replaceAll('\n', '<br>\n')}</p>`);
  return `<!doctype html>\n<html><head><meta charset="utf-8"></head><body>\n${paragraphs.join('\n')}\n</body></html>\n`;
}
