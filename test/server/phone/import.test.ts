import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importCalls } from '../../../server/channels/phone/import.js';
import { beginImport, undoImport } from '../../../server/contacts/imports.js';
import { ContactModel } from '../../../server/contacts/model.js';
import { proveIdentity } from '../../../server/contacts/prove.js';
import { createVisitor } from '../../../server/contacts/visitors.js';
import { countConversations } from '../../../server/conversations/conversations.js';
import { ConversationModel } from '../../../server/conversations/model.js';
import { listInboxes } from '../../../server/inboxes/inboxes.js';
import { EventModel } from '../../../server/timeline/model.js';
import { bodyOf } from '../../../server/timeline/projection.js';
import { readTimeline } from '../../../server/timeline/read.js';
import { rebuild } from '../../../server/timeline/rebuild.js';
import { mongooseRemake } from '../../../server/timeline/remake-store.js';
import { addFirstInboxes } from '../../../server/workspaces/first.js';
import { type Scope, systemScope } from '../../../server/workspaces/scope.js';
import { addWorkspace } from '../../../server/workspaces/workspaces.js';
import type { EventOf } from '../../../shared/events/timeline.js';
import { openTestStore, type TestStore } from '../files/open.js';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

interface Company {
  scope: Scope;
  country: string;
  import(
    log: string | Uint8Array,
    vouch?: boolean,
  ): Promise<{ importId: string; counts: unknown; broken: string[] }>;
}

async function aCompany(country = 'RU', timeZone: string | null = null): Promise<Company> {
  const workspace = await addWorkspace('Company', country);
  const scope = systemScope(workspace._id);
  await addFirstInboxes(scope, 'http://localhost');
  const [inbox] = await listInboxes(scope, 'phone');
  if (!inbox) throw new Error('No phone inbox.');
  return {
    scope,
    country,
    async import(log, vouch = false) {
      const importId = await beginImport(scope, { source: 'test', channel: 'phone', vouch });
      const broken: string[] = [];
      async function* bytes() {
        yield typeof log === 'string' ? Buffer.from(log) : log;
      }
      const counts = await importCalls(scope, bytes(), {
        inbox: { _id: inbox._id, timeZone },
        country,
        importId,
        vouch,
        onBroken: ({ place }) => broken.push(place),
      });
      return { importId, counts, broken };
    },
  };
}

const callsOf = async ({ workspaceId }: Scope) =>
  EventModel.find({ workspaceId, kind: 'call', erased: { $exists: false } })
    .sort({ occurredAt: 1 })
    .lean();

interface Record {
  from?: string;
  to?: string;
  name?: string;
  start?: string;
  answered?: boolean;
  seconds?: number;
  id: string;
}
/** One line of an Asterisk log. */
function logLine({
  from = '+74950001122',
  to = '101',
  name = '',
  start,
  answered = true,
  seconds = 60,
  id,
}: Record) {
  const began = start ?? '2026-03-02 09:00:00';
  const billed = answered ? seconds - 10 : 0;
  const cells = ['', from, to, 'from-trunk', name === '' ? from : `"${name}" <${from}>`];
  const caller = from.length <= 4 ? `PJSIP/${from}-01` : 'PJSIP/trunk-01';
  const called = to.length <= 4 && answered ? `PJSIP/${to}-02` : 'PJSIP/trunk-02';
  cells.push(caller, from.length <= 4 ? 'PJSIP/trunk-02' : called, 'Dial', '', began, '', began);
  cells.push(String(seconds), String(billed), answered ? 'ANSWERED' : 'NO ANSWER', '', id, '');
  return `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\n`;
}

