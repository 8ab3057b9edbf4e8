import express, { type Router } from 'express';
import { AddInbox, InboxSettings } from '../../shared/api.js';
import { parse } from '../../shared/parse.js';
import { Id } from '../../shared/text.js';
import { requireRole, scopeOf } from '../agents/context.js';
import {
  addInbox,
  changeInbox,
  getInbox,
  inboxDetail,
  renewIdentitySecret,
  summariseInboxes,
} from './inboxes.js';

/** Inboxes of a workspace. Mounted at `/api/workspaces/:workspaceId`, behind `requireAgent`; agents only read. */
export function inboxesRoutes(): Router {
  const router = express.Router({ mergeParams: true });
  const mayConfigure = requireRole('owner', 'admin');
  const idOf = (value: unknown): string => parse(Id, value, 'inbox_not_found');

  router.get('/inboxes', async (req, res) => {
    res.json({ inboxes: await summariseInboxes(scopeOf(req)) });
  });

  router.post('/inboxes', mayConfigure, async (req, res) => {
    res.status(201).json(inboxDetail(await addInbox(scopeOf(req), parse(AddInbox, req.body))));
  });

  router.get('/inboxes/:id', async (req, res) => {
    res.json(inboxDetail(await getInbox(scopeOf(req), idOf(req.params.id))));
  });

  router.patch('/inboxes/:id', mayConfigure, async (req, res) => {
    const settings = parse(InboxSettings, req.body);
    res.json(inboxDetail(await changeInbox(scopeOf(req), idOf(req.params.id), settings)));
  });

  // Shown once, when it is made: no later answer holds it.
  router.post('/inboxes/:id/identity-secret', mayConfigure, async (req, res) => {
    res.status(201).json({ secret: await renewIdentitySecret(scopeOf(req), idOf(req.params.id)) });
  });

  return router;
}
