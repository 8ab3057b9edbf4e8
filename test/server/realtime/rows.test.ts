import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConversationModel, ReadModel } from '../../../server/conversations/model.js';
import { markRead } from '../../../server/conversations/read-marks.js';
import { rooms } from '../../../server/realtime/rooms.js';
import { type RowTeller, rowTeller } from '../../../server/realtime/rows.js';
import type { AgentNamespace } from '../../../server/realtime/sockets.js';
import type { ConversationState } from '../../../server/timeline/ports.js';
import type { ConversationRow } from '../../../shared/protocol.js';
import { openTab, say, type TestApp, testApp } from '../http/app.js';

const agentId = 'anna';
const elsewhere = 'another-workspace';

let at: TestApp;
let state: ConversationState;
beforeAll(async () => {
  at = await testApp();
  const tab = await openTab(at);
  const { conversationId } = await say(tab, 'Hello');
  tab.close();
  const found = await ConversationModel.findOne({ _id: conversationId }).lean();
  if (!found) throw new Error('A message opens a conversation.');
  state = found;
});
afterAll(() => at.stop());

/** An agent's console that is in the rooms of two workspaces, and all rows that it is told. */
async function open(): Promise<{ teller: RowTeller; told: ConversationRow[] }> {
  const http = createServer();
  const server = new Server(http, { transports: ['websocket'] });
  const agents: AgentNamespace = server.of('/agent');
  agents.on('connection', (socket) => {
    for (const workspaceId of [at.workspaceId, elsewhere]) {
      void socket.join([rooms.workspace(workspaceId), rooms.agent(workspaceId, agentId)]);
    }
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/agent`;
  const console: Socket = connect(url, { transports: ['websocket'], forceNew: true });
  const told: ConversationRow[] = [];
  console.on('conversation', (row: ConversationRow) => told.push(row));
  await new Promise<void>((resolve) => console.on('connect', resolve));
  const teller = rowTeller(agents);
  onTestFinished(async () => {
    teller.close();
    console.close();
    await server.close();
  });
  return { teller, told };
}

const patience = { timeout: 30_000, interval: 20 };

describe('the rows that agents are told', () => {
  it('are told without the one among them that cannot be made', async () => {
    const { teller, told } = await open();
    teller.changed({ ...state, _id: 'broken', lastAt: undefined as never });
    teller.changed(state);
    await expect.poll(() => told.map(({ id }) => id), patience).toEqual([state._id]);
  });

  it('do not wait for those of another workspace', async () => {
    const { teller, told } = await open();
    const many = Array.from({ length: 2_000 }, (_, n) => `of-many-${n}`);
    for (const _id of many) teller.changed({ ...state, _id });
    teller.changed({ ...state, _id: 'one', workspaceId: elsewhere });
    await expect.poll(() => told.length, patience).toBe(many.length + 1);
    expect(told.at(-1)?.id).toBe(many.at(-1));
    expect(told.findIndex(({ id }) => id === 'one')).toBeLessThan(many.length / 2);
  });

  it('end with what the agent has read, also when that is marked while the row is made', async () => {
    const { teller, told } = await open();
    await ReadModel.deleteMany({ conversationId: state._id });
    // The marks that the row is made of are read, and held back until the agent has read the conversation.
    let go = (): void => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const wasRead = new Promise<void>((resolve) => {
      const find = ReadModel.collection.find.bind(ReadModel.collection);
      const spy = vi.spyOn(ReadModel.collection, 'find').mockImplementation((...query) => {
        const cursor = find(...query);
        if (!JSON.stringify(query[0]).includes('readerType')) return cursor;
        spy.mockRestore();
        const toArray = cursor.toArray.bind(cursor);
        cursor.toArray = async () => {
          const marks = await toArray();
          resolve();
          await held;
          return marks;
        };
        return cursor;
      });
    });
    teller.changed(state);
    await wasRead;
    await markRead({ workspaceId: at.workspaceId }, { type: 'agent', id: agentId }, state._id, state.head);
    await teller.readBy(state, agentId);
    go();
    await expect.poll(() => told.map(({ unread }) => unread), patience).toEqual([0, 1, 0]);
  });
});
