// What a message costs must not follow how many conversations there are, nor how much was ever written. Measured at the
// door itself: through sockets one conversation's message goes to all its tabs, and that is another cost.
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { text } from './load.mjs';
import { dataDirectory } from './servers.mjs';
import { perSecond, report } from './table.mjs';

const writers = 100;
const workspaceId = randomUUID();
const inboxId = randomUUID();
const scope = { workspaceId, actor: { type: 'system' } };

const built = (path) =>
  import(pathToFileURL(join(dirname(fileURLToPath(import.meta.url)), '../dist/server', path)).href);

async function openDoor(directory) {
  const { openStore } = await built('store/connect.js');
  const { ensureIndexes } = await built('store/indexes.js');
  const { append } = await built('timeline/append.js');
  const { EventModel } = await built('timeline/model.js');
  const { ConversationModel } = await built('conversations/model.js');
  const { WorkspaceModel } = await built('workspaces/model.js');
  const { ContactModel } = await built('contacts/model.js');
  const { JobModel } = await built('jobs/model.js');
  const store = await openStore({ dataDir: directory });
  await ensureIndexes([EventModel, ConversationModel, WorkspaceModel, ContactModel, JobModel]);
  await WorkspaceModel.collection.insertOne({ _id: workspaceId, name: 'Bench', conversationCount: 0 });
  return { append, events: EventModel.collection, close: () => store.close() };
}

/** A hundred writers over so many conversations, each waiting for its own message before it writes the next. */
async function written(door, conversations, seconds) {
  const begun = Array.from({ length: conversations }, () => ({ contact: randomUUID(), id: null }));
  const until = performance.now() + seconds * 1_000;
  let count = 0;
  async function write(one, n) {
    const { event } = await door.append(scope, {
      kind: 'message',
      body: { text, attachments: [], clientId: `bench-${n}` },
      channel: 'chat',
      direction: 'in',
      actor: { type: 'contact', id: one.contact },
      dedupeKey: `bench:${randomUUID()}`,
      occurredAt: new Date(),
      contactId: one.contact,
      inboxId,
      conversation: one.id ? { id: one.id } : { open: { key: `bench:${one.contact}`, inboxId, subject: '' } },
    });
    one.id = event.conversationId;
  }
  await Promise.all(begun.map((one) => write(one, 0)));
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let n = 1; performance.now() < until; n += 1) {
        await write(begun[writer % conversations], n);
        count += 1;
      }
    }),
  );
  return count / seconds;
}

/** Events as the door leaves them, written past it: a million through it would be the longest part of the run. */
async function seed(door, from, to) {
  const at = new Date();
  const conversations = Array.from({ length: 1_000 }, () => ({ id: randomUUID(), contact: randomUUID() }));
  for (let start = from; start < to; start += 1_000) {
    const rows = Array.from({ length: Math.min(1_000, to - start) }, (_, n) => {
      const { id, contact } = conversations[(start + n) % conversations.length];
      const seq = Math.floor((start + n) / conversations.length) + 1;
      return {
        _id: randomUUID(),
        workspaceId,
        contactId: contact,
        conversationId: id,
        inboxId,
        channel: 'chat',
        kind: 'message',
        direction: 'in',
        actor: { type: 'contact', id: contact },
        seq,
        previousSeq: seq - 1,
        previousVisitorSeq: seq - 1,
        occurredAt: at,
        recordedAt: at,
        v: 1,
        body: { text, attachments: [], clientId: `seed-${start + n}` },
        dedupeKey: `seed:${start + n}`,
      };
    });
    await door.events.insertMany(rows, { ordered: false });
  }
}

const within = (ratio) => Math.abs(ratio - 1) <= 0.2;

export async function growth({ seconds, events }) {
  const data = dataDirectory();
  const door = await openDoor(data.path);
  await written(door, 100, seconds);
  const hundred = await written(door, 100, seconds);
  for (const count of [1, 10]) {
    const rate = await written(door, count, seconds);
    const ratio = rate / hundred;
    const what = `messages at the door, ${count} conversation${count > 1 ? 's' : ''}`;
    report(what, perSecond(rate), `in 100: ${perSecond(hundred)}`, ratio, 'within 20 %', within(ratio));
  }
  await seed(door, 0, 10_000);
  const few = await written(door, 100, seconds);
  await seed(door, 10_000, events);
  await written(door, 100, 1);
  const many = await written(door, 100, seconds);
  const ratio = many / few;
  const what = `messages at the door, ${events.toLocaleString('en')} stored events`;
  report(what, perSecond(many), `with 10,000: ${perSecond(few)}`, ratio, 'within 20 %', within(ratio));
  await door.close();
  data.remove();
}
