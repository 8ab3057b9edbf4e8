import { readFileSync } from 'node:fs';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { htmlOf } from '../../../server/channels/email/compose.js';
import { parseLetter } from '../../../server/channels/email/parse.js';
import { newRun, receiveLetters } from '../../../server/channels/email/receive.js';
import { emailDraft } from '../../../server/channels/email/reply.js';
import { emailSending } from '../../../server/channels/email/send.js';
import { getConversation } from '../../../server/conversations/conversations.js';
import { openBlobs } from '../../../server/files/blobs.js';
import { putFile } from '../../../server/files/files.js';
import { changeInbox } from '../../../server/inboxes/inboxes.js';
import { JobModel } from '../../../server/jobs/model.js';
import { startJobs } from '../../../server/jobs/queue.js';
import { append } from '../../../server/timeline/append.js';
import { EventModel } from '../../../server/timeline/model.js';
import { bodyOf } from '../../../server/timeline/projection.js';
import { aCompany, type Company, withStore } from '../store.js';
import { fixture, raw } from './fixtures.js';

const store = withStore();
beforeAll(() => openBlobs({ dataDir: store.dataDir() }));

const own = 'help@kestrel.example';
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Taken {
  envelope: { from: string; to: string[] };
  source: Buffer;
}

/** A real mail server on loopback; `answer` may refuse a recipient. */
async function aMailServer(answer: (address: string, attempt: number) => number | null = () => null) {
  const taken: Taken[] = [];
  let attempts = 0;
  const envelope = ({ envelope: { mailFrom, rcptTo } }: SMTPServerSession) => ({
    from: mailFrom === false ? '' : mailFrom.address,
    to: rcptTo.map((one) => one.address),
  });
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo({ address }, _session, done) {
      attempts += 1;
      const code = answer(address, attempts);
      done(
        code === null ? null : Object.assign(new Error(`mailbox ${address} says no`), { responseCode: code }),
      );
    },
    onData(stream, session, done) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        taken.push({ envelope: envelope(session), source: Buffer.concat(pieces) });
        done(null, 'queued as 4711');
      });
    },
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  closers.push(() => new Promise<void>((closed) => server.close(closed)));
  const address = server.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { taken, attempts: () => attempts, smtpUrl: `smtp://127.0.0.1:${port}` };
}

function sendingThrough(smtpUrl: string | undefined, attempts = 5): void {
  const sending = emailSending({ smtpUrl, backoffMs: 10, attempts });
  const runner = startJobs(sending.jobs, { report: () => {}, pollMs: 20 });
  closers.push(async () => {
    await runner.stop();
    sending.close();
  });
}

/** A customer's letter and the conversation it began. */
async function aQuestion(name = 'reply-to-differs'): Promise<{ company: Company; conversationId: string }> {
  const company = await aCompany('Kestrel Cycles');
  await changeInbox(company.scope, company.email._id, { address: own });
  const [received] = await receiveLetters(company.scope, [raw(fixture(name))], {
    inbox: { _id: company.email._id, address: own },
    run: newRun(),
  });
  const event = await EventModel.findOne({
    workspaceId: company.scope.workspaceId,
    _id: received?.eventId ?? '',
  }).lean();
  return { company, conversationId: event?.conversationId ?? '' };
}

async function reply(
  company: Company,
  conversationId: string,
  text: string,
  names: string[] = [],
  clientId = 'client-0001',
) {
  const conversation = await getConversation(company.scope, conversationId);
  const attachments = await Promise.all(
    names.map((name) =>
      putFile(
        company.agent,
        (async function* () {
          yield Buffer.from('a file');
        })(),
        { name },
      ),
    ),
  );
  const draft = await emailDraft(
    company.agent,
    conversation,
    {
      text,
      attachments,
      clientId,
      dedupeKey: `agent:${company.agentId}:${clientId}`,
      occurredAt: new Date(),
    },
    { mailFrom: 'threadline@localhost' },
  );
  return append(company.agent, draft);
}

async function until<T>(look: () => Promise<T | null | undefined> | T | null | undefined): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error('It did not come to be within 30 s.');
    await new Promise((soon) => setTimeout(soon, 20));
  }
}

const deliveryOf = (company: Company, eventId: string) =>
  until(async () => {
    const event = await EventModel.findOne({
      workspaceId: company.scope.workspaceId,
      kind: 'email_delivery',
      'body.eventId': eventId,
    }).lean();
    return event && bodyOf(event, 'email_delivery');
  });

