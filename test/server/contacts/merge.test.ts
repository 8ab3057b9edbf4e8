import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { changeContact, contactDetail } from '../../../server/contacts/contacts.js';
import { createContact } from '../../../server/contacts/create.js';
import { groupOf } from '../../../server/contacts/group.js';
import { mergeContacts, previewMerge, previewUnmerge, unmerge } from '../../../server/contacts/merge.js';
import { ContactModel, MergeModel } from '../../../server/contacts/model.js';
import { resolveOrCreate } from '../../../server/contacts/resolve.js';
import { followStoreClock } from '../../../server/store/clock.js';
import { append } from '../../../server/timeline/append.js';
import { EventModel } from '../../../server/timeline/model.js';
import { readTimeline } from '../../../server/timeline/read.js';
import { limits } from '../../../shared/limits.js';
import { aCompany, type Company, withStore } from '../store.js';
import { aMessage, aNote, begunUnder } from '../timeline/drafts.js';

withStore();

const people = (company: Company, ...names: string[]) =>
  Promise.all(names.map((name) => createContact(company.scope, { given: { name } })));

const says = async (company: Company, contactId: string) =>
  (
    await append(
      company.scope,
      aMessage({ contactId, conversation: begunUnder(contactId, company.chat._id) }),
    )
  ).event.id;
const notes = async (company: Company, contactId: string) =>
  (await append(company.agent, aNote({ contactId, channel: null }))).event.id;
const timeline = async (company: Company, contactId: string) =>
  (await readTimeline(company.scope, contactId, { kinds: 'message,note', limit: 200 })).events
    .map(({ id }) => id)
    .toSorted();

