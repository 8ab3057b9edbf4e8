import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newRun, receiveLetters } from '../../../server/channels/email/receive.js';
import { InboxModel } from '../../../server/inboxes/model.js';
import { EventModel } from '../../../server/timeline/model.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import type { ContactDetail, ContactList, SessionAnswer } from '../../../shared/api.js';
import { raw } from '../email/fixtures.js';
import {
  clientId,
  type Desk,
  openDesk,
  openTab,
  say,
  signInOwner,
  type Tab,
  type TestApp,
  testApp,
  toldOf,
} from '../http/app.js';

/** A stranger types a customer's address first, and the customer's proved mail comes second. */

const trustedHost = 'mx.kestrel.example';
const address = 'nina@tidewater.example';
const secret = 'canary-of-nina';

let at: TestApp;
let owner: SessionAnswer;
let stranger: Tab;
let anna: Desk;

beforeAll(async () => {
  at = await testApp({ TRUSTED_AUTH_HOST: trustedHost });
  owner = await signInOwner(at);
  stranger = await openTab(at);
  anna = await openDesk(at, owner.accessToken);
});
afterAll(async () => {
  stranger.close();
  anna.close();
  await at.stop();
});

const get = async <T>(path: string): Promise<T> => {
  const answer = await fetch(`${at.url}/api/workspaces/${at.workspaceId}${path}`, {
    headers: { authorization: `Bearer ${owner.accessToken}` },
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
};

async function ninaWrites(text: string, id: string): Promise<string> {
  const inbox = await InboxModel.findOne({ workspaceId: at.workspaceId, channel: 'email' }).lean();
  if (!inbox) throw new Error('A first start makes a mailbox.');
  const source = `Authentication-Results: ${trustedHost}; dmarc=pass header.from=tidewater.example\nReceived: from mail.tidewater.example ([198.51.100.7]) by ${trustedHost}; Tue, 04 Mar 2025 09:30:05 +0000\nFrom: Nina Orlova <${address}>\nTo: help@kestrel.example\nSubject: ${secret}\nMessage-ID: <${id}@tidewater.example>\n\n${text}\n`;
  const [received] = await receiveLetters(systemScope(at.workspaceId), [raw(Buffer.from(source))], {
    inbox,
    trustedHost,
    run: newRun(),
  });
  const event = await EventModel.findOne({ _id: received?.eventId ?? '' }).lean();
  expect(event?.kind).toBe('email');
  return event?.contactId ?? '';
}

describe('a claim that comes before the proof', () => {
  it('gives the claimant nothing, before and after, and tells them nothing', async () => {
    const { conversationId } = await say(stranger, 'hello, I am Nina');
    const nobodys = await stranger.ask('claim', { email: 'nobody-at-all@example.com' });
    expect(await stranger.ask('claim', { email: address, name: 'Nina Orlova' })).toEqual(nobodys);
    const contactId = await ninaWrites(secret, 'n1');
    expect(contactId).not.toBe(stranger.session.contactId);

    // What agents do with the customer reaches the customer's mailbox, never the stranger's browser.
    const { conversations } = await get<ContactDetail>(`/contacts/${contactId}`);
    const letter = conversations[0]?.id ?? '';
    const reply = (mode: 'reply' | 'note', text: string) => ({
      clientId: clientId(),
      conversationId: letter,
      mode,
      text,
      attachments: [],
      waitedMs: 0,
    });
    expect(await anna.ask('message:send', reply('note', secret))).toMatchObject({ ok: true });
    expect(await anna.ask('message:send', reply('reply', secret))).toMatchObject({ ok: true });
    await anna.ask('view', { conversationId: letter, active: true });
    await anna.ask('typing', { conversationId: letter, typing: true });
    await ninaWrites(`${secret}, again`, 'n2');
    // Claimed again, it is answered as before, although it is proved now; and so is the address of nobody.
    for (const email of [address, 'nobody-at-all@example.com', 'another-nobody@example.com']) {
      expect(await stranger.ask('claim', { email })).toEqual(nobodys);
    }
    await say(stranger, 'are you there?', conversationId);
    await expect.poll(() => toldOf(stranger, 'event').length).toBe(3);
    const again = await openTab(at, { token: stranger.session.token });
    const page = await stranger.ask('events:read', { conversationId, after: 0 });
    const unread = await fetch(`${at.url}/v1/visitor/unread`, {
      headers: { authorization: `Bearer ${stranger.session.token}` },
    });
    const heard = JSON.stringify([stranger.told, again.told, again.session, page, await unread.json()]);
    again.close();
    expect(heard).not.toContain(secret);
    expect(heard).not.toContain(address);
    expect(heard).not.toContain(contactId);
    expect(again.session).toMatchObject({ identified: false, conversations: [{ id: conversationId }] });
    expect(stranger.told.map(([name]) => name)).not.toContain('typing');
    expect(await stranger.ask('events:read', { conversationId: letter, after: 0 })).toMatchObject({
      ok: false,
    });
  });

  it('shows the agent two people: one proved, one unverified, and why they might be one', async () => {
    const stood = await get<ContactDetail>(`/contacts/${stranger.session.contactId}`);
    expect(stood.identities).toEqual([]);
    expect(stood.claims.map(({ value, source }) => [value, source])).toContainEqual([address, 'form']);
    expect(stood.suggestions).toMatchObject([{ reason: 'same_email', value: address }]);
    const { rows } = await get<ContactList>(`/contacts?query=${address}`);
    expect(rows.map(({ id, proved }) => [id === stranger.session.contactId, proved]).toSorted()).toEqual([
      [false, true],
      [true, false],
    ]);
  });
});
