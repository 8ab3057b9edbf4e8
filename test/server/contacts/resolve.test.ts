import { describe, expect, it } from 'vitest';
import { makeClaim } from '../../../server/contacts/claims.js';
import { changeContact, contactDetail, listContacts } from '../../../server/contacts/contacts.js';
import { createContact } from '../../../server/contacts/create.js';
import { mergeContacts } from '../../../server/contacts/merge.js';
import { proveIdentity } from '../../../server/contacts/prove.js';
import { resolveIdentity, resolveOrCreate } from '../../../server/contacts/resolve.js';
import {
  createVisitor,
  forgetVisitor,
  isBlocked,
  reachOf,
  visibleContacts,
  visitorContact,
} from '../../../server/contacts/visitors.js';
import { visitorConversations } from '../../../server/conversations/visitor-conversations.js';
import { append } from '../../../server/timeline/append.js';
import { readTimeline } from '../../../server/timeline/read.js';
import { limits } from '../../../shared/limits.js';
import { aCompany, type Company, withStore } from '../store.js';
import { aMessage, begunUnder } from '../timeline/drafts.js';

withStore();

const mail = (company: Company, value: string, over: object = {}) =>
  resolveOrCreate(company.scope, {
    inboxId: company.email._id,
    type: 'email',
    value,
    source: 'email',
    ...over,
  });
const call = (company: Company, value: string, over: object = {}) =>
  resolveOrCreate(company.scope, {
    inboxId: company.phone._id,
    type: 'phone',
    value,
    source: 'call',
    ...over,
  });
const writes = (company: Company, contactId: string, text: string) =>
  append(company.scope, aMessage({ contactId, text, conversation: begunUnder(contactId, company.chat._id) }));
const said = async (company: Company, contactId: string) =>
  (await readTimeline(company.scope, contactId, { kinds: 'message' })).events.flatMap((event) =>
    event.kind === 'message' ? event.body.text : [],
  );

