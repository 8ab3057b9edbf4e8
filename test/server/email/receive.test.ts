import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RawLetter } from '../../../server/channels/email/mbox.js';
import { readLetters } from '../../../server/channels/email/mbox.js';
import { newRun, type Received, receiveLetters } from '../../../server/channels/email/receive.js';
import { makeClaim } from '../../../server/contacts/claims.js';
import { beginImport, finishImport, undoImport } from '../../../server/contacts/imports.js';
import { mergeContacts } from '../../../server/contacts/merge.js';
import { resolveIdentity } from '../../../server/contacts/resolve.js';
import { createVisitor } from '../../../server/contacts/visitors.js';
import { ConversationModel } from '../../../server/conversations/model.js';
import { openBlobs } from '../../../server/files/blobs.js';
import { openFile } from '../../../server/files/files.js';
import { changeInbox } from '../../../server/inboxes/inboxes.js';
import { EventModel, type StoredEvent } from '../../../server/timeline/model.js';
import { bodyOf } from '../../../server/timeline/projection.js';
import { readTimeline } from '../../../server/timeline/read.js';
import { limits } from '../../../shared/limits.js';
import { aCompany, type Company, withStore } from '../store.js';
import { fixture, hasData, dataDir as mailDir, raw } from './fixtures.js';

const store = withStore();
beforeAll(() => openBlobs({ dataDir: store.dataDir() }));

const own = 'help@kestrel.example';
const trustedHost = 'mx.kestrel.example';

async function aMailbox(): Promise<Company> {
  const company = await aCompany('Kestrel Cycles');
  await changeInbox(company.scope, company.email._id, { address: own });
  return company;
}

interface Options {
  vouch?: boolean;
  importId?: string;
  inbox?: { _id: string; address: string | null };
}

const receive = (
  company: Company,
  letters: readonly RawLetter[],
  options: Options = {},
): Promise<Received[]> =>
  receiveLetters(company.scope, letters, {
    inbox: { _id: company.email._id, address: own },
    trustedHost,
    run: newRun(),
    ...options,
  });

const take = (company: Company, names: readonly string[], options?: Options): Promise<Received[]> =>
  receive(
    company,
    names.map((name) => raw(fixture(name), name)),
    options,
  );

async function stored(company: Company, received: Received | undefined): Promise<StoredEvent> {
  const event = await EventModel.findOne({
    workspaceId: company.scope.workspaceId,
    _id: received?.eventId ?? '',
  }).lean();
  if (!event) throw new Error(`${received?.name} is on no timeline.`);
  return event;
}

const eventsOf = async (company: Company, received: readonly Received[]): Promise<StoredEvent[]> =>
  Promise.all(received.map((one) => stored(company, one)));

const aLetter = (from: string, id: string, text: string, extra = '', date = '10:00'): RawLetter =>
  raw(
    Buffer.from(
      `${extra}From: ${from}\nTo: ${own}\nSubject: Bell\n${id && `Message-ID: <${id}>\n`}Date: Tue, 04 Mar 2025 ${date}:00 +0000\n\n${text}\n`,
    ),
    id,
  );
const proof = (domain: string) =>
  `Authentication-Results: ${trustedHost}; dmarc=pass header.from=${domain}\nReceived: from a.example by ${trustedHost}; Tue, 04 Mar 2025 10:00:01 +0000\n`;

