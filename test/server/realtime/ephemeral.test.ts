import mongoose from 'mongoose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SessionAnswer } from '../../../shared/api.js';
import { openDesk, openTab, say, signInOwner, type TestApp, testApp, toldOf } from '../http/app.js';

let at: TestApp;
let owner: SessionAnswer;
beforeAll(async () => {
  at = await testApp();
  owner = await signInOwner(at);
});
afterAll(() => at.stop());

it('shows typing, pages, presence and who looks on, and writes none of it to the store', async () => {
  const anna = await openDesk(at, owner.accessToken);
  const visitor = await openTab(at);
  const { conversationId } = await say(visitor, 'Hello');
  await expect.poll(() => toldOf(anna, 'conversation')).not.toEqual([]);
  const changes = mongoose.connection.getClient().watch();
  // Opens it: from here on nothing that is written stays unseen.
  await changes.tryNext();

  await anna.ask('view', { conversationId, active: false });
  for (const typing of [true, false, true]) {
    await anna.ask('typing', { conversationId, typing });
    await visitor.ask('typing', { conversationId, typing });
  }
  for (const page of ['a', 'b'])
    await visitor.ask('page', { url: `https://shop.example/${page}`, title: page });
  await expect.poll(() => toldOf(visitor, 'typing').length).toBeGreaterThan(0);
  await expect.poll(() => toldOf(anna, 'typing').length).toBeGreaterThan(0);
  await expect
    .poll(() => toldOf(anna, 'presence').at(-1))
    .toMatchObject({ visit: { url: 'https://shop.example/b' } });
  visitor.close();
  await expect.poll(() => toldOf(anna, 'presence').at(-1)).toMatchObject({ visit: null });

  // The next thing in the store is the next message: nothing was written between.
  const other = await openTab(at, { token: visitor.session.token });
  await say(other, 'Are you there?', conversationId);
  const written: string[] = [];
  while (!written.includes('events')) {
    const change = await changes.next();
    if ('ns' in change && 'coll' in change.ns && change.ns.coll !== 'leases') written.push(change.ns.coll);
  }
  expect(written).toEqual(['conversations', 'events']);
  await changes.close();
  other.close();
  anna.close();
});