describe('mail and calls that prove nothing', () => {
  it('gather on one contact for each inbox, type and value, however many arrive at once', async () => {
    const company = await aCompany();
    const arrivals = await Promise.all(Array.from({ length: 10 }, () => call(company, '+44 20 7946 0018')));
    expect(new Set(arrivals.map(({ contactId }) => contactId)).size).toBe(1);
    expect(arrivals.every(({ verified }) => !verified)).toBe(true);
    const elsewhere = await resolveOrCreate(company.scope, {
      inboxId: company.chat._id,
      type: 'phone',
      value: '+442079460018',
      source: 'call',
    });
    expect(elsewhere.contactId).not.toBe(arrivals[0]?.contactId);
    expect(await resolveIdentity(company.scope, { type: 'phone', value: '+442079460018' })).toBeNull();
  });

  it('stand apart from whoever proved that address, but a call goes to whoever proved that number', async () => {
    const company = await aCompany();
    const proved = await mail(company, 'ann@example.com', { proved: 'dmarc', name: 'Ann' });
    const forged = await mail(company, 'ANN@example.com ', { name: 'Ann' });
    expect(proved.verified).toBe(true);
    expect(forged).toMatchObject({ verified: false });
    expect(forged.contactId).not.toBe(proved.contactId);
    await proveIdentity(company.scope, proved.contactId, {
      type: 'phone',
      value: '+442079460018',
      proof: 'agent',
    });
    expect(await call(company, '+442079460018')).toEqual({ contactId: proved.contactId, verified: false });
  });

  it('are refused for what is no address', async () => {
    const company = await aCompany();
    await expect(mail(company, 'not an address')).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('a claim', () => {
  it('puts no browser on any contact, and shows an agent an unverified value and a suggestion', async () => {
    const company = await aCompany();
    const { scope, agentId } = company;
    const customer = await mail(company, 'ann@example.com', { proved: 'dmarc', name: 'Ann' });
    const stranger = await createVisitor(scope);
    await makeClaim(scope, stranger.contactId, { type: 'email', value: 'Ann@example.com', source: 'form' });
    expect(await visitorContact(scope, stranger.visitorId)).toBe(stranger.contactId);
    expect(await visibleContacts(scope, stranger.contactId)).toEqual([stranger.contactId]);
    const detail = await contactDetail(scope, stranger.contactId, agentId);
    expect(detail.identities).toEqual([]);
    expect(detail.claims).toMatchObject([{ type: 'email', value: 'ann@example.com', source: 'form' }]);
    expect(detail.suggestions).toMatchObject([
      { otherId: customer.contactId, reason: 'same_email', value: 'ann@example.com', otherName: 'Ann' },
    ]);
  });

  it('that brings a name leaves the contact found by the name that an agent filled in', async () => {
    const company = await aCompany();
    const { scope, agent } = company;
    const { contactId } = await createVisitor(scope);
    await changeContact(agent, contactId, { fields: { name: 'Ann Okafor' } });
    await makeClaim(scope, contactId, {
      type: 'email',
      value: 'ann@example.com',
      source: 'form',
      name: 'Nobody',
    });
    const found = async (query: string) => (await listContacts(scope, { query })).rows.map(({ id }) => id);
    expect(await found('okafor')).toEqual([contactId]);
    expect(await found('nobody')).toEqual([]);
  });

  it('made by a stranger first gives the stranger nothing when the customer’s proved mail comes second', async () => {
    const company = await aCompany();
    const { scope } = company;
    const stranger = await createVisitor(scope);
    await makeClaim(scope, stranger.contactId, { type: 'email', value: 'ann@example.com', source: 'form' });
    await writes(company, stranger.contactId, 'It is me');
    const before = await visitorConversations(scope, await visibleContacts(scope, stranger.contactId));
    const customer = await mail(company, 'ann@example.com', { proved: 'dmarc' });
    await writes(company, customer.contactId, 'A secret');
    const later = await createVisitor(scope);
    expect(
      await proveIdentity(scope, later.contactId, { type: 'email', value: 'ann@example.com', proof: 'jwt' }),
    ).toBe(customer.contactId);
    expect(customer.contactId).not.toBe(stranger.contactId);
    expect(await visitorContact(scope, stranger.visitorId)).toBe(stranger.contactId);
    expect(await visitorConversations(scope, await visibleContacts(scope, stranger.contactId))).toEqual(
      before,
    );
    expect(await said(company, stranger.contactId)).toEqual(['It is me']);
  });

  it('stays a claim after the claimant alone proved something else', async () => {
    const company = await aCompany();
    const { scope, agentId } = company;
    const visitor = await createVisitor(scope);
    await makeClaim(scope, visitor.contactId, { type: 'email', value: 'ann@example.com', source: 'form' });
    await proveIdentity(scope, visitor.contactId, { type: 'external', value: 'user-1', proof: 'jwt' });
    const detail = await contactDetail(scope, visitor.contactId, agentId);
    expect(detail.identities.map(({ type }) => type)).toEqual(['external']);
    expect(detail.claims).toHaveLength(1);
  });

  it('made by the visitor’s own hand is no answer that the visitor may not see', async () => {
    const { scope } = await aCompany();
    const { contactId } = await createVisitor(scope);
    const own = { ...scope, actor: { type: 'contact' as const, id: contactId } };
    await expect(
      makeClaim(own, contactId, { type: 'email', value: 'ann@example.com', source: 'form' }),
    ).resolves.toBeUndefined();
  });

  it('made again changes nothing, and not without end', async () => {
    const { scope, agentId } = await aCompany();
    const { contactId } = await createVisitor(scope);
    const claim = (value: string) => makeClaim(scope, contactId, { type: 'email', value, source: 'form' });
    await Promise.all([claim('a@example.com'), claim('a@example.com')]);
    expect((await contactDetail(scope, contactId, agentId)).claims).toHaveLength(1);
    for (let index = 1; index < limits.claimsPerContact; index += 1) await claim(`a${index}@example.com`);
    await expect(claim('one-more@example.com')).rejects.toMatchObject({
      code: 'rate_limited',
      details: { retryAfterMs: expect.any(Number) },
    });
    await expect(claim('a@example.com')).resolves.toBeUndefined();
  });
});

describe('a proof', () => {
  it('makes the identity on the prover’s own contact, once, also when two prove at once', async () => {
    const { scope } = await aCompany();
    const [one, two] = [await createVisitor(scope), await createVisitor(scope)];
    const prove = (contactId: string) =>
      proveIdentity(scope, contactId, { type: 'external', value: 'user-1', proof: 'jwt' });
    const [a, b] = await Promise.all([prove(one.contactId), prove(two.contactId)]);
    expect(a).toBe(b);
    expect([one.contactId, two.contactId]).toContain(a);
    // Both browsers have proved that they are one person's: each sees what the other wrote.
    expect(await visitorContact(scope, one.visitorId)).toBe(a);
    expect(await visitorContact(scope, two.visitorId)).toBe(a);
    expect((await visibleContacts(scope, a)).toSorted()).toEqual([one.contactId, two.contactId].toSorted());
  });

  it('is found the same by browsers that are looked up together', async () => {
    const { scope, agent } = await aCompany();
    const newcomer = () => createVisitor(scope);
    const [alone, first, second] = [await newcomer(), await newcomer(), await newcomer()];
    const [merged, blocked, gone] = [await newcomer(), await newcomer(), await newcomer()];
    for (const { contactId } of [first, second]) {
      await proveIdentity(scope, contactId, { type: 'external', value: 'user-1', proof: 'jwt' });
    }
    await mergeContacts(agent, alone.contactId, merged.contactId);
    await changeContact(agent, blocked.contactId, { blocked: true });
    await forgetVisitor(scope, gone.visitorId);
    const all = [alone, first, second, merged, blocked, gone];
    const one = [];
    for (const { visitorId } of all) one.push(await reachOf(scope, visitorId));
    expect(await Promise.all(all.map(({ visitorId }) => reachOf(scope, visitorId)))).toEqual(one);
    expect(one.map((reach) => reach && [reach.contactIds.length, reach.blocked])).toEqual([
      [1, false],
      [2, false],
      [2, false],
      [1, false],
      [1, true],
      null,
    ]);
  });

  it('joins the browser to the contact whose proved mail came first', async () => {
    const company = await aCompany();
    const { scope } = company;
    const customer = await mail(company, 'ann@example.com', { proved: 'dmarc' });
    const visitor = await createVisitor(scope);
    await writes(company, visitor.contactId, 'Hello from the shop');
    expect(
      await proveIdentity(scope, visitor.contactId, {
        type: 'email',
        value: 'ann@example.com',
        proof: 'jwt',
      }),
    ).toBe(customer.contactId);
    expect(await said(company, customer.contactId)).toEqual(['Hello from the shop']);
    expect(await visitorContact(scope, visitor.visitorId)).toBe(customer.contactId);
    expect(await visitorConversations(scope, await visibleContacts(scope, customer.contactId))).toHaveLength(
      1,
    );
  });

  it('never puts two of the company’s user ids on one person', async () => {
    const company = await aCompany();
    const { scope } = company;
    const visitor = await createVisitor(scope);
    const a = await proveIdentity(scope, visitor.contactId, {
      type: 'external',
      value: 'user-a',
      proof: 'jwt',
    });
    await writes(company, a, 'A writes');
    const b = await proveIdentity(scope, visitor.contactId, {
      type: 'external',
      value: 'user-b',
      proof: 'jwt',
    });
    expect(b).not.toBe(a);
    expect(await said(company, b)).toEqual([]);
    expect(await visibleContacts(scope, b)).toEqual([b]);
    await proveIdentity(scope, a, { type: 'email', value: 'shared@example.com', proof: 'jwt' });
    expect(await proveIdentity(scope, b, { type: 'email', value: 'shared@example.com', proof: 'jwt' })).toBe(
      b,
    );
    expect(await visibleContacts(scope, b)).toEqual([b]);
  });

  it('by an agent’s word is refused for a value that is somebody else’s', async () => {
    const company = await aCompany();
    const { scope } = company;
    await mail(company, 'ann@example.com', { proved: 'dmarc' });
    const other = await createContact(scope);
    await expect(
      proveIdentity(scope, other, { type: 'email', value: 'ann@example.com', proof: 'agent' }),
    ).rejects.toMatchObject({ code: 'already_exists' });
  });
});

describe('a browser', () => {
  it('sees nothing of a contact that an agent merged into its own', async () => {
    const company = await aCompany();
    const { scope, agent } = company;
    const visitor = await createVisitor(scope);
    await writes(company, visitor.contactId, 'Mine');
    const other = await createVisitor(scope);
    await writes(company, other.contactId, 'Not yours');
    await mergeContacts(agent, visitor.contactId, other.contactId);
    expect(await visitorConversations(scope, await visibleContacts(scope, visitor.contactId))).toHaveLength(
      1,
    );
    expect(await visitorContact(scope, other.visitorId)).toBe(other.contactId);
    expect((await said(company, visitor.contactId)).toSorted()).toEqual(['Mine', 'Not yours']);
  });

  it('does not come back once it was forgotten', async () => {
    const { scope } = await aCompany();
    const { visitorId } = await createVisitor(scope);
    await forgetVisitor(scope, visitorId);
    expect(await visitorContact(scope, visitorId)).toBeNull();
  });
});

describe('a contact', () => {
  it('shows what an agent filled in, and is blocked and unblocked', async () => {
    const { scope, agent, agentId } = await aCompany();
    const contactId = await createContact(scope, { given: { name: 'ann' } });
    await changeContact(agent, contactId, { fields: { name: 'Ann Okafor', city: 'Leeds' }, blocked: true });
    expect(await contactDetail(scope, contactId, agentId)).toMatchObject({
      fields: { name: 'Ann Okafor', city: 'Leeds', company: null },
      blocked: true,
    });
    expect(await isBlocked(scope, contactId)).toBe(true);
    await changeContact(agent, contactId, { fields: { name: 'Ann Okafor', city: null }, blocked: false });
    expect(await contactDetail(scope, contactId, agentId)).toMatchObject({
      fields: { name: 'Ann Okafor', city: null },
      blocked: false,
    });
    const changes = (await readTimeline(scope, contactId, { kinds: 'contact_changed' })).events;
    expect(changes.map((event) => event.body)).toEqual([
      { changes: { city: null } },
      { changes: { name: 'Ann Okafor', city: 'Leeds' } },
    ]);
  });

  it('is found by the beginnings of its name, address and number, and by nothing that looks like a pattern', async () => {
    const company = await aCompany();
    const { scope, agent } = company;
    const { contactId } = await mail(company, 'daniel@example.com', {
      proved: 'dmarc',
      name: 'Daniel Okafor',
    });
    const caller = await call(company, '+442079460018');
    await mail(company, 'zoe@example.com', { name: 'Zoë' });
    const found = async (query: string) => (await listContacts(scope, { query })).rows.map(({ id }) => id);
    for (const query of ['dan', 'OKAF', 'daniel okafor', 'daniel@ex'])
      expect(await found(query)).toEqual([contactId]);
    for (const query of ['+44 20', '44207946']) expect(await found(query)).toEqual([caller.contactId]);
    expect(await found('zoe')).toHaveLength(1);
    for (const query of ['.*', 'd.n', '$where', 'da[n]']) expect(await found(query)).toEqual([]);
    await mergeContacts(agent, contactId, caller.contactId);
    expect(await found('+4420')).toEqual([contactId]);
    expect((await listContacts(scope, {})).rows).toHaveLength(2);
  });

  it('is listed page by page, each group once', async () => {
    const { scope } = await aCompany();
    for (let index = 0; index < 5; index += 1) await createContact(scope, { given: { name: `N${index}` } });
    const names: (string | null)[] = [];
    let cursor: string | undefined;
    do {
      const page = await listContacts(scope, { limit: 2, cursor });
      names.push(...page.rows.map((row) => row.name));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(names).toEqual(['N4', 'N3', 'N2', 'N1', 'N0']);
  });
});
