import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClaimModel, ContactModel } from '../../../server/contacts/model.js';
import { resolveOrCreate } from '../../../server/contacts/resolve.js';
import { ConversationModel } from '../../../server/conversations/model.js';
import { addInbox } from '../../../server/inboxes/inboxes.js';
import { InboxModel } from '../../../server/inboxes/model.js';
import { append } from '../../../server/timeline/append.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import { addWorkspace } from '../../../server/workspaces/workspaces.js';
import type { EventPage } from '../../../shared/events/timeline.js';
import { limits } from '../../../shared/limits.js';
import {
  clientId,
  message,
  openSocket,
  openTab,
  post,
  refusedWith,
  say,
  type Tab,
  type TestApp,
  testApp,
  toldOf,
  visitorAuth,
} from '../http/app.js';
import { aBlock } from '../timeline/drafts.js';

let at: TestApp;
const tabs: Tab[] = [];
const tab = async (auth: object = {}): Promise<Tab> => {
  const opened = await openTab(at, auth);
  tabs.push(opened);
  return opened;
};
beforeAll(async () => {
  at = await testApp();
});
afterAll(async () => {
  for (const one of tabs) one.close();
  await at.stop();
});

const identityToken = (claims: object, inbox = at.inbox): string =>
  jwt.sign({ aud: inbox.workspaceId, ...claims }, inbox.identitySecret, { expiresIn: 300 });

const overHttp = (token: string, name: string, body: object, headers: Record<string, string> = {}) =>
  post(at, `/v1/visitor/requests/${name}`, body, { authorization: `Bearer ${token}`, ...headers });

describe('a message', () => {
  it('is acknowledged with its event, once, however often it is sent', async () => {
    const visitor = await tab();
    const body = message('Hello');
    const replies = await Promise.all([1, 2, 3].map(() => visitor.ask('message:send', body)));
    const events = replies.map((reply) => (reply.ok ? reply.event : null));
    expect(new Set(events.map((event) => event?.id)).size).toBe(1);
    expect(events[0]).toMatchObject({ kind: 'message', body: { text: 'Hello' }, direction: 'in', seq: 2 });
    const conversationId = events[0]?.conversationId ?? '';
    const page = await visitor.ask('events:read', { conversationId, after: 0 });
    expect(page).toMatchObject({ ok: true, events: [{ seq: 1 }, { seq: 2, id: events[0]?.id }], upTo: 2 });
  });

  it('keeps the order of its sender, sent all at once', async () => {
    const visitor = await tab();
    const { conversationId } = await say(visitor, 'first');
    const texts = Array.from({ length: 30 }, (_, n) => `message ${n}`);
    await Promise.all(texts.map((text) => say(visitor, text, conversationId)));
    const page = await visitor.ask('events:read', { conversationId, after: 2, limit: 100 });
    const read = page.ok ? page.events.map((event) => (event.kind === 'message' ? event.body.text : '')) : [];
    expect(read).toEqual(texts);
  });

  it('stands at the time when it was written, at most a week ago, whatever the sender says', async () => {
    const visitor = await tab();
    const at10 = await visitor.ask('message:send', message('late', null, { waitedMs: 600_000 }));
    const ages = await visitor.ask('message:send', message('old', null, { waitedMs: 1e15 }));
    if (!at10.ok || !ages.ok) throw new Error('refused');
    const waited = (event: { occurredAt: string; recordedAt: string }) =>
      Date.parse(event.recordedAt) - Date.parse(event.occurredAt);
    expect(waited(at10.event)).toBeGreaterThan(599_000);
    expect(waited(at10.event)).toBeLessThan(660_000);
    expect(waited(ages.event)).toBeLessThan(limits.outboxWaitMs + 60_000);
  });

  it('over the limit is refused with the limit named, and nothing of it is kept', async () => {
    const visitor = await tab();
    const reply = await visitor.ask('message:send', message('x'.repeat(limits.messageCodePoints + 1)));
    expect(reply).toMatchObject({
      ok: false,
      error: { code: 'message_too_long', retry: 'changed', details: { max: limits.messageCodePoints } },
    });
    expect((await visitor.ask('message:send', message('x'.repeat(limits.messageCodePoints)))).ok).toBe(true);
    const empty = await visitor.ask('message:send', message(' \n '));
    expect(empty).toMatchObject({ ok: false, error: { code: 'message_empty' } });
  });

  it('that would open one conversation too many is refused for its writer to decide, and those begun are found', async () => {
    const visitor = await tab();
    const begun = message('The first');
    await visitor.ask('message:send', begun);
    const { contactId } = visitor.session;
    const row = await ConversationModel.findOne({ contactId }).lean();
    const many = Array.from(
      { length: limits.conversationsOpenPerContact - 1 },
      (_, n) => `${contactId}-${n}`,
    );
    await ConversationModel.insertMany(many.map((_id) => ({ ...row, _id, key: _id })));
    expect(await visitor.ask('message:send', message('One more'))).toMatchObject({
      ok: false,
      error: {
        code: 'too_many_conversations',
        retry: 'changed',
        details: { limit: limits.conversationsOpenPerContact },
      },
    });
    expect(await visitor.ask('message:send', begun)).toMatchObject({ ok: true, event: { seq: 2 } });
    await ConversationModel.updateOne({ _id: `${contactId}-0` }, { $set: { status: 'closed' } });
    expect(await visitor.ask('message:send', message('One more'))).toMatchObject({ ok: true });
  });

  it('W9: keeps what a stranger wrote as text, without control characters and lone surrogates', async () => {
    const visitor = await tab();
    const hostile = '<img src=x onerror=alert(1)> [x](javascript:1) \u202egpj.exe';
    expect((await say(visitor, hostile)).body).toMatchObject({ text: hostile });
    const odd = await say(visitor, `a\u0000${'\u0007'.repeat(2_000)}b\ud800c`);
    expect(odd.body).toMatchObject({ text: 'ab\ufffdc' });
  });
});

