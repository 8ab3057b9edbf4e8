import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import { changeConversation } from '../../../server/conversations/conversations.js';
import {
  addInbox,
  changeInbox,
  findPublicInbox,
  getInbox,
  inboxDetail,
  listInboxes,
  renewIdentitySecret,
  summariseInboxes,
} from '../../../server/inboxes/inboxes.js';
import { append } from '../../../server/timeline/append.js';
import { aCompany, withStore } from '../store.js';
import { aMessage, begunUnder } from '../timeline/drafts.js';

withStore();

const pem = (key: { export: (options: { type: 'spki'; format: 'pem' }) => string | Buffer }) =>
  key.export({ type: 'spki', format: 'pem' }).toString();

describe('an inbox', () => {
  it('admits no site until its owner names one, and never shows its secret', async () => {
    const { scope } = await aCompany();
    const inbox = await addInbox(scope, { channel: 'chat', name: 'Shop' });
    expect(inbox.allowedOrigins).toEqual([]);
    expect(inbox.identitySecret.length).toBeGreaterThanOrEqual(43);
    expect(JSON.stringify(inboxDetail(inbox))).not.toContain(inbox.identitySecret);
    const renewed = await renewIdentitySecret(scope, inbox._id);
    expect(renewed).not.toBe(inbox.identitySecret);
    expect((await getInbox(scope, inbox._id)).identitySecret).toBe(renewed);
  });

  it('keeps what a change does not name', async () => {
    const { scope, chat } = await aCompany();
    await changeInbox(scope, chat._id, { greeting: 'Hello', allowedOrigins: ['https://shop.example'] });
    const changed = await changeInbox(scope, chat._id, { asksForEmail: true });
    expect(changed).toMatchObject({
      greeting: 'Hello',
      allowedOrigins: ['https://shop.example'],
      asksForEmail: true,
      name: 'Website',
    });
  });

  it('takes as a public key RSA of 2048 bits or P-256, and nothing else', async () => {
    const { scope, chat } = await aCompany();
    const set = (identityPublicKey: string) => changeInbox(scope, chat._id, { identityPublicKey });
    const good = [
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
    ];
    for (const key of good)
      await expect(set(pem(key))).resolves.toMatchObject({ identityPublicKey: pem(key) });
    const bad = [
      'not a key',
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
      pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey),
      pem(generateKeyPairSync('ed25519').publicKey),
    ];
    for (const key of bad)
      await expect(set(key)).rejects.toMatchObject({ details: { field: 'identityPublicKey' } });
  });

  it('refuses a time zone that is none', async () => {
    const { scope, phone } = await aCompany();
    await expect(changeInbox(scope, phone._id, { timeZone: 'Mars/Olympus' })).rejects.toMatchObject({
      details: { field: 'timeZone' },
    });
    await expect(changeInbox(scope, phone._id, { timeZone: 'Europe/London' })).resolves.toMatchObject({
      timeZone: 'Europe/London',
    });
  });

  it('is listed with its open conversations, within its workspace only', async () => {
    const [one, two] = [await aCompany(), await aCompany()];
    const contactId = await createContact(one.scope);
    for (const key of ['a', 'b']) {
      await append(one.scope, aMessage({ contactId, conversation: begunUnder(key, one.chat._id) }));
    }
    const { event } = await append(
      one.scope,
      aMessage({ contactId, conversation: begunUnder('c', one.chat._id) }),
    );
    await changeConversation(one.agent, event.conversationId ?? '', { status: 'closed' });
    const summaries = await summariseInboxes(one.scope);
    expect(summaries.find(({ id }) => id === one.chat._id)).toMatchObject({ open: 2, channel: 'chat' });
    expect((await summariseInboxes(two.scope)).map(({ open }) => open)).toEqual([0, 0, 0]);
    expect((await listInboxes(one.scope, 'phone')).map(({ _id }) => _id)).toEqual([one.phone._id]);
    for (const ask of [
      () => getInbox(two.scope, one.chat._id),
      () => changeInbox(two.scope, one.chat._id, { name: 'Mine' }),
      () => renewIdentitySecret(two.scope, one.chat._id),
      () => findPublicInbox('nothing'),
    ]) {
      await expect(ask()).rejects.toMatchObject({ code: 'inbox_not_found' });
    }
  });
});