describe("an agent's reply", () => {
  it('leaves as one letter that answers the other, to where answers go, and comes back as delivered', async () => {
    const server = await aMailServer();
    sendingThrough(server.smtpUrl);
    const { company, conversationId } = await aQuestion();
    const { event } = await reply(company, conversationId, 'It is on its way.\n\n<b>Soon.</b>', ['bell.txt']);
    expect(await deliveryOf(company, event.id)).toMatchObject({ state: 'sent', attempts: 1 });
    expect(server.taken).toHaveLength(1);
    const [{ envelope, source } = { envelope: null, source: Buffer.alloc(0) }] = server.taken;
    // E8: Reply-To before From, those who read along, and not ourselves.
    expect(envelope).toEqual({ from: own, to: ['office@tidewater.example', 'oleg@tidewater.example'] });
    const letter = await parseLetter(source);
    expect(letter).toMatchObject({
      from: { address: own },
      subject: 'Re: elsewhere',
      inReplyTo: ['<rt@tidewater.example>'],
      references: ['<rt@tidewater.example>'],
      text: 'It is on its way.\n\n<b>Soon.</b>',
    });
    expect(letter.html).toContain('&lt;b&gt;Soon.');
    expect(letter.files.map((file) => file.name)).toEqual(['bell.txt']);
    expect(event.kind === 'email' && letter.messageId === event.body.messageId).toBe(true);
    expect(source.toString()).not.toMatch(/^auto-submitted:/im);
  });

  it('is answered into the same conversation, and its copy from the Sent folder is no second letter', async () => {
    const { company, conversationId } = await aQuestion();
    const { event } = await reply(company, conversationId, 'Which one?');
    const messageId = event.kind === 'email' ? event.body.messageId : '';
    const answer = `From: nina@tidewater.example\nTo: ${own}\nSubject: Re: other words\nMessage-ID: <a1@tidewater.example>\nIn-Reply-To: ${messageId}\n\nThe red one.\n`;
    const copy = `From: ${own}\nTo: nina@tidewater.example\nSubject: Re: elsewhere\nMessage-ID: ${messageId}\n\nWhich one?\n`;
    const received = await receiveLetters(company.scope, [raw(Buffer.from(answer)), raw(Buffer.from(copy))], {
      inbox: { _id: company.email._id, address: own },
      run: newRun(),
    });
    expect(received.map((one) => one.outcome)).toEqual(['imported', 'duplicate']);
    const stored = await EventModel.findOne({
      workspaceId: company.scope.workspaceId,
      _id: received[0]?.eventId ?? '',
    }).lean();
    expect(stored?.conversationId).toBe(conversationId);
  });

  it('written twice by a retry is one event, one job and one letter', async () => {
    const server = await aMailServer();
    const { company, conversationId } = await aQuestion();
    const first = await reply(company, conversationId, 'Once.');
    const again = await reply(company, conversationId, 'Once.');
    expect(again).toMatchObject({ isFirst: false, event: { id: first.event.id } });
    sendingThrough(server.smtpUrl);
    await deliveryOf(company, first.event.id);
    const messageId = first.event.kind === 'email' ? first.event.body.messageId : '';
    const copies = server.taken.filter(({ source }) => source.includes(messageId));
    expect(copies).toHaveLength(1);
  });

  it('waits while no mail server is named, and goes out once there is one', async () => {
    sendingThrough(undefined);
    const { company, conversationId } = await aQuestion();
    const { event } = await reply(company, conversationId, 'Patience.');
    const job = { workspaceId: company.scope.workspaceId, name: 'email.send' };
    expect(await JobModel.findOne(job).lean()).toMatchObject({ state: 'waiting', attempts: 0 });
    const server = await aMailServer();
    sendingThrough(server.smtpUrl);
    expect(await deliveryOf(company, event.id)).toMatchObject({ state: 'sent' });
  });

  it('is tried again while the server asks for patience', async () => {
    const server = await aMailServer((_address, attempt) => (attempt <= 2 ? 451 : null));
    sendingThrough(server.smtpUrl, 9);
    const { company, conversationId } = await aQuestion('thread-1-first');
    const { event } = await reply(company, conversationId, 'Again.');
    expect(await deliveryOf(company, event.id)).toMatchObject({ state: 'sent', attempts: 3 });
    expect(server.taken).toHaveLength(1);
  });

  it("that is refused for good fails at once and says so on the timeline, in the server's words", async () => {
    const server = await aMailServer(() => 550);
    sendingThrough(server.smtpUrl);
    const { company, conversationId } = await aQuestion('thread-1-first');
    const { event } = await reply(company, conversationId, 'No.');
    const delivery = await deliveryOf(company, event.id);
    expect(delivery).toMatchObject({ state: 'failed', attempts: 1 });
    expect(delivery.answer).toContain('550 mailbox nina@tidewater.example says no');
  });

  it('that nobody takes in the end fails after its last attempt', async () => {
    const server = await aMailServer(() => 451);
    sendingThrough(server.smtpUrl, 3);
    const { company, conversationId } = await aQuestion('thread-1-first');
    const { event } = await reply(company, conversationId, 'Never.');
    expect(await deliveryOf(company, event.id)).toMatchObject({ state: 'failed', attempts: 3 });
    expect(server.attempts()).toBe(3);
  });

  it('E2: takes no header and no recipient from what strangers wrote', async () => {
    const server = await aMailServer();
    sendingThrough(server.smtpUrl);
    const company = await aCompany('Kestrel\r\nBcc: all@victim.example');
    await changeInbox(company.scope, company.email._id, {
      address: own,
      name: 'Kestrel\r\nBcc: all@victim.example',
    });
    const evil = Buffer.from('hello\r\nBcc: all@victim.example').toString('base64');
    const source = `From: =?utf-8?B?${Buffer.from('Nina\r\nBcc: all@victim.example').toString('base64')}?= <nina@tidewater.example>\nTo: ${own}\nSubject: =?utf-8?B?${evil}?=\nMessage-ID: <x@tidewater.example>\nReferences: <r\r\n Bcc:all@victim.example>\n\nhi\n`;
    const [received] = await receiveLetters(company.scope, [raw(Buffer.from(source))], {
      inbox: { _id: company.email._id, address: own },
      run: newRun(),
    });
    const question = await EventModel.findOne({
      workspaceId: company.scope.workspaceId,
      _id: received?.eventId ?? '',
    }).lean();
    const { event } = await reply(
      company,
      question?.conversationId ?? '',
      'Hello.\r\nBcc: all@victim.example',
      ['a\r\nBcc: all@victim.example.txt'],
    );
    await deliveryOf(company, event.id);
    const [taken] = server.taken;
    expect(taken?.envelope.to).toEqual(['nina@tidewater.example']);
    expect(taken?.source.toString().split('\r\n\r\n')[0]).not.toMatch(/^bcc:/im);
    expect(
      (await parseLetter(taken?.source ?? Buffer.alloc(0))).headers.some((line) => line.name === 'bcc'),
    ).toBe(false);
  });

  it('is plain HTML, with nothing in it that the text does not say', () => {
    expect(htmlOf('a < b\nc\n\n"d" & e')).toContain('<p>a &lt; b<br>\nc</p>\n<p>&quot;d&quot; &amp; e</p>');
  });
});