describe('merging', () => {
  it('shows the whole group on one timeline, rewrites no event, and is undone exactly', async () => {
    const company = await aCompany();
    const { scope, agent, agentId } = company;
    const [a = '', b = ''] = await people(company, 'Ann', 'A. Okafor');
    const mine = await says(company, a);
    const theirs = await says(company, b);
    const before = await EventModel.find({ workspaceId: scope.workspaceId }).sort({ _id: 1 }).lean();
    const details = [await contactDetail(scope, a, agentId), await contactDetail(scope, b, agentId)];
    const { mergeId } = await mergeContacts(agent, a, b, { reason: 'Same voice' });
    expect(await timeline(company, b)).toEqual([mine, theirs].toSorted());
    expect(await contactDetail(scope, b, agentId)).toMatchObject({
      id: a,
      members: [a, b],
      merges: [{ mergeId, mergedId: b, mergedName: 'A. Okafor', by: agentId, reason: 'Same voice' }],
    });
    expect((await contactDetail(scope, a, agentId)).conversations).toHaveLength(2);
    await unmerge(agent, mergeId);
    expect(await timeline(company, a)).toEqual([mine]);
    expect(await timeline(company, b)).toEqual([theirs]);
    const rest = await EventModel.find({ _id: { $in: before.map(({ _id }) => _id) } })
      .sort({ _id: 1 })
      .lean();
    expect(rest).toEqual(before);
    expect([await contactDetail(scope, a, agentId), await contactDetail(scope, b, agentId)]).toEqual(details);
  });

  it('is refused with oneself, within one’s own group, in a circle, and undone only once', async () => {
    const company = await aCompany();
    const { agent, scope } = company;
    const [a = '', b = '', c = ''] = await people(company, 'a', 'b', 'c');
    await expect(mergeContacts(agent, a, a)).rejects.toMatchObject({ details: { reason: 'same' } });
    const { mergeId } = await mergeContacts(agent, a, b);
    await mergeContacts(agent, b, c);
    for (const [x, y] of [
      [a, b],
      [b, a],
      [c, a],
      [b, c],
    ] as const) {
      await expect(mergeContacts(agent, x, y)).rejects.toMatchObject({
        code: 'merge_refused',
        details: { reason: 'same_group' },
      });
    }
    await unmerge(agent, mergeId);
    await expect(unmerge(agent, mergeId)).rejects.toMatchObject({ details: { reason: 'undone' } });
    await expect(unmerge({ ...agent, workspaceId: 'other' }, mergeId)).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(previewMerge(scope, a, c)).rejects.toMatchObject({ code: 'merge_refused' });
  });

  it('of the same two twice at once, or of three in a circle at once, makes one group and no circle', async () => {
    const company = await aCompany();
    const { agent, scope, agentId } = company;
    const [a = '', b = '', c = ''] = await people(company, 'a', 'b', 'c');
    const results = await Promise.allSettled([
      mergeContacts(agent, a, b),
      mergeContacts(agent, b, a),
      mergeContacts(agent, b, c),
      mergeContacts(agent, c, a),
    ]);
    expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(2);
    for (const one of results) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'merge_refused' });
    }
    const details = await Promise.all([a, b, c].map((id) => contactDetail(scope, id, agentId)));
    expect(new Set(details.map(({ id }) => id)).size).toBe(1);
    expect(details[0]?.members.toSorted()).toEqual([a, b, c].toSorted());
  });

  it('and undoing, all at once and while people write, leaves a forest in which each event stands once', async () => {
    const company = await aCompany();
    const { scope, agent } = company;
    const { workspaceId } = scope;
    const contacts = await people(company, 'a', 'b', 'c', 'd', 'e');
    const said = new Map<string, string>();
    const noted: string[] = [];
    const standing = () => standingMerges(workspaceId);
    const refused: unknown[] = [];
    const attempt = (work: Promise<unknown>) => work.catch((error: unknown) => refused.push(error));
    for (let round = 0; round < 6; round += 1) {
      const merges = await standing();
      const at = (n: number) => contacts[(round * 3 + n) % contacts.length] ?? '';
      await Promise.all([
        // The same two from both sides, three in a circle, two into one.
        ...[
          [0, 1],
          [1, 0],
          [1, 2],
          [2, 0],
          [3, 4],
          [4, 0],
        ].map(([a = 0, b = 0]) => attempt(mergeContacts(agent, at(a), at(b)))),
        // Each standing merge undone by two agents at once.
        ...merges.flatMap(({ _id }) => [attempt(unmerge(agent, _id)), attempt(unmerge(agent, _id))]),
        ...contacts.map(async (contactId) => said.set(await says(company, contactId), contactId)),
        ...contacts.map(async (contactId) => noted.push(await notes(company, contactId))),
      ]);
      await expectForest(workspaceId, contacts);
    }
    for (const error of refused) expect(error).toMatchObject({ code: 'merge_refused' });
    const heads = new Set((await ContactModel.find({ workspaceId }).lean()).map(({ headId }) => headId));
    const shown = (await Promise.all([...heads].map((head) => timeline(company, head)))).flat();
    expect(shown.toSorted()).toEqual([...said.keys(), ...noted].toSorted());
    for (const { _id } of (await standing()).toReversed()) await unmerge(agent, _id);
    for (const contactId of contacts) {
      const own = [...said].filter(([, writer]) => writer === contactId).map(([id]) => id);
      const alone = await timeline(company, contactId);
      expect(alone.filter((id) => said.has(id))).toEqual(own.toSorted());
    }
  });

  it('and undoing shows whoever reads meanwhile the contact’s own group, whole, and never a stranger’s', async () => {
    const company = await aCompany();
    const { agent, scope } = company;
    const [above = '', between = '', below = ''] = await people(company, 'above', 'between', 'below');
    await mergeContacts(agent, between, below);
    const whole = (head: string, members: string[]) => [head, ...members.toSorted()].join();
    const seen = new Set<string>();
    const refused: unknown[] = [];
    let isOver = false;
    const read = async () => {
      while (!isOver) {
        try {
          const { head, memberIds } = await groupOf(scope, below);
          seen.add(whole(head._id, memberIds));
        } catch (error) {
          refused.push(error);
        }
      }
    };
    const reading = Promise.all([read(), read(), read()]);
    try {
      for (let round = 0; round < 5; round += 1) {
        const { mergeId } = await mergeContacts(agent, above, between);
        await unmerge(agent, mergeId);
      }
    } finally {
      isOver = true;
      await reading;
    }
    const [joined, apart] = [whole(above, [above, between, below]), whole(between, [between, below])];
    expect([...seen].filter((group) => group !== joined && group !== apart)).toEqual([]);
    // Three looks may all fall into bad moments: it is then told that there is none, and nothing else.
    for (const error of refused) expect(error).toMatchObject({ code: 'contact_not_found' });
  });

  it('is refused beyond what one timeline may hold', async () => {
    const company = await aCompany();
    const { agent } = company;
    const [head = ''] = await people(company, 'head');
    for (let index = 1; index < limits.mergedContacts; index += 1) {
      await mergeContacts(agent, head, await createContact(company.scope));
    }
    await expect(mergeContacts(agent, head, await createContact(company.scope))).rejects.toMatchObject({
      code: 'merge_refused',
      details: { reason: 'too_many', limit: limits.mergedContacts },
    });
  });

  it('shows fields by preference, overwrites none, and an edit afterwards goes before', async () => {
    const company = await aCompany();
    const { agent, scope, agentId } = company;
    const a = await createContact(scope, { given: { name: 'Ann', city: 'Leeds' } });
    const b = await createContact(scope, { given: { name: 'Ann Okafor', company: 'Wheelhouse' } });
    const { mergeId } = await mergeContacts(agent, a, b, { preferences: { name: b } });
    const fields = async (id: string) => (await contactDetail(scope, id, agentId)).fields;
    expect(await fields(a)).toMatchObject({ name: 'Ann Okafor', city: 'Leeds', company: 'Wheelhouse' });
    await changeContact(agent, b, { fields: { name: 'Dr Ann Okafor' } });
    expect(await fields(a)).toMatchObject({ name: 'Dr Ann Okafor' });
    const preview = await previewUnmerge(scope, mergeId);
    expect(preview.askAbout.map(({ kind }) => kind)).toEqual(['contact_changed']);
    await unmerge(agent, mergeId, { movedEventIds: preview.askAbout.map(({ id }) => id) });
    expect(await fields(a)).toMatchObject({ name: 'Ann', city: 'Leeds', company: null });
    expect(await fields(b)).toMatchObject({ name: 'Dr Ann Okafor', city: null, company: 'Wheelhouse' });
    await expect(mergeContacts(agent, a, b, { preferences: { name: 'somebody' } })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('asks about what nobody’s identity brought since, and lets go only that', async () => {
    const company = await aCompany();
    const { agent, scope } = company;
    const [a = '', b = ''] = await people(company, 'a', 'b');
    const early = await notes(company, a);
    const { mergeId } = await mergeContacts(agent, a, b);
    const message = await says(company, b);
    const kept = await notes(company, b);
    const gone = await notes(company, a);
    const asked = (await previewUnmerge(scope, mergeId)).askAbout.map(({ id }) => id);
    expect(asked.toSorted()).toEqual([kept, gone].toSorted());
    for (const id of [early, message, 'nothing']) {
      await expect(unmerge(agent, mergeId, { movedEventIds: [id] })).rejects.toMatchObject({
        code: 'bad_request',
      });
    }
    await unmerge(agent, mergeId, { movedEventIds: [gone] });
    expect(await timeline(company, a)).toEqual([early, kept].toSorted());
    expect(await timeline(company, b)).toEqual([message, gone].toSorted());
  });

  it('asks only about what was written while the two were one, also of what lies above or was moved since', async () => {
    const company = await aCompany();
    const { agent, scope } = company;
    const [a = '', h = '', y = '', q = '', z = ''] = await people(company, 'a', 'h', 'y', 'q', 'z');
    const asked = async (mergeId: string) =>
      (await previewUnmerge(scope, mergeId)).askAbout.map(({ id }) => id).toSorted();
    const { mergeId: below } = await mergeContacts(agent, h, a);
    await mergeContacts(agent, y, q);
    const ofY = await notes(company, q);
    await mergeContacts(agent, z, y);
    const ofZ = await notes(company, y);
    await mergeContacts(agent, h, q);
    // These were written before the others came under the head that A is under.
    expect(await asked(below)).toEqual([]);
    for (const id of [ofY, ofZ]) {
      await expect(unmerge(agent, below, { movedEventIds: [id] })).rejects.toMatchObject({
        code: 'bad_request',
      });
    }
    const [top = '', late = ''] = await people(company, 'top', 'late');
    const { mergeId: above } = await mergeContacts(agent, top, h);
    const shared = [await notes(company, a), await notes(company, top)].toSorted();
    expect(await asked(below)).toEqual(shared);
    expect(await asked(above)).toEqual(shared);
    const [moved = '', left = ''] = shared;
    await unmerge(agent, above, { movedEventIds: [moved] });
    const { mergeId: later } = await mergeContacts(agent, top, late);
    expect(await asked(later)).toEqual([]);
    expect(await asked(below)).toEqual([moved]);
    await unmerge(agent, below, { movedEventIds: [moved] });
    expect(await timeline(company, a)).toEqual([moved]);
    expect(await timeline(company, top)).toEqual([left]);
    expect(await timeline(company, h)).toEqual([ofY, ofZ].toSorted());
  });

  it('keeps the store’s time, however wrong the process’s own clock is', async () => {
    const company = await aCompany();
    const { agent, scope, agentId } = company;
    const [a = '', b = ''] = await people(company, 'Ann', 'A. Okafor');
    const endFollowing = await followStoreClock();
    const trueTime = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: trueTime + 3_600_000 });
    try {
      const { mergeId } = await mergeContacts(agent, a, b, { preferences: { name: b } });
      const note = await notes(company, a);
      await changeContact(agent, a, { fields: { name: 'Dr Ann Okafor' } });
      expect((await contactDetail(scope, a, agentId)).fields.name).toBe('Dr Ann Okafor');
      const asked = (await previewUnmerge(scope, mergeId)).askAbout;
      expect(asked.map(({ kind }) => kind).toSorted()).toEqual(['contact_changed', 'note']);
      expect(asked.map(({ id }) => id)).toContain(note);
      await unmerge(agent, mergeId);
      const merge = await MergeModel.findOne({ _id: mergeId }).lean();
      expect(merge?.undoneAt?.getTime()).toBeLessThan(trueTime + 3_600_000);
    } finally {
      vi.useRealTimers();
      endFollowing();
    }
  });

  it('previews both sides', async () => {
    const company = await aCompany();
    const { scope, email } = company;
    const arrival = {
      inboxId: email._id,
      type: 'email' as const,
      value: 'ann@example.com',
      source: 'email' as const,
    };
    const proved = await resolveOrCreate(scope, { ...arrival, proved: 'dmarc', name: 'Ann' });
    const unproved = await resolveOrCreate(scope, { ...arrival, name: 'Ann' });
    await says(company, unproved.contactId);
    const preview = await previewMerge(scope, proved.contactId, unproved.contactId);
    expect(preview.left).toMatchObject({ emails: [{ value: 'ann@example.com', proved: true }], events: 0 });
    expect(preview.right).toMatchObject({
      emails: [{ value: 'ann@example.com', proved: false }],
      events: 1,
      open: [{ number: 1 }],
      marks: [{ channel: 'chat' }],
    });
  });

  it(
    'equals a model for any sequence of merges, undone merges and new events',
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(anAction, { minLength: 4, maxLength: 22 }), async (actions) => {
          const company = await aCompany();
          const contacts = await people(company, ...Array.from({ length: 5 }, (_, index) => `p${index}`));
          const model = new Model(contacts);
          for (const action of actions) await apply(company, contacts, model, action);
          for (const contact of contacts) {
            expect(await timeline(company, contact)).toEqual(model.timeline(contact));
            const detail = await contactDetail(company.scope, contact, company.agentId);
            expect({ head: detail.id, members: detail.members.toSorted() }).toEqual(model.group(contact));
          }
        }),
        { numRuns: process.env.THREADLINE_TEST_LONG ? 300 : 25 },
      ),
    process.env.THREADLINE_TEST_LONG ? 900_000 : 120_000,
  );
});