describe('W1: another visitor', () => {
  it('is nobody without the secret: no id opens a session, and a forged one is refused', async () => {
    const owner = await tab();
    const { conversationId } = await say(owner, 'mine');
    for (const token of [
      '',
      owner.session.contactId,
      `${owner.session.token}x`,
      `v1.${owner.session.contactId}`,
    ]) {
      expect(await refusedWith(openSocket(at, '/visitor', visitorAuth(at, { token })))).toMatch(
        /^(unauthorized|bad_request)$/,
      );
    }
    const stranger = await tab();
    expect(stranger.session.conversations).toEqual([]);
    await say(owner, 'more', conversationId);
    await say(stranger, 'own');
    expect(toldOf(stranger, 'event')).not.toContainEqual(expect.objectContaining({ conversationId }));
  });

  it('comes back as itself with it, and is told what it has', async () => {
    const first = await tab();
    const { conversationId } = await say(first, 'hello');
    const again = await tab({ token: first.session.token });
    expect(again.session.contactId).toBe(first.session.contactId);
    expect(again.session.conversations).toMatchObject([{ id: conversationId, status: 'open', head: 2 }]);
  });

  it("has a secret that is good in its own inbox only, and never as an agent's token", async () => {
    const first = await tab();
    const scope = { workspaceId: at.workspaceId };
    const other = await addInbox(
      scope,
      { channel: 'chat', name: 'Other' },
      { allowedOrigins: [at.app.publicUrl] },
    );
    const auth = visitorAuth(at, { token: first.session.token, inboxId: other._id });
    expect(await refusedWith(openSocket(at, '/visitor', auth))).toBe('unauthorized');
    const asAgent = { protocol: 1, accessToken: first.session.token, workspaceId: at.workspaceId };
    expect(await refusedWith(openSocket(at, '/agent', asAgent))).toBe('unauthorized');
  });
});

describe("W6: another contact's conversation", () => {
  it('is answered like one that never was, in every request, on both ways', async () => {
    const owner = await tab();
    const { conversationId } = await say(owner, 'mine');
    const stranger = await tab();
    const requests = (id: string): [Parameters<Tab['ask']>[0], object][] => [
      ['message:send', message('intruder', id)],
      ['events:read', { conversationId: id, after: 0 }],
      ['read', { conversationId: id, seq: 1 }],
      ['typing', { conversationId: id, typing: true }],
    ];
    const seen = requests(conversationId);
    const never = requests('01890000-0000-7000-8000-000000000000');
    for (const [index, [name, body]] of seen.entries()) {
      const theirs = await stranger.ask(name, body);
      const nobodys = await stranger.ask(name, never[index]?.[1]);
      expect(theirs).toMatchObject({ ok: false, error: { code: 'not_found' } });
      expect(withoutId(theirs)).toEqual(withoutId(nobodys));
      const http = await overHttp(stranger.session.token, name, body);
      expect(http.status).toBe(404);
      expect(withoutId(http.body)).toEqual(withoutId({ error: theirs.ok ? {} : theirs.error }));
    }
    const poll = await fetch(`${at.url}/v1/visitor/events?conversationId=${conversationId}&after=0`, {
      headers: { authorization: `Bearer ${stranger.session.token}` },
    });
    expect(poll.status).toBe(404);
    const page = await owner.ask('events:read', { conversationId, after: 0 });
    expect(page.ok && page.events).toHaveLength(2);
  });
});