describe('E3: what a machine wrote', () => {
  const machines = ['out-of-office', 'null-return-path', 'suppressed-responses', 'mailing-list', 'bounce'];

  it('is answered by nobody but an agent: no letter leaves, and none waits', async () => {
    const server = await aMailServer();
    sendingThrough(server.smtpUrl);
    const company = await aCompany('Kestrel Cycles');
    await changeInbox(company.scope, company.email._id, { address: own });
    const received = await receiveLetters(
      company.scope,
      [...machines, 'dmarc-pass'].map((name) => raw(fixture(name), name)),
      { inbox: { _id: company.email._id, address: own }, run: newRun() },
    );
    expect(received.map(({ outcome }) => outcome)).toEqual(Array(machines.length + 1).fill('imported'));
    const { workspaceId } = company.scope;
    expect(await JobModel.countDocuments({ workspaceId })).toBe(0);
    // A letter of our own is the proof that the post was going all the while.
    const question = await EventModel.findOne({ workspaceId, _id: received.at(-1)?.eventId ?? '' }).lean();
    const { event } = await reply(company, question?.conversationId ?? '', 'By hand.');
    await deliveryOf(company, event.id);
    expect(server.taken).toHaveLength(1);
  });

  it('cannot be answered by the code that reads letters: it does not know the one that writes them', () => {
    for (const file of ['receive', 'import', 'thread', 'whose']) {
      const source = readFileSync(
        new URL(`../../../server/channels/email/${file}.ts`, import.meta.url),
        'utf8',
      );
      expect(source).not.toMatch(/from '\.\/(?:send|reply|compose)\.js'/);
    }
  });
});