/** Read whole, and looked through here: the product asks for them by contact. */
const standingMerges = async (workspaceId: string) =>
  (await MergeModel.find({ workspaceId }).sort({ _id: 1 }).lean()).filter(
    ({ undoneAt }) => undoneAt === null,
  );

/** Every contact leads to its head in finitely many steps, each by a merge that stands, and no merge stands idle. */
async function expectForest(workspaceId: string, contacts: readonly string[]): Promise<void> {
  const rows = new Map((await ContactModel.find({ workspaceId }).lean()).map((row) => [row._id, row]));
  const merges = await standingMerges(workspaceId);
  const edges = [...rows.values()].flatMap(({ parentMergeId }) => parentMergeId ?? []);
  expect(edges.toSorted()).toEqual(merges.map(({ _id }) => _id).toSorted());
  for (const contactId of contacts) {
    const headId = rows.get(contactId)?.headId;
    let row = rows.get(contactId);
    for (let step = 0; step <= contacts.length && row?.parentId; step += 1) row = rows.get(row.parentId);
    expect([row?._id, row?.parentId, row?.headId]).toEqual([headId, null, headId]);
  }
}

const index = fc.integer({ min: 0, max: 4 });
const anAction = fc.oneof(
  fc.record({ do: fc.constant('merge' as const), a: index, b: index }),
  fc.record({
    do: fc.constant('undo' as const),
    which: fc.integer({ min: 0, max: 20 }),
    move: fc.integer({ min: 0, max: 7 }),
  }),
  fc.record({ do: fc.constant('say' as const), a: index }),
  fc.record({ do: fc.constant('note' as const), a: index }),
);
type Action = typeof anAction extends fc.Arbitrary<infer T> ? T : never;