describe('threads', () => {
  const names = [
    'thread-1-first',
    'thread-2-reply',
    'thread-3-before-its-parent',
    'thread-4-late-parent',
    'thread-5-outlook-rewrote-ids',
    'thread-6-second-copy',
    'thread-7-same-subject',
    'thread-8-stranger-names-ids',
    'thread-9-same-id-other-content',
  ];

  it.each([
    ['at once', 100],
    ['one by one', 1],
  ])('hold what belongs together and nothing else, %s', async (_, size) => {
    const company = await aMailbox();
    const received: Received[] = [];
    for (let at = 0; at < names.length; at += size)
      received.push(...(await take(company, names.slice(at, at + size))));
    expect(received.map((one) => one.outcome)).toEqual(
      names.map((name) => (name === 'thread-6-second-copy' ? 'duplicate' : 'imported')),
    );
    const events = await eventsOf(
      company,
      received.filter((one) => one.outcome === 'imported'),
    );
    const [first, reply, early, late, outlook, sameSubject, stranger, otherContent] = events.map(
      (event) => event.conversationId,
    );
    expect([reply, early, late, outlook, otherContent]).toEqual(Array(5).fill(first));
    expect(new Set([first, sameSubject, stranger]).size).toBe(3);
  });

  it.skipIf(!hasData)('are those that the constructed data expects', async () => {
    const folder = join(mailDir, 'constructed');
    const expected: { threads: { file: string; thread: string; newEvent: boolean }[] } = JSON.parse(
      readFileSync(join(folder, 'expected.json'), 'utf8'),
    );
    const company = await aMailbox();
    const byThread = new Map<string, Set<string | undefined>>();
    const conversations = new Map<string | undefined, string>();
    for (const { file, thread, newEvent } of expected.threads) {
      const inbox = { _id: company.email._id, address: 'support@shop.example' };
      const [received] = await receive(company, [raw(readFileSync(join(folder, file)), file)], { inbox });
      expect([file, received?.outcome]).toEqual([file, newEvent ? 'imported' : 'duplicate']);
      if (!newEvent) continue;
      const { conversationId } = await stored(company, received);
      byThread.set(thread, (byThread.get(thread) ?? new Set()).add(conversationId));
      expect([file, conversations.get(conversationId) ?? thread]).toEqual([file, thread]);
      conversations.set(conversationId, thread);
    }
    for (const [thread, ids] of byThread) expect([thread, ids.size]).toEqual([thread, 1]);
  });

  it('E9: fetched again, a letter is one event', async () => {
    const company = await aMailbox();
    const [first] = await take(company, ['thread-1-first']);
    const [again, inSameBatch] = await take(company, ['thread-1-first', 'thread-1-first']);
    expect([first?.outcome, again?.outcome, inSameBatch?.outcome]).toEqual([
      'imported',
      'duplicate',
      'duplicate',
    ]);
    const twice = await take(await aMailbox(), ['missing-message-id', 'missing-message-id']);
    expect(twice.map((one) => one.outcome)).toEqual(['imported', 'duplicate']);
  });

  it('E10: a stranger who sends a known Message-ID first hides nothing and enters no conversation', async () => {
    const company = await aMailbox();
    const forged = aLetter('mallory@evil.example', 'real@tidewater.example', 'the same text');
    const pretending = aLetter('nina@tidewater.example', 'real@tidewater.example', 'the same text');
    const real = aLetter(
      'nina@tidewater.example',
      'real@tidewater.example',
      'the same text',
      proof('tidewater.example'),
    );
    const answer = aLetter(
      'mallory@evil.example',
      'm2@evil.example',
      'me too',
      'In-Reply-To: <real@tidewater.example>\n',
    );
    const received = await receive(company, [forged, pretending, real, answer]);
    expect(received.map((one) => one.outcome)).toEqual(Array(4).fill('imported'));
    const events = await eventsOf(company, received);
    expect(new Set(events.map((event) => event.contactId)).size).toBe(3);
    const [ofForged, ofPretending, ofReal, ofAnswer] = events.map((event) => event.conversationId);
    expect(new Set([ofForged, ofPretending, ofReal]).size).toBe(3);
    // What the stranger answers is the letter that they hold themselves.
    expect(ofAnswer).toBe(ofForged);
    expect(bodyOf(events[2] as StoredEvent, 'email').proof).toEqual({ verified: true, method: 'dmarc' });
  });

  it('join when an agent has merged the two contacts', async () => {
    const company = await aMailbox();
    const [first] = await eventsOf(
      company,
      await receive(company, [aLetter('nina@home.example', 'n1@home.example', 'hi')]),
    );
    const other = await eventsOf(
      company,
      await receive(company, [aLetter('nina@work.example', 'n2@work.example', 'hi')]),
    );
    await mergeContacts(company.agent, first?.contactId ?? '', other[0]?.contactId ?? '', {
      reason: 'one person',
    });
    const [answer] = await eventsOf(
      company,
      await receive(company, [
        aLetter('nina@work.example', 'n3@work.example', 'well?', 'In-Reply-To: <n1@home.example>\n'),
      ]),
    );
    expect(answer?.conversationId).toBe(first?.conversationId);
  });
});