const withoutId = (value: object): object =>
  JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'requestId' ? undefined : inner)));

describe('W7: an address that somebody only typed', () => {
  it('shows nothing of its owner, before and after the owner proves it', async () => {
    const scope = systemScope(at.workspaceId);
    const claimant = await tab();
    expect(await claimant.ask('claim', { email: 'victim@example.com' })).toEqual({ ok: true });
    expect(await claimant.ask('claim', { email: 'victim@example.com' })).toEqual({ ok: true });
    const proved = await resolveOrCreate(scope, {
      inboxId: at.inbox._id,
      type: 'email',
      value: 'victim@example.com',
      proved: 'dmarc',
      source: 'email',
    });
    expect(proved.contactId).not.toBe(claimant.session.contactId);
    const victim = await tab({
      identityToken: identityToken({ sub: 'victim', email: 'victim@example.com', email_verified: true }),
    });
    const { conversationId } = await say(victim, 'my secret');
    await say(claimant, 'hello, it is me');
    const again = await tab({ token: claimant.session.token });
    for (const one of [claimant, again]) {
      expect(JSON.stringify([one.told, one.session])).not.toMatch(/secret|victim@/);
      expect(await one.ask('events:read', { conversationId, after: 0 })).toMatchObject({ ok: false });
    }
    expect(again.session.identified).toBe(false);
    const claims = await ClaimModel.find({ workspaceId: at.workspaceId, value: 'victim@example.com' }).lean();
    expect(claims.map((claim) => claim.contactId)).toContain(claimant.session.contactId);
  });
});

describe('an identity token', () => {
  it('makes the browser the customer whom the site names, on every device', async () => {
    const token = identityToken({ sub: 'marta', name: 'Marta Kowalska', email: 'marta@example.com' });
    const phone = await tab({ identityToken: token });
    expect(phone.session.identified).toBe(true);
    const { conversationId } = await say(phone, 'from my phone');
    const laptop = await tab({ identityToken: token });
    expect(laptop.session.conversations).toMatchObject([{ id: conversationId }]);
    const heard = new Promise((resolve) => laptop.socket.once('event', resolve));
    await say(phone, 'again', conversationId);
    expect(await heard).toMatchObject({ conversationId, body: { text: 'again' } });
    const contact = await ContactModel.findOne({ _id: phone.session.contactId }).lean();
    expect(contact?.given.name).toBe('Marta Kowalska');
  });

  it('with an address that it does not call verified claims it, and joins nobody', async () => {
    const scope = systemScope(at.workspaceId);
    const value = 'unsure@example.com';
    const arrival = {
      inboxId: at.inbox._id,
      type: 'email',
      value,
      proved: 'dmarc',
      source: 'email',
    } as const;
    const owner = await resolveOrCreate(scope, arrival);
    const visitor = await tab({
      identityToken: identityToken({ sub: 'unsure', email: value, email_verified: false }),
    });
    const silent = await tab({ identityToken: identityToken({ sub: 'silent', email: value }) });
    expect(visitor.session.contactId).not.toBe(owner.contactId);
    expect(silent.session.contactId).not.toBe(owner.contactId);
    const apart = [owner.contactId, visitor.session.contactId, silent.session.contactId];
    const groups = await ContactModel.find({ _id: { $in: apart } });
    expect(new Set(groups.map(({ headId }) => headId)).size).toBe(3);
    const claims = await ClaimModel.find({ workspaceId: at.workspaceId, value }).lean();
    expect(claims.map(({ contactId }) => contactId).toSorted()).toEqual(apart.slice(1).toSorted());
    const sure = await tab({
      identityToken: identityToken({ sub: 'sure', email: value, email_verified: true }),
    });
    const [one, other] = await Promise.all(
      [owner.contactId, sure.session.contactId].map((_id) => ContactModel.findOne({ _id }).lean()),
    );
    expect(one?.headId).toBe(other?.headId);
  });

  it('takes along what the same browser wrote before it was known', async () => {
    const before = await tab();
    const { conversationId } = await say(before, 'who am I');
    const after = await tab({
      token: before.session.token,
      identityToken: identityToken({ sub: 'late-comer' }),
    });
    expect(after.session.conversations).toMatchObject([{ id: conversationId }]);
  });

  it('W8: of another customer in the same browser shows nothing of the first', async () => {
    const first = await tab({ identityToken: identityToken({ sub: 'customer-a' }) });
    const { conversationId } = await say(first, 'secret of A');
    const second = await tab({
      token: first.session.token,
      identityToken: identityToken({ sub: 'customer-b', name: 'B' }),
    });
    expect(second.session.conversations).toEqual([]);
    expect(second.session.contactId).not.toBe(first.session.contactId);
    expect(await second.ask('events:read', { conversationId, after: 0 })).toMatchObject({ ok: false });
    await say(first, 'more of A', conversationId);
    await say(second, 'of B');
    expect(JSON.stringify(second.told)).not.toContain('of A');
  });

  it('W5: of another workspace, with the same secret too, is refused on both ways', async () => {
    const { _id: workspaceId } = await addWorkspace('Other');
    const inbox = await addInbox(
      { workspaceId },
      { channel: 'chat', name: 'B' },
      { allowedOrigins: [at.app.publicUrl] },
    );
    await InboxModel.updateOne({ _id: inbox._id }, { $set: { identitySecret: at.inbox.identitySecret } });
    const auth = visitorAuth(at, { inboxId: inbox._id, identityToken: identityToken({ sub: 'marta' }) });
    expect(await refusedWith(openSocket(at, '/visitor', auth))).toBe('identity_token_invalid');
    expect((await post(at, '/v1/visitor/session', auth)).status).toBe(401);
  });
});

