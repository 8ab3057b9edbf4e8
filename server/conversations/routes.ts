import express, { type Router } from 'express';
import * as v from 'valibot';
import { ChangeConversation, ListConversations } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { parse } from '../../shared/parse.js';
import { AgentSend, MarkRead, ReadEvents } from '../../shared/protocol.js';
import { Id } from '../../shared/text.js';
import { agentOf, scopeOf } from '../agents/context.js';
import { membership } from '../agents/membership.js';
import { readConversation } from '../timeline/read.js';
import {
  changeConversation,
  countConversations,
  getConversation,
  listConversations,
} from './conversations.js';
import { conversationDetail, type DetailPorts } from './detail.js';
import { markRead } from './read-marks.js';
import { type ReplyPorts, sendAsAgent } from './send.js';

const Count = v.optional(v.pipe(v.string(), v.regex(/^\d{1,16}$/), v.transform(Number), v.safeInteger()));
const EventsQuery = v.strictObject({ after: Count, before: Count, limit: Count });

/** Conversations of a workspace for its agents. Mounted at `/api/workspaces/:workspaceId`, behind `requireAgent`. */
export function conversationsRoutes(ports: DetailPorts & ReplyPorts): Router {
  const router = express.Router({ mergeParams: true });

  router.get('/conversations', async (req, res) => {
    const query = parse(ListConversations, req.query);
    res.json(await listConversations(scopeOf(req), agentOf(req).agentId, query));
  });

  router.get('/conversations/counts', async (req, res) => {
    res.json(await countConversations(scopeOf(req), agentOf(req).agentId));
  });

  router.get('/conversations/:id', async (req, res) => {
    const id = parse(Id, req.params.id, 'conversation_not_found');
    res.json(await conversationDetail(scopeOf(req), id, agentOf(req).agentId, ports));
  });

  router.patch('/conversations/:id', async (req, res) => {
    const id = parse(Id, req.params.id, 'conversation_not_found');
    const change = parse(ChangeConversation, req.body);
    const scope = scopeOf(req);
    if (change.assigneeId) await expectMember(change.assigneeId, scope.workspaceId);
    await changeConversation(scope, id, change);
    res.json(await conversationDetail(scope, id, agentOf(req).agentId, ports));
  });

  router.get('/conversations/:id/events', async (req, res) => {
    const conversationId = parse(Id, req.params.id, 'conversation_not_found');
    const page = parse(EventsQuery, req.query);
    const query = parse(ReadEvents, { conversationId, ...page });
    res.json(await readConversation(scopeOf(req), query, 'agent'));
  });

  router.post('/conversations/:id/events', async (req, res) => {
    const conversationId = parse(Id, req.params.id, 'conversation_not_found');
    const send = parse(AgentSend, { ...parse(Body, req.body), conversationId });
    const { event, isFirst } = await sendAsAgent(scopeOf(req), agentOf(req).agentId, send, ports);
    res.status(isFirst ? 201 : 200).json({ event });
  });

  router.post('/conversations/:id/read', async (req, res) => {
    const conversationId = parse(Id, req.params.id, 'conversation_not_found');
    const { seq } = parse(MarkRead, { ...parse(Body, req.body), conversationId });
    const { agentId } = agentOf(req);
    await getConversation(scopeOf(req), conversationId);
    await markRead(scopeOf(req), { type: 'agent', id: agentId }, conversationId, seq);
    res.json({});
  });

  return router;
}

const Body = v.record(v.string(), v.unknown());

/** Nobody's work is given to whoever cannot see it. */
async function expectMember(agentId: string, workspaceId: string): Promise<void> {
  if (!(await membership(agentId, workspaceId))) throw new AppError('bad_request', { field: 'assigneeId' });
}