/** What merging means, in the plainest terms: edges between contacts, where each event is, and whom it may concern. */
class Model {
  readonly edges: { mergeId: string; child: string; parent: string }[] = [];
  /** `sharedBy`: who was one with the event's contact when it was written, and without a break since. */
  readonly events: { id: string; at: string; sharedBy: string[] }[] = [];

  constructor(readonly contacts: readonly string[]) {}

  head(contact: string): string {
    const up = this.edges.find((edge) => edge.child === contact);
    return up ? this.head(up.parent) : contact;
  }

  members(head: string): string[] {
    return this.contacts.filter((contact) => this.head(contact) === head);
  }

  group(contact: string) {
    const head = this.head(contact);
    return { head, members: this.members(head).toSorted() };
  }

  timeline(contact: string): string[] {
    const members = this.members(this.head(contact));
    return this.events
      .filter((event) => members.includes(event.at))
      .map(({ id }) => id)
      .toSorted();
  }

  say(contact: string, id: string): void {
    this.events.push({ id, at: contact, sharedBy: [] });
  }

  note(contact: string, id: string): void {
    const head = this.head(contact);
    this.events.push({ id, at: head, sharedBy: this.members(head) });
  }

  merge(a: string, b: string, mergeId: string): void {
    this.edges.push({ mergeId, child: this.head(b), parent: this.head(a) });
  }