describe('W8: signing out', () => {
  it('ends the secret everywhere and tells every tab of the browser', async () => {
    const first = await tab({ identityToken: identityToken({ sub: 'leaver' }) });
    const { conversationId } = await say(first, 'private');
    const second = await tab({ token: first.session.token });
    const other = await tab({ identityToken: identityToken({ sub: 'leaver' }) });
    const told = new Promise((resolve) => second.socket.once('signed-out', resolve));
    const closed = new Promise((resolve) => second.socket.once('disconnect', resolve));
    expect(await first.ask('sign-out', {})).toEqual({ ok: true });
    await told;
    await closed;
    const auth = visitorAuth(at, { token: first.session.token });
    expect(await refusedWith(openSocket(at, '/visitor', auth))).toBe('unauthorized');
    expect((await overHttp(first.session.token, 'events:read', { conversationId, after: 0 })).status).toBe(
      401,
    );
    expect(other.socket.connected).toBe(true);
    expect((await other.ask('events:read', { conversationId, after: 0 })).ok).toBe(true);
  });
});

describe('a blocked contact', () => {
  it('is told so, at once on open sockets and over HTTP', async () => {
    const visitor = await tab();
    const { conversationId } = await say(visitor, 'spam');
    const { contactId } = visitor.session;
    await append(systemScope(at.workspaceId), aBlock(contactId));
    const refused = { ok: false, error: { code: 'blocked', retry: 'never' } };
    await expect.poll(() => visitor.ask('message:send', message('x', conversationId))).toMatchObject(refused);
    const http = await overHttp(visitor.session.token, 'message:send', message('x', conversationId));
    expect(http.body).toMatchObject({ error: { code: 'blocked' } });
    expect(http.status).toBe(403);
    expect(await visitor.ask('claim', { email: 'x@example.com' })).toMatchObject(refused);
  });
});

