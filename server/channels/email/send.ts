import { Readable } from 'node:stream';
import { createTransport, type SendMailOptions } from 'nodemailer';
import * as v from 'valibot';
import type { EmailDeliveryBody } from '../../../shared/events/email.js';
import { Id } from '../../../shared/text.js';
import { openFile } from '../../files/files.js';
import { type DefinedJob, defineJob } from '../../jobs/define.js';
import { storeNow } from '../../store/clock.js';
import { append } from '../../timeline/append.js';
import { EventModel, type StoredEvent } from '../../timeline/model.js';
import { bodyOf } from '../../timeline/projection.js';
import { systemScope } from '../../workspaces/scope.js';
import { composeLetter } from './compose.js';

const SendPayload = v.object({ eventId: Id });

export interface SendSettings {
  /** `smtp://user:password@host:587`. Without it no letter leaves: their jobs wait in the store until there is one. */
  smtpUrl?: string | undefined;
  /** For tests: how soon a refused letter is tried again. */
  backoffMs?: number;
  attempts?: number;
}

/** About four days in all, as mail servers do it. */
const attempts = 26;
const backoffMs = 30_000;
const backoffMaxMs = 6 * 3_600_000;

export interface EmailSending {
  /** The kinds of jobs that this process runs: none without a mail server, so that letters wait, and are not lost. */
  jobs: DefinedJob<v.InferOutput<typeof SendPayload>>[];
  close(): void;
}

/** A letter, and how to learn whether it is still ours to send. */
interface HeldLetter extends SendMailOptions {
  confirmHold: () => Promise<void>;
}

/** A stream that asks before its first byte, when somebody reads it. */
async function* whenConfirmed(confirm: () => Promise<void>, input: AsyncIterable<Buffer>) {
  await confirm();
  yield* input;
}

/** Sends what agents wrote. At least once, always under one Message-ID by which a receiver drops a double. */
export function emailSending(settings: SendSettings): EmailSending {
  if (settings.smtpUrl === undefined) return { jobs: [], close: () => {} };
  const transport = createTransport({
    url: settings.smtpUrl,
    pool: true,
    maxConnections: 4,
    connectionTimeout: 30_000,
    greetingTimeout: 30_000,
    socketTimeout: 120_000,
  });
  // The mail server has taken the envelope and waits for the letter: the last moment at which it can be kept back.
  transport.use('stream', (mail, done) => {
    const { confirmHold } = mail.data as HeldLetter;
    mail.message.processFunc((input) =>
      Readable.from(whenConfirmed(confirmHold, input), { objectMode: false }),
    );
    done();
  });
  const lastAttempt = settings.attempts ?? attempts;
  const job = defineJob(
    'email.send',
    SendPayload,
    async ({ eventId }, { workspaceId, attempt, signal, confirmHold }) => {
      const event = await EventModel.findOne({ _id: eventId, workspaceId, kind: 'email' }).lean();
      if (!event || event.erased || (await isSettled(event))) return;
      const body = bodyOf(event, 'email');
      const scope = systemScope(workspaceId);
      const files = [];
      for (const { fileId, name } of body.attachments) {
        files.push({ name, content: await (await openFile(scope, fileId)).read() });
      }
      let answer: string;
      try {
        const letter: HeldLetter = { ...composeLetter(body, event.occurredAt, files), confirmHold };
        answer = (await transport.sendMail(letter)).response;
      } catch (error) {
        for (const file of files) file.content.destroy();
        // Whoever holds it now says what becomes of it.
        if (signal.aborted || (!isLasting(error) && attempt < lastAttempt)) throw error;
        await report(event, { state: 'failed', answer: answerOf(error), attempts: attempt });
        return;
      }
      await report(event, { state: 'sent', answer, attempts: attempt });
    },
    { attempts: lastAttempt, backoffMs: settings.backoffMs ?? backoffMs, backoffMaxMs },
  );
  return { jobs: [job], close: () => transport.close() };
}

const deliveryKey = (eventId: string, state: EmailDeliveryBody['state']): string =>
  `email-delivery:${eventId}:${state}`;

/** A job may run again after it was done: what was sent or given up is not sent again. */
async function isSettled(event: StoredEvent): Promise<boolean> {
  const { workspaceId, _id } = event;
  const keys = [deliveryKey(_id, 'sent'), deliveryKey(_id, 'failed')];
  return (await EventModel.exists({ workspaceId, dedupeKey: { $in: keys } })) !== null;
}

/** What became of it, as an event of its own: the letter's event is never changed. */
async function report(
  event: StoredEvent,
  outcome: { state: EmailDeliveryBody['state']; answer: string; attempts: number },
): Promise<void> {
  const { _id, workspaceId, contactId, conversationId, inboxId } = event;
  await append(systemScope(workspaceId), {
    kind: 'email_delivery',
    body: {
      eventId: _id,
      messageId: bodyOf(event, 'email').messageId,
      ...outcome,
      answer: outcome.answer.replace(/\s+/g, ' ').trim().slice(0, 500).toWellFormed(),
    },
    channel: 'email',
    direction: 'internal',
    actor: { type: 'system' },
    dedupeKey: deliveryKey(_id, outcome.state),
    occurredAt: storeNow(),
    contactId,
    ...(inboxId !== undefined && { inboxId }),
    ...(conversationId !== undefined && { conversation: { id: conversationId } }),
  });
}

interface SmtpFailure {
  responseCode?: unknown;
  response?: unknown;
  code?: unknown;
}
const failureOf = (error: unknown): SmtpFailure =>
  error instanceof Error ? Object.fromEntries(Object.entries(error)) : {};

/**
 * Whether another attempt would end the same. RFC 5321, 4.2.1: a 5yz answer is for good, a 4yz one for now. A server
 * that wants another password is the operator's to mend, and the letter waits for it.
 */
function isLasting(error: unknown): boolean {
  const { responseCode, code } = failureOf(error);
  if (code === 'EAUTH') return false;
  return typeof responseCode === 'number' ? responseCode >= 500 : code === 'EENVELOPE' || code === 'EMESSAGE';
}

/** The mail server's own words. The connection's own errors name hosts, never a password. */
function answerOf(error: unknown): string {
  const { response } = failureOf(error);
  if (typeof response === 'string') return response;
  return error instanceof Error ? error.message : String(error);
}