describe('a sender', () => {
  it('E1: who proved nothing is kept apart from the customer of that address', async () => {
    const company = await aMailbox();
    const events = await eventsOf(
      company,
      await take(company, ['dmarc-pass', 'dmarc-fail', 'forged-results-inside']),
    );
    const [proved, failed, forged] = events;
    expect(await resolveIdentity(company.scope, { type: 'email', value: 'nina@tidewater.example' })).toBe(
      proved?.contactId,
    );
    expect(failed?.contactId).not.toBe(proved?.contactId);
    expect(forged?.contactId).toBe(failed?.contactId);
    expect(forged?.conversationId).not.toBe(proved?.conversationId);
    const { events: history } = await readTimeline(company.scope, proved?.contactId ?? '', {});
    expect(history.filter((event) => event.kind === 'email').map((event) => event.id)).toEqual([proved?._id]);
  });

  it('who claimed the address first, in a browser, receives nothing when its owner proves it', async () => {
    const company = await aMailbox();
    const { contactId: stranger } = await createVisitor(company.scope);
    const asVisitor = { ...company.scope, actor: { type: 'contact', id: stranger } as const };
    await makeClaim(asVisitor, stranger, { type: 'email', value: 'nina@tidewater.example', source: 'form' });
    const before = await readTimeline(company.scope, stranger, {});
    const [proved] = await eventsOf(company, await take(company, ['dmarc-pass']));
    expect(proved?.contactId).not.toBe(stranger);
    expect(await resolveIdentity(company.scope, { type: 'email', value: 'nina@tidewater.example' })).toBe(
      proved?.contactId,
    );
    expect(await readTimeline(company.scope, stranger, {})).toEqual(before);
  });

  it('whom nobody can name is a person of their own each time', async () => {
    const company = await aMailbox();
    const [one, other] = await eventsOf(
      company,
      await receive(company, [
        raw(fixture('no-from')),
        raw(Buffer.from('To: a@b.example\nSubject: also nobody\n\nhi')),
      ]),
    );
    expect(one?.contactId).not.toBe(other?.contactId);
    expect(bodyOf(one as StoredEvent, 'email').proof).toMatchObject({ verified: false, reason: 'no_from' });
  });

  it('for whom the operator answers is proved by that, and the whole import can be taken back', async () => {
    const company = await aMailbox();
    const importId = await beginImport(company.scope, { source: 'old.mbox', channel: 'email', vouch: true });
    const names = ['thread-1-first', 'thread-2-reply', 'reply-gmail'];
    const received = await take(company, names, { vouch: true, importId });
    await finishImport(company.scope, importId, { imported: 3, duplicates: 0, broken: 0 });
    const events = await eventsOf(company, received);
    expect(new Set(events.map((event) => event.contactId)).size).toBe(1);
    expect(bodyOf(events[0] as StoredEvent, 'email').proof).toEqual({ verified: true, method: 'agent' });
    await undoImport(company.scope, importId);
    expect(
      await resolveIdentity(company.scope, { type: 'email', value: 'nina@tidewater.example' }),
    ).toBeNull();
    const again = await take(company, names, { vouch: true });
    expect(again.map((one) => one.outcome)).toEqual(Array(3).fill('imported'));
  });

  it('that is the inbox itself wrote a letter that went out, to its recipient', async () => {
    const company = await aMailbox();
    const sent = raw(
      Buffer.from(
        `From: Kestrel <${own}>\nTo: Nina <nina@tidewater.example>\nSubject: Re: Bell\nMessage-ID: <o1@kestrel.example>\nIn-Reply-To: <q1@tidewater.example>\nDate: Tue, 04 Mar 2025 11:00:00 +0000\n\nIt is on its way.\n`,
      ),
    );
    const asked = aLetter('nina@tidewater.example', 'q1@tidewater.example', 'Where is it?');
    const [question, answer] = await eventsOf(
      company,
      await receive(company, [asked, sent], { vouch: true }),
    );
    expect(answer).toMatchObject({
      direction: 'out',
      actor: { type: 'system' },
      contactId: question?.contactId,
      conversationId: question?.conversationId,
    });
  });

  it('E11: that only says that it is the inbox itself is a stranger, and nothing that we wrote', async () => {
    const company = await aMailbox();
    const delivered =
      'Received: from evil.example ([203.0.113.9]) by mx.other.example; Tue, 04 Mar 2025 10:00:01 +0000\n';
    const toNina = (letter: RawLetter) =>
      raw(
        Buffer.from(letter.head.toString().replace(`To: ${own}`, 'To: nina@tidewater.example')),
        letter.name,
      );
    const forged = toNina(aLetter(own, 'f1@evil.example', 'We owe you a thousand.', delivered));
    const proved = toNina(aLetter(own, 'p1@kestrel.example', 'It is on its way.', proof('kestrel.example')));
    const sent = toNina(aLetter(own, 's1@kestrel.example', 'From the Sent folder.'));
    const letters = await eventsOf(company, await receive(company, [forged, proved, sent]));
    expect(letters.map(({ direction, actor }) => [direction, actor.type])).toEqual([
      ['in', 'contact'],
      ['out', 'system'],
      ['out', 'system'],
    ]);
    expect(letters[0]?.contactId).not.toBe(letters[1]?.contactId);
  });
});

