import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { afterAll, beforeAll, expect } from 'vitest';
import { addInbox } from '../../server/inboxes/inboxes.js';
import type { InboxRow } from '../../server/inboxes/model.js';
import { openStore, startEmbedded } from '../../server/store/connect.js';
import { ensureIndexes } from '../../server/store/indexes.js';
import { appendsSettled } from '../../server/timeline/append.js';
import { type Scope, systemScope } from '../../server/workspaces/scope.js';
import { addWorkspace } from '../../server/workspaces/workspaces.js';
import { watchPlans } from './plans.js';

/**
 * The real embedded store in a fresh directory, one for each test file; or the replica set that MONGODB_URI names, in a
 * database of its own. Each test makes a workspace of its own in it. `isTest`: the embedded store, which then fails where
 * it is told to.
 */
export function withStore({ isTest = false } = {}): { dataDir: () => string } {
  let dataDir = '';
  let store: Awaited<ReturnType<typeof openStore>>;
  let failing: Awaited<ReturnType<typeof startEmbedded>> | null = null;
  let readWhole: () => Promise<string[]>;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'threadline-test-'));
    if (isTest) failing = await startEmbedded(dataDir, { isTest });
    const uri = failing?.uri ?? process.env.MONGODB_URI;
    store = await openStore({ dataDir, ...(uri && { mongodbUri: uri }) });
    await ensureIndexes(Object.values(mongoose.models));
    readWhole = watchPlans();
  });
  afterAll(async () => {
    await appendsSettled();
    // Whatever these tests made the product ask, an index answers it.
    const whole = await readWhole();
    await store.close();
    await failing?.close();
    expect(whole).toEqual([]);
    await rm(dataDir, { recursive: true, force: true });
  });
  return { dataDir: () => dataDir };
}

export interface Company {
  scope: Scope;
  agent: Scope;
  agentId: string;
  chat: InboxRow;
  email: InboxRow;
  phone: InboxRow;
}

/** A workspace with an inbox of each channel. */
export async function aCompany(name = 'Riverbend Bikes'): Promise<Company> {
  const { _id: workspaceId } = await addWorkspace(name, 'GB');
  const scope = systemScope(workspaceId);
  const [chat, email, phone] = await Promise.all([
    addInbox(scope, { channel: 'chat', name: 'Website' }),
    addInbox(scope, { channel: 'email', name: 'Mail' }),
    addInbox(scope, { channel: 'phone', name: 'Line' }),
  ]);
  const agentId = `agent-of-${workspaceId}`.slice(0, 64);
  return {
    scope,
    agent: { workspaceId, actor: { type: 'agent', id: agentId } },
    agentId,
    chat,
    email,
    phone,
  };
}

/** Every document of a workspace, by collection: what another workspace's doings must leave as it is. */
export async function dumpOf(workspaceId: string): Promise<string> {
  const dump: Record<string, unknown[]> = {};
  for (const model of Object.values(mongoose.models)) {
    const own = model.modelName === 'Workspace' ? { _id: workspaceId } : { workspaceId };
    dump[model.modelName] = await mongoose.connection
      .collection<{ _id: string }>(model.collection.collectionName)
      .find(own as object)
      .sort({ _id: 1 })
      .toArray();
  }
  return JSON.stringify(dump);
}
