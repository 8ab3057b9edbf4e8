import { jobFigures } from '../../server/jobs/figures.js';
import type { DraftEvent } from '../../server/timeline/draft.js';
import { entombInside, eraseEvents } from '../../server/timeline/erase.js';
import type { StoredEvent } from '../../server/timeline/model.js';
import { readPage } from '../../server/timeline/page.js';
import { rebuild } from '../../server/timeline/rebuild.js';
import { reprojectInside } from '../../server/timeline/reproject.js';
import { contentKinds } from '../../server/timeline/visibility.js';
import { AppError } from '../../shared/errors.js';
import { browse, lookAtPicture } from './browse.js';
import {
  aBlock,
  aCall,
  aChange,
  aDecision,
  aLetter,
  aMerge,
  aNote,
  anArchive,
  aStrangersWord,
  malformed,
} from './drafts.js';
import type { Work } from './schedule.js';
import { type SimServer, showErased } from './server.js';
import { type World, workspaceId } from './world.js';

/** Refusals that a piece of work may always meet: the world is made of faults. */
const outages = new Set(['store_unavailable', 'store_full', 'rate_limited', 'internal']);

/** Does one piece of work at one process. What it comes to may be an error, and the oracle sees what it did. */
export async function doWork(world: World, server: SimServer, what: Work, pick: number): Promise<void> {
  const { owner } = server;
  world.working.set(owner, (world.working.get(owner) ?? 0) + 1);
  try {
    await works[what](world, server, pick);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
      throw error;
    world.hit(`work refused: ${error instanceof AppError ? error.code : 'a step failed'}`);
  } finally {
    world.working.set(owner, (world.working.get(owner) ?? 0) - 1);
  }
}

const some = <T>(list: readonly T[], pick: number): T | undefined => list[pick % list.length];
const contactsOf = ({ store }: World): string[] => [...store.contacts.values()].map(({ id }) => id);
const eventsOf = ({ store }: World): StoredEvent[] => [...store.events.values()];

const isLetterIn = ({ kind, direction }: StoredEvent): boolean => kind === 'email' && direction === 'in';

/** Key, time and owner of what is written now; now and then its clock is wrong, or it happened a while ago. */
function commonOf(
  world: World,
  server: SimServer,
  pick: number,
  contactId = some(contactsOf(world), pick) ?? '',
) {
  const offMs = pick % 11 === 0 ? 600_000 : pick % 11 === 1 ? -7_200_000 : 0;
  const occurredAt = new Date(server.now().getTime() + offMs);
  return { dedupeKey: `work:${world.newId()}`, occurredAt, contactId };
}

const appends =
  (draftOf: (common: ReturnType<typeof commonOf>, pick: number) => DraftEvent) =>
  async (world: World, server: SimServer, pick: number): Promise<void> => {
    const draft = draftOf(commonOf(world, server, pick), pick);
    const { event } = await server.append(draft);
    // Asked again, as whoever heard no answer does.
    const again = await server.append(draft);
    // What was erased meanwhile is not known any more: the key went with the words, since it may name who wrote.
    if (again.event.id !== event.id ? !world.oracle.tombstoneOf(event.id) : again.isFirst)
      world.oracle.fails('exactly once', `${draft.dedupeKey} twice`);
  };