describe('a letter', () => {
  it('is kept raw, byte for byte, with its files, its HTML and what is inline', async () => {
    const company = await aMailbox();
    const [event] = await eventsOf(company, await take(company, ['inline-picture']));
    const body = bodyOf(event as StoredEvent, 'email');
    const bytesOf = async (fileId: string) => {
      const pieces: Buffer[] = [];
      for await (const piece of await (await openFile(company.scope, fileId)).read()) pieces.push(piece);
      return Buffer.concat(pieces);
    };
    expect(await bytesOf(body.raw?.fileId ?? '')).toEqual(fixture('inline-picture'));
    expect((await bytesOf(body.html?.fileId ?? '')).toString()).toContain('cid:bell@kestrel');
    expect(body.attachments).toMatchObject([{ name: 'bell.png', type: 'image/png' }]);
    expect(body.inline).toEqual([{ contentId: 'bell@kestrel', fileId: body.attachments[0]?.fileId }]);
  });

  it("happened when the topmost mail host took it; the sender's own clock is told when it differs", async () => {
    const company = await aMailbox();
    const [late, dated, future, timeless] = await eventsOf(
      company,
      await take(company, [
        'received-a-week-after-date',
        'thread-1-first',
        'from-the-future',
        'missing-date',
      ]),
    );
    expect(late?.occurredAt.toISOString()).toBe('2025-03-11T09:30:00.000Z');
    expect(bodyOf(late as StoredEvent, 'email')).toMatchObject({
      timeFrom: 'received',
      dateHeader: '2025-03-04T09:30:00.000Z',
    });
    expect(bodyOf(dated as StoredEvent, 'email')).toMatchObject({ timeFrom: 'date' });
    expect(future).toMatchObject({ timeCorrected: true });
    expect(future?.occurredAt.getTime()).toBeLessThanOrEqual(Date.now() + limits.futureSkewMs);
    expect(bodyOf(timeless as StoredEvent, 'email')).toMatchObject({ timeFrom: 'arrival' });
  });

  it('of an import makes no work when it is over a day old; one that a live mailbox held back for long does', async () => {
    const company = await aMailbox();
    const { workspaceId } = company.scope;
    const importId = await beginImport(company.scope, { source: 'old.mbox', channel: 'email', vouch: false });
    const letterOf = (from: string, hoursAgo: number) => {
      const date = new Date(Date.now() - hoursAgo * 3_600_000).toUTCString();
      const text = `From: ${from}\nTo: ${own}\nSubject: Bell\nDate: ${date}\nMessage-ID: <${hoursAgo}.${from}>\n\nWell?\n`;
      return raw(Buffer.from(text));
    };
    const stateOf = async (letters: RawLetter[], options: Options) => {
      const [event] = await eventsOf(company, await receive(company, letters, options));
      return ConversationModel.findOne({ workspaceId, _id: event?.conversationId ?? '' }).lean();
    };
    const waiting = { status: 'open', waitingSince: expect.any(Date) };
    expect(await stateOf([letterOf('a@x.example', 25)], { importId })).toMatchObject({
      status: 'closed',
      waitingSince: null,
    });
    expect(await stateOf([letterOf('b@x.example', 23)], { importId })).toMatchObject(waiting);
    expect(await stateOf([letterOf('c@x.example', 400)], {})).toMatchObject(waiting);
  });

  it('E5: that is too much is kept as it came, says so, and the next one arrives', async () => {
    const company = await aMailbox();
    const parts = `From: nina@tidewater.example\nSubject: bomb\nMessage-ID: <bomb@tidewater.example>\nContent-Type: multipart/mixed; boundary=b\n\n${'--b\n\nx\n'.repeat(10_000)}--b--\n`;
    const received = await receive(company, [
      raw(Buffer.from(parts)),
      aLetter('nina@tidewater.example', 'n@x.example', 'next'),
    ]);
    expect(received).toMatchObject([
      { outcome: 'broken', reason: 'too_many_parts' },
      { outcome: 'imported' },
    ]);
    const [bomb] = await eventsOf(company, received);
    expect(bodyOf(bomb as StoredEvent, 'email')).toMatchObject({
      unread: 'too_many_parts',
      subject: 'bomb',
      raw: { size: Buffer.byteLength(parts) },
    });
  });

  it('E5: that is larger than a letter may be is never held, and is kept whole', async () => {
    const company = await aMailbox();
    const block = Buffer.alloc(1024 * 1024, 'x');
    async function* huge(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(
        'From: nina@tidewater.example\nSubject: one line of 100 MB\nMessage-ID: <h@tidewater.example>\n\n',
      );
      for (let at = 0; at < 100; at += 1) yield block;
    }
    const startedAt = performance.now();
    const before = process.memoryUsage().rss;
    const letters: RawLetter[] = [];
    for await (const one of readLetters(huge(), 'huge')) letters.push(one);
    const received = await receive(company, letters);
    for (const one of letters) await one.release();
    const grown = (process.memoryUsage().rss - before) / 1e6;
    console.log(`100 MB in ${Math.round(performance.now() - startedAt)} ms, memory +${Math.round(grown)} MB`);
    expect(received).toMatchObject([{ outcome: 'broken', reason: 'too_large' }]);
    const [event] = await eventsOf(company, received);
    expect(bodyOf(event as StoredEvent, 'email')).toMatchObject({
      unread: 'too_large',
      subject: 'one line of 100 MB',
      raw: { size: letters[0]?.size },
    });
    expect(grown).toBeLessThan(200);
  });

  it('E8: says whom answers go to, and belongs to whom From names', async () => {
    const company = await aMailbox();
    const [event] = await eventsOf(company, await take(company, ['reply-to-differs'], { vouch: true }));
    expect(bodyOf(event as StoredEvent, 'email')).toMatchObject({
      from: { address: 'nina@tidewater.example' },
      replyTo: { name: 'Office', address: 'office@tidewater.example' },
    });
    expect(await resolveIdentity(company.scope, { type: 'email', value: 'nina@tidewater.example' })).toBe(
      event?.contactId,
    );
    expect(
      await resolveIdentity(company.scope, { type: 'email', value: 'office@tidewater.example' }),
    ).toBeNull();
  });

  it('shows what was written now and keeps what it quotes', async () => {
    const company = await aMailbox();
    const [event] = await eventsOf(company, await take(company, ['reply-below-the-quote']));
    const { text, quoted = '', quotedBefore = 0 } = bodyOf(event as StoredEvent, 'email');
    expect(text).toBe('Thanks, it rings.\nMay I keep both?');
    expect(quoted.slice(0, quotedBefore) + text + quoted.slice(quotedBefore)).toContain(
      '> Did the bell arrive?\n> Best wishes\n\nThanks, it rings.',
    );
  });
});
