import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { SessionAnswer } from '../../../shared/api.js';
import type { Availability } from '../../../shared/protocol.js';
import { openDesk, openTab, signInOwner, type TestApp, testApp, toldOf } from '../http/app.js';

let at: TestApp;
let owner: SessionAnswer;
beforeAll(async () => {
  at = await testApp();
  owner = await signInOwner(at);
});
afterEach(() => void vi.useRealTimers());
afterAll(() => at.stop());

const patience = { timeout: 30_000, interval: 50 };

it('tells who is here already what a newcomer is told, when it is another', async () => {
  const desk = await openDesk(at, owner.accessToken);
  const stays = await openTab(at);
  const shown = () =>
    (toldOf<Availability>(stays, 'availability').at(-1) ?? stays.session.inbox.availability).online;
  await expect.poll(shown, patience).toBe(true);
  desk.close();
  // What was looked up is kept for seconds: they pass here at once.
  vi.useFakeTimers({ toFake: ['performance'] });
  await expect
    .poll(async () => {
      vi.advanceTimersByTime(6_000);
      const comes = await openTab(at);
      comes.close();
      return comes.session.inbox.availability.online;
    }, patience)
    .toBe(false);
  await expect.poll(shown, patience).toBe(false);
  stays.close();
});