describe('the stateless route', () => {
  it('answers the same requests with the same events, and waits for news', async () => {
    const { body: session } = await post(at, '/v1/visitor/session', visitorAuth(at));
    const token = String(session.token);
    const body = message('over HTTP');
    const [one, two] = [
      await overHttp(token, 'message:send', body),
      await overHttp(token, 'message:send', body),
    ];
    expect(one.body).toEqual(two.body);
    const sameBrowser = await tab({ token });
    const { conversationId } = await say(
      sameBrowser,
      'on the socket',
      one.body.event ? eventOf(one.body) : null,
    );
    const poll = (after: number) =>
      fetch(`${at.url}/v1/visitor/events?conversationId=${conversationId}&after=${after}`, {
        headers: { authorization: `Bearer ${token}` },
      }).then((response) => response.json() as Promise<EventPage>);
    expect((await poll(0)).events).toHaveLength(3);
    const waiting = poll(3);
    await say(sameBrowser, 'news', conversationId);
    expect((await waiting).events).toMatchObject([{ seq: 4, previousSeq: 3, body: { text: 'news' } }]);
  });

  it('knows no other names, and takes no token but from its header', async () => {
    const { token } = (await tab()).session;
    for (const name of ['constructor', '__proto__', 'toString', 'message', '']) {
      expect((await overHttp(token, name, {})).status).toBe(404);
    }
    expect((await post(at, `/v1/visitor/requests/page?token=${token}`, {})).status).toBe(401);
    expect((await overHttp(token, 'page', { url: '/', title: '', extra: 1 })).status).toBe(400);
  });

  it('S2: refuses a foreign page although it shows a good token', async () => {
    const { token } = (await tab()).session;
    const answer = await overHttp(token, 'page', { url: '/', title: '' }, { origin: 'https://evil.io' });
    expect(answer.body.error?.code).toBe('origin_not_allowed');
  });
});

const eventOf = (body: Record<string, unknown>): string => {
  const { event } = body;
  if (typeof event !== 'object' || event === null || !('conversationId' in event))
    throw new Error('no event');
  return String(event.conversationId);
};

describe('a file', () => {
  const upload = (token: string, bytes: Uint8Array<ArrayBuffer>, name = 'photo.png') =>
    fetch(`${at.url}/v1/visitor/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'x-file-name': encodeURIComponent(name) },
      body: bytes,
    });

  it('is uploaded, sent, and read by its own visitor alone', async () => {
    const owner = await tab();
    const bytes = new Uint8Array(randomBytes(200_000));
    const uploaded = await upload(owner.session.token, bytes, 'Größe 😀.bin');
    expect(uploaded.status).toBe(201);
    const ref = await uploaded.json();
    expect(ref).toMatchObject({ name: 'Größe 😀.bin', size: 200_000 });
    const stranger = await tab();
    const stolen = await stranger.ask('message:send', message('mine now', null, { attachments: [ref] }));
    expect(stolen).toMatchObject({ ok: false, error: { code: 'not_found' } });
    const sent = await owner.ask('message:send', message('', null, { attachments: [ref] }));
    expect(sent).toMatchObject({ ok: true, event: { body: { attachments: [ref] } } });
    const read = (token: string) =>
      fetch(`${at.url}/v1/visitor/files/${ref.fileId}`, { headers: { authorization: `Bearer ${token}` } });
    const answer = await read(owner.session.token);
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes));
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
    expect((await read(stranger.session.token)).status).toBe(404);
  });

  it('of 2 GB is refused by its declared length, before a byte of it is read', async () => {
    const { token } = (await tab()).session;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(at.app.port, '127.0.0.1', () => {
        socket.write(
          `POST /v1/visitor/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nx-file-name: a.bin\r\ncontent-length: 2147483648\r\n\r\n`,
        );
      });
      socket.once('data', (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('file_too_large');
  });

  it('that is longer than it says to be allowed is refused while it streams', async () => {
    const { token } = (await tab()).session;
    const chunk = new Uint8Array(1024 * 1024);
    let left = 26;
    const endless = new ReadableStream({
      pull(controller) {
        left -= 1;
        if (left < 0) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const request = fetch(`${at.url}/v1/visitor/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'x-file-name': 'a.bin' },
      body: endless,
      duplex: 'half',
    } as RequestInit);
    const outcome = await request.then(
      (response) => response.status,
      () => 'cut',
    );
    expect([413, 'cut']).toContain(outcome);
    expect((await fetch(`${at.url}/healthz`)).status).toBe(200);
  });
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('new visitors', () => {
  it('of one address are limited, those who come back are not', async () => {
    const known = await tab();
    const codes = new Set<string>();
    for (let n = 0; n < 140 && !codes.has('rate_limited'); n += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => post(at, '/v1/visitor/session', visitorAuth(at))),
      );
      for (const { body } of answers) if (body.error) codes.add(body.error.code);
    }
    expect([...codes]).toEqual(['rate_limited']);
    const refused = await post(at, '/v1/visitor/session', visitorAuth(at));
    expect(refused.body.error?.details?.retryAfterMs).toBeGreaterThan(0);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    const back = await tab({ token: known.session.token });
    expect(back.session.contactId).toBe(known.session.contactId);
    await say(back, `still here ${clientId()}`);
  });
});