describe('importing calls', () => {
  it('puts one event a call onto the timeline, and the same log again adds nothing', async () => {
    const company = await aCompany();
    const log =
      logLine({ id: '1.1', name: 'Анна' }) +
      logLine({ id: '1.2', start: '2026-03-02 10:00:00', answered: false });
    expect(await company.import(log)).toMatchObject({ counts: { imported: 2, duplicates: 0, broken: 0 } });
    const [first, second] = await callsOf(company.scope);
    expect(first).toMatchObject({
      channel: 'phone',
      direction: 'in',
      occurredAt: new Date('2026-03-02T09:00:00Z'),
      body: {
        callId: '1.1',
        from: { shown: '+74950001122', e164: '+74950001122', name: 'Анна' },
        to: { shown: '101', extension: '101' },
        agent: '101',
        outcome: 'answered',
        startedAt: '2026-03-02T09:00:00.000Z',
        answeredAt: '2026-03-02T09:00:10.000Z',
        endedAt: '2026-03-02T09:01:00.000Z',
        ringSeconds: 10,
        talkSeconds: 50,
        numberVerified: false,
      },
    });
    expect(second).toMatchObject({ contactId: first?.contactId, conversationId: first?.conversationId });
    expect(second?.body).toMatchObject({ outcome: 'missed', talkSeconds: 0, ringSeconds: 60 });

    const before = await EventModel.countDocuments({ workspaceId: company.scope.workspaceId });
    expect(await company.import(log)).toMatchObject({ counts: { imported: 0, duplicates: 2, broken: 0 } });
    expect(await EventModel.countDocuments({ workspaceId: company.scope.workspaceId })).toBe(before);
  });

  it('reads numbers as they are dialled in the company’s country, so that one person is one contact', async () => {
    const company = await aCompany('RU');
    const spellings = ['+74950001122', '84950001122', '8 (495) 000-11-22', '0074950001122', '4950001122'];
    await company.import(spellings.map((from, index) => logLine({ from, id: `2.${index}` })).join(''));
    const calls = await callsOf(company.scope);
    expect(new Set(calls.map(({ contactId }) => contactId)).size).toBe(1);
    expect(calls.map(({ body }) => (body as EventOf<'call'>['body']).from.e164)).toEqual(
      spellings.map(() => '+74950001122'),
    );
  });

  it('keeps a number that cannot be read as it was shown, and invents no country for it', async () => {
    const company = await aCompany('RU');
    await company.import(logLine({ from: '2025550147', id: '3.1' }));
    const [call] = await callsOf(company.scope);
    expect(((call as NonNullable<typeof call>).body as EventOf<'call'>['body']).from).toEqual({
      shown: '2025550147',
    });
  });

  it('gives a call to the contact who proved its number, marked as not verified, and unlocks nothing (T3)', async () => {
    const company = await aCompany();
    const { contactId } = await createVisitor(company.scope);
    await proveIdentity(company.scope, contactId, { type: 'phone', value: '+74950001122', proof: 'jwt' });
    await company.import(logLine({ id: '4.1' }));
    const [call] = await callsOf(company.scope);
    expect(call?.contactId).toBe(contactId);
    expect(call?.body).toMatchObject({ numberVerified: false });
    const { events } = await readTimeline(company.scope, contactId, {});
    const proofs = events.filter(({ kind }) => kind === 'identity_proved');
    expect(proofs).toHaveLength(1);
    expect(events.filter(({ kind }) => kind === 'claim_made')).toHaveLength(0);
  });

  it('gathers an unproved number on one contact, apart from who proves it later', async () => {
    const company = await aCompany();
    await company.import(logLine({ id: '5.1' }));
    const [before] = await callsOf(company.scope);
    const { contactId } = await createVisitor(company.scope);
    await proveIdentity(company.scope, contactId, { type: 'phone', value: '+74950001122', proof: 'otp' });
    expect(before?.contactId).not.toBe(contactId);
    const { events } = await readTimeline(company.scope, contactId, {});
    expect(events.some(({ kind }) => kind === 'call')).toBe(false);
  });

  it('never makes one person of callers who withheld their numbers', async () => {
    const company = await aCompany();
    const hidden = ['anonymous', 'Anonymous', '', 'unknown', 'Restricted'];
    const log = hidden.map((from, index) => logLine({ from, id: `6.${index}` })).join('');
    await company.import(log);
    await company.import(log);
    const calls = await callsOf(company.scope);
    expect(calls).toHaveLength(hidden.length);
    expect(new Set(calls.map(({ contactId }) => contactId)).size).toBe(hidden.length);
    for (const { body } of calls) expect((body as EventOf<'call'>['body']).from.anonymous).toBe(true);
    const contacts = await ContactModel.countDocuments({ workspaceId: company.scope.workspaceId });
    expect(contacts).toBe(hidden.length);
  });

  it('tells outgoing calls from incoming ones, and keeps calls between colleagues out of every queue', async () => {
    const company = await aCompany();
    const out = logLine({ from: '204', to: '84950001122', name: 'Pavel', id: '7.1' });
    const shown = logLine({ from: '+78120000000', to: '+35315550123', id: '7.3' }).replace(
      'trunk-01',
      '204-01',
    );
    await company.import(out + logLine({ from: '204', to: '*97', id: '7.2' }) + shown);
    const calls = await callsOf(company.scope);
    const byId = new Map(calls.map((call) => [(call.body as EventOf<'call'>['body']).callId, call]));
    expect(byId.get('7.1')).toMatchObject({
      direction: 'out',
      body: { agent: 'Pavel', to: { e164: '+74950001122' }, numberVerified: true },
    });
    expect(byId.get('7.2')).toMatchObject({ direction: 'internal' });
    expect(byId.get('7.2')?.conversationId).toBeUndefined();
    expect(byId.get('7.3')).toMatchObject({ direction: 'out', body: { to: { e164: '+35315550123' } } });
    const conversations = await ConversationModel.countDocuments({ workspaceId: company.scope.workspaceId });
    expect(conversations).toBe(2);
  });

  it('makes no work of what is over a day old, and work of what is not', async () => {
    const { scope, import: take } = await aCompany('GB');
    const { workspaceId } = scope;
    const stateOf = async (from: string) => {
      const call = (await callsOf(scope)).findLast((event) => bodyOf(event, 'call').from.shown === from);
      return ConversationModel.findOne({ workspaceId, _id: call?.conversationId ?? '' }).lean();
    };
    const logTime = (hoursAgo: number) =>
      new Date(Date.now() - hoursAgo * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
    const [old, fresh] = ['+442079460111', '+442079460222'];
    const line = (from: string, id: string, hoursAgo: number) =>
      logLine({ from, id, answered: false, start: logTime(hoursAgo) });
    await take(line(old, '1', 24 * 300) + line(old, '2', 25) + line(fresh, '3', 23));
    expect(await stateOf(old)).toMatchObject({ status: 'closed', waitingSince: null, incoming: 2 });
    expect(await stateOf(fresh)).toMatchObject({ status: 'open', waitingSince: expect.any(Date) });
    expect(await countConversations(scope, 'agent')).toMatchObject({ all: 1, unassigned: 1 });
    // They call again: now somebody waits. And all of it follows from the events alone.
    await take(line(old, '4', 1));
    expect(await stateOf(old)).toMatchObject({ status: 'open', waitingSince: expect.any(Date), incoming: 3 });
    const before = await ConversationModel.find({ workspaceId }).sort({ _id: 1 }).lean();
    await rebuild(mongooseRemake, scope);
    expect(await ConversationModel.find({ workspaceId }).sort({ _id: 1 }).lean()).toEqual(before);
  });

  it('proves numbers when the operator vouches, and takes that back with the import', async () => {
    const company = await aCompany();
    const { importId } = await company.import(logLine({ id: '8.1' }), true);
    const [call] = await callsOf(company.scope);
    expect(call?.body).toMatchObject({ numberVerified: true });
    const { contactId } = call ?? { contactId: '' };
    const { events } = await readTimeline(company.scope, contactId, {});
    expect(events.map(({ kind }) => kind)).toContain('identity_proved');
    await undoImport(company.scope, importId);
    expect(await callsOf(company.scope)).toEqual([]);
    expect(await ContactModel.countDocuments({ workspaceId: company.scope.workspaceId })).toBe(0);
    expect(await ConversationModel.countDocuments({ workspaceId: company.scope.workspaceId })).toBe(0);
    expect(await company.import(logLine({ id: '8.1' }))).toMatchObject({ counts: { imported: 1 } });
  });

  it('names a broken line and imports the rest', async () => {
    const company = await aCompany();
    const log = `${logLine({ id: '9.1' })}"a","b"\n${logLine({ id: '9.2' })}`;
    expect(await company.import(log)).toMatchObject({
      counts: { imported: 2, duplicates: 0, broken: 1 },
      broken: ['line 2'],
    });
  });

  it('touches nothing of another company with the same numbers and call ids (A6)', async () => {
    const [mine, other] = [await aCompany(), await aCompany()];
    const log = logLine({ id: '10.1' }) + logLine({ id: '10.2', from: 'anonymous' });
    await other.import(log);
    const dump = async () =>
      JSON.stringify(
        await Promise.all([
          EventModel.find({ workspaceId: other.scope.workspaceId }).sort({ _id: 1 }).lean(),
          ContactModel.find({ workspaceId: other.scope.workspaceId }).sort({ _id: 1 }).lean(),
          ConversationModel.find({ workspaceId: other.scope.workspaceId }).sort({ _id: 1 }).lean(),
        ]),
      );
    const before = await dump();
    const { importId } = await mine.import(log, true);
    await undoImport(mine.scope, importId);
    await mine.import(log);
    expect(await dump()).toBe(before);
  });

  it('gives the same calls in whatever order and however often the lines come', async () => {
    const company = await aCompany();
    const lines = Array.from({ length: 8 }, (_, index) =>
      logLine({ id: `11.${index % 6}`, from: `+7495000112${index % 3}`, answered: index % 2 === 0 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...lines, ...lines], { minLength: 1 }), async (some) => {
        await company.import(some.join(''));
        const ids = (await callsOf(company.scope)).map(
          ({ body }) => (body as EventOf<'call'>['body']).callId,
        );
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 15 },
    );
  });
});

const data = process.env.TEST_DATA_DIR ?? join(import.meta.dirname, '../../../../shared/data');
describe.skipIf(!existsSync(join(data, 'cdr')))('the call logs of the test data, imported', () => {
  it('every call of Master.csv once, with its direction, in its place; again nothing', async () => {
    const company = await aCompany('RU');
    const log = readFileSync(join(data, 'cdr/asterisk/Master.csv'));
    expect(await company.import(log)).toMatchObject({ counts: { imported: 60, duplicates: 0, broken: 0 } });
    const calls = await callsOf(company.scope);
    // By the exchange's own context: from outside, from inside, and two calls to the voicemail.
    const directions = { in: 0, out: 0, internal: 0 };
    for (const call of calls) directions[call.direction] += 1;
    expect(directions).toEqual({ in: 31, out: 27, internal: 2 });
    expect(await company.import(log)).toMatchObject({ counts: { imported: 0, duplicates: 60, broken: 0 } });
  });
});
