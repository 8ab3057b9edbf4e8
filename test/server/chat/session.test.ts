import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeSession } from '../../../server/channels/chat/session.js';
import { loadVisitor } from '../../../server/channels/chat/visitor.js';
import { createVisitor } from '../../../server/contacts/visitors.js';
import { type TestApp, testApp } from '../http/app.js';

let at: TestApp;
beforeAll(async () => {
  at = await testApp();
});
afterAll(() => at.stop());

it('says who is there when it is said, not when it was asked for: a word of it in between is not overtaken', async () => {
  const { workspaceId, inbox, secretKey } = at;
  const { visitorId } = await createVisitor({ workspaceId });
  const visitor = await loadVisitor({ workspaceId, inboxId: inbox._id, visitorId });
  let online = false;
  const availability = async () => ({ online, agents: [] });
  const described = describeSession({ secretKey, availability }, { visitor, inbox });
  online = true;
  expect((await described).inbox.availability.online).toBe(true);
});