  /** Events of nobody's identity on whoever stays that whoever leaves has shared all along. */
  asked(mergeId: string): string[] {
    const edge = this.edges.find((one) => one.mergeId === mergeId);
    if (!edge) return [];
    const leaving = this.below(edge.child);
    return this.events
      .filter(({ at, sharedBy }) => sharedBy.includes(edge.child) && !leaving.includes(at))
      .map(({ id }) => id);
  }

  below(contact: string): string[] {
    const children = this.edges.filter((edge) => edge.parent === contact).map((edge) => edge.child);
    return [contact, ...children.flatMap((child) => this.below(child))];
  }

  undo(mergeId: string, moved: readonly string[]): void {
    const edge = this.edges.find((one) => one.mergeId === mergeId);
    if (!edge) return;
    const leaving = this.below(edge.child);
    this.edges.splice(this.edges.indexOf(edge), 1);
    for (const event of this.events) {
      if (moved.includes(event.id)) event.at = edge.child;
      const leaves = leaving.includes(event.at);
      event.sharedBy = event.sharedBy.filter((contact) => leaving.includes(contact) === leaves);
    }
  }
}

async function apply(
  company: Company,
  contacts: readonly string[],
  model: Model,
  action: Action,
): Promise<void> {
  if (action.do === 'say') {
    const contact = contacts[action.a] ?? '';
    model.say(contact, await says(company, contact));
  } else if (action.do === 'note') {
    const contact = contacts[action.a] ?? '';
    model.note(contact, await notes(company, contact));
  } else if (action.do === 'merge') {
    const [a = '', b = ''] = [contacts[action.a], contacts[action.b]];
    const merging = mergeContacts(company.agent, a, b);
    if (model.head(a) === model.head(b))
      await expect(merging).rejects.toMatchObject({ code: 'merge_refused' });
    else model.merge(a, b, (await merging).mergeId);
  } else {
    const edge = model.edges[action.which % Math.max(1, model.edges.length)];
    if (!edge) return;
    const asked = (await previewUnmerge(company.scope, edge.mergeId)).askAbout.map(({ id }) => id);
    expect(asked.toSorted()).toEqual(model.asked(edge.mergeId).toSorted());
    const movedEventIds = asked.toSorted().filter((_, bit) => (action.move >> (bit % 3)) & 1);
    await unmerge(company.agent, edge.mergeId, { movedEventIds });
    model.undo(edge.mergeId, movedEventIds);
  }
}