const works: Record<Work, (world: World, server: SimServer, pick: number) => Promise<void>> = {
  call: appends(aCall),
  letter: appends(aLetter),
  change: appends(aChange),
  block: appends((common, pick) => aBlock(common, pick % 2 === 0)),

  async note(world, server, pick) {
    const conversation = some([...world.store.conversations.values()], pick);
    const common = commonOf(world, server, pick);
    const isInside = conversation !== undefined && pick % 3 > 0;
    await server.append(
      aNote(common, `text of ${common.dedupeKey}`, isInside ? conversation._id : undefined),
    );
  },

  async decide(world, server, pick) {
    const conversation = some([...world.store.conversations.values()], pick >> 2);
    if (!conversation) return;
    const common = () => commonOf(world, server, pick, conversation.contactId);
    const draft = aDecision(common(), conversation, pick);
    await server.append(draft);
    world.hit(`decided: ${draft.kind}`);
    if (draft.kind !== 'status_changed' && draft.kind !== 'assigned') return;
    // Decided by somebody else too, who looked at the same moment.
    const late = server.append({ ...draft, dedupeKey: `${draft.dedupeKey}:again` });
    await late.then(
      () => world.hit('decided once more'),
      (error: unknown) => {
        if (!(error instanceof AppError) || outages.has(error.code)) throw error;
        if (error.code !== 'conflict') world.oracle.fails('no change over another', error.code);
        world.hit('decided too late');
      },
    );
    if (draft.kind === 'assigned') return;
    // What comes now and happened before is no reason to open it again.
    const past = new Date(conversation.lastAt.getTime() - 1_000);
    const { event } = await server.append({
      ...aStrangersWord(common(), conversation._id),
      occurredAt: past,
    });
    if (world.store.events.has(`${workspaceId}\nreopened:${event.id}`))
      world.oracle.fails('asks for an answer', `${event.id} opened its conversation again`);
    await server.append(aDecision(common(), { ...conversation, status: draft.body.to }, 2));
  },

  /** Refused like a conversation that never was, unless both are one person by now. */
  async stranger(world, server, pick) {
    const conversation = some([...world.store.conversations.values()], pick);
    const contactId = some(contactsOf(world), pick >> 3);
    if (!conversation || contactId === undefined || contactId === conversation.contactId) return;
    const word = aStrangersWord(commonOf(world, server, pick, contactId), conversation._id);
    try {
      await server.append(word);
      world.hit('merged contact let in');
    } catch (error) {
      if (!(error instanceof AppError) || outages.has(error.code)) throw error;
      world.hit('stranger kept out');
      if (error.code !== 'conversation_not_found')
        world.oracle.fails('kept out', `a stranger heard ${error.code}`);
    }
  },

  /** One bad entry fails alone. */
  async archive(world, server, pick) {
    const importId = `import-${pick % 5}`;
    const drafts = anArchive(importId, some(contactsOf(world), pick) ?? '', server.now(), pick);
    const settled = await server.door.appendAll(workspaceId, drafts);
    for (const [at, one] of settled.entries()) {
      const isBroken = drafts[at]?.dedupeKey.endsWith(':broken');
      if (!(one instanceof AppError)) world.oracle.answered(drafts[at]?.dedupeKey ?? '');
      else if (isBroken ? one.code !== 'message_empty' : !outages.has(one.code)) {
        world.oracle.fails('one bad entry fails alone', `${drafts[at]?.dedupeKey} was refused: ${one.code}`);
      }
      if (isBroken && !(one instanceof AppError))
        world.oracle.fails('one bad entry fails alone', 'it was taken');
    }
    world.hit('archive read');
    // Somebody looks at what came.
    for (const one of settled) {
      if (one instanceof AppError || !one.event.conversationId) continue;
      await server.markRead(['agent', 'staff'], one.event.conversationId, one.event.seq ?? 0);
    }
    // It was the wrong file.
    if (pick % 3 === 0) await works.undo(world, server, pick);
  },

  /** As server/contacts/imports.ts undoes it, conversation by conversation. */
  async undo(world, server, pick) {
    const imports = [...new Set(eventsOf(world).flatMap(({ importId }) => importId ?? []))];
    const chosen = some(imports, pick);
    const mine = eventsOf(world).filter(({ importId }) => chosen !== undefined && importId === chosen);
    const places = new Set(mine.map(({ conversationId }) => conversationId));
    for (const conversationId of places) {
      const ids = mine.filter((one) => one.conversationId === conversationId).map(({ _id }) => _id);
      await server.store.remake.transact(async (inside) => {
        const events = await inside.findUnerased(workspaceId, ids);
        const [begun, rest] = [
          events.filter(({ kind }) => kind === 'conversation_started'),
          events.filter(({ kind }) => kind !== 'conversation_started'),
        ];
        await entombInside(inside, rest, 'undone');
        if (conversationId === undefined) return;
        const all = await inside.eventsAfter(workspaceId, conversationId, 0, 1_000);
        const isSaid = all.some(({ kind, erased }) => contentKinds.includes(kind) && erased !== 'undone');
        if (begun.length > 0 && !isSaid) {
          await entombInside(
            inside,
            all.filter(({ erased }) => erased !== 'undone'),
            'undone',
          );
        }
        await reprojectInside(inside, workspaceId, conversationId);
      });
      // For who set a mark meanwhile, as server/contacts/imports.ts does it where there are marks.
      if (conversationId !== undefined)
        await server.store.remake.transact((inside) => reprojectInside(inside, workspaceId, conversationId));
      world.hit('import undone');
    }
  },

  async erase(world, server, pick) {
    const words = eventsOf(world).filter(
      (event) => ['message', 'note', 'call'].includes(event.kind) || isLetterIn(event),
    );
    const chosen = [some(words, pick), some(words, pick * 7), words.at(-1)].flatMap(
      (event) => event?._id ?? [],
    );
    const ids = [...new Set([...chosen, 'nobody'])];
    const erased = await eraseEvents(server.store.remake, workspaceId, ids);
    const again = await eraseEvents(server.store.remake, workspaceId, ids);
    if (erased > chosen.length || again > 0)
      world.oracle.fails('erased once', `${erased} and ${again} of ${chosen}`);
    if (erased > 0) world.hit('erased');
    showErased(
      world,
      server,
      eventsOf(world).filter(({ _id }) => chosen.includes(_id)),
    );
  },

  async rebuild(world, server, pick) {
    const which = pick % 2 === 0 ? ('all' as const) : { workspaceId };
    const { conversations } = await rebuild(
      server.store.remake,
      which,
      ...(pick % 3 ? [] : [() => world.hit('progress')]),
    );
    if (conversations > 0) world.hit('rebuilt while all went on');
  },

  /** A merge and its event stand together or not at all: now and then something else in it fails. */
  async merge(world, server, pick) {
    const [one, other] = [some(contactsOf(world), pick), some(contactsOf(world), pick >> 4)];
    const head = world.store.contacts.get(`${workspaceId}\n${one}`)?.headId ?? '';
    const merged = world.store.contacts.get(`${workspaceId}\n${other}`)?.headId ?? '';
    if (head === merged) return;
    const mergeId = `merge-${world.newId()}`;
    const common = commonOf(world, server, pick, head);
    const drafts: DraftEvent[] = [aMerge(common, mergeId, head, merged)];
    const isBad = pick % 3 === 0;
    if (isBad) drafts.push(aNote(commonOf(world, server, pick, head), 'lost', 'nowhere'));
    const told = await server.store.transact((transaction) =>
      server.door.appendInside(transaction, workspaceId, drafts),
    );
    if (isBad) world.oracle.fails('all or nothing', `${mergeId} stands, and its note does not`);
    world.oracle.answered(common.dedupeKey);
    world.merge(head, merged, mergeId);
    told.tell();
    const note = aNote(commonOf(world, server, pick, merged), `text of ${mergeId}`);
    const { event } = await server.append(note);
    const now = world.store.contacts.get(`${workspaceId}\n${merged}`)?.headId;
    if (event.contactId !== head && event.contactId !== now)
      world.oracle.fails('whose it is', `a note of ${merged} stands with ${event.contactId}`);
  },

  /** A note of a merged contact that went away with whom it was about. */
  async part(world, _server, pick) {
    const notes = eventsOf(world).filter(({ mergeId, kind }) => mergeId !== undefined && kind === 'note');
    const [note, to] = [some(notes, pick), some(contactsOf(world), pick >> 3)];
    if (note && to !== undefined) world.store.moved.set(note._id, { from: note.contactId, to });
  },

  browse,
  picture: lookAtPicture,

  /** Questions that no client of ours asks. */
  async ask(world, server, pick) {
    const conversationId = some([...world.store.conversations.values()], pick)?._id ?? 'nowhere';
    const queries = [{}, { after: 1, before: 9 }, { after: 0 }, { before: 3, limit: 9_999 }];
    const query = some(queries, pick) ?? {};
    const isAsked = pick % queries.length > 1;
    try {
      const page = await readPage(server.store.pages, workspaceId, { conversationId, ...query }, 'agent');
      if (!isAsked || page.events.some(({ seq }) => (seq ?? 0) > page.upTo))
        world.oracle.fails('answers', 'as asked');
    } catch (error) {
      const isRefused = error instanceof AppError && error.code === 'bad_request';
      if (isAsked && isRefused) world.oracle.fails('answers', 'a good question is refused');
      if (!isRefused) throw error;
    }
  },

  async malformed(world, server, pick) {
    const { workspaceId: where, draft, code } = malformed(commonOf(world, server, pick), pick);
    try {
      await server.door.append(where, draft);
      world.oracle.fails('refused or written', `what should be ${code} was taken`);
    } catch (error) {
      if (!(error instanceof AppError) || outages.has(error.code)) throw error;
      if (error.code !== code)
        world.oracle.fails('refused with a reason', `${error.code} instead of ${code}`);
      world.hit(`malformed: ${code}`);
    }
  },

  async chore(world, server, pick) {
    const kind = (['fine', 'hopeless', 'sulky', 'deadly', 'broken'] as const)[pick % 5] ?? 'fine';
    const key = pick % 3 === 0 ? {} : { key: `chore-${pick % 4}` };
    // Soon, or later than the queue is told of.
    const dueInMs = pick % 7 === 0 ? 650_000 : pick % 7 === 1 ? 9_000 : 0;
    const dueAt = new Date(server.now().getTime() + dueInMs);
    const payload = kind === 'broken' ? { what: 7 } : { what: kind };
    const isNew = await server.desk.enqueue({ workspaceId }, 'chore', payload, {
      ...key,
      ...(dueInMs && { dueAt }),
    });
    world.hit(isNew ? `chore put in: ${kind}` : 'chore was there');
  },

  async look(world, server, pick) {
    if (pick % 2 === 0) await server.desk.enqueue({ workspaceId }, 'chore', { what: 'fine' });
    const figures = await jobFigures(server.jobs, server.now());
    if (figures.oldestDueSeconds < 0) world.oracle.fails('figures', 'something is due since tomorrow');
    const dead = await server.desk.listDead({ workspaceId });
    if (dead.length > 0) world.hit('dead letters listed');
    await server.desk.pruneDone();
    await server.desk.retryDead({ workspaceId }, 'nothing');
  },
};
