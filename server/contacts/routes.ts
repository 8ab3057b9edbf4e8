import express, { type Router } from 'express';
import * as v from 'valibot';
import {
  ChangeContact,
  DismissSuggestion,
  ListContacts,
  Merge,
  ReadTimeline,
  Unmerge,
} from '../../shared/api.js';
import { parse } from '../../shared/parse.js';
import type { Visit } from '../../shared/protocol.js';
import { Id, Time } from '../../shared/text.js';
import { agentOf, scopeOf } from '../agents/context.js';
import { readPicture, readTimeline } from '../timeline/read.js';
import { changeContact, contactDetail, listContacts } from './contacts.js';
import { mergeContacts, previewMerge, previewUnmerge, unmerge } from './merge.js';
import { dismissSuggestion } from './suggestions.js';

export interface ContactPorts {
  /** What the group's browsers say of themselves now: known to whoever holds their sockets. */
  visitOf: (workspaceId: string, contactIds: readonly string[]) => Promise<Visit | null>;
}

const Range = v.strictObject({ from: Time, to: Time });

/** Contacts of a workspace for its agents. Mounted at `/api/workspaces/:workspaceId`, behind `requireAgent`. */
export function contactsRoutes(ports: ContactPorts): Router {
  const router = express.Router({ mergeParams: true });
  const idOf = (value: unknown): string => parse(Id, value, 'contact_not_found');

  router.get('/contacts', async (req, res) => {
    res.json(await listContacts(scopeOf(req), parse(ListContacts, req.query)));
  });

  const detail = (req: express.Request, id: string) => {
    const scope = scopeOf(req);
    return contactDetail(scope, id, agentOf(req).agentId, (ids) => ports.visitOf(scope.workspaceId, ids));
  };

  router.get('/contacts/:id', async (req, res) => {
    res.json(await detail(req, idOf(req.params.id)));
  });

  router.patch('/contacts/:id', async (req, res) => {
    const id = idOf(req.params.id);
    await changeContact(scopeOf(req), id, parse(ChangeContact, req.body));
    res.json(await detail(req, id));
  });

  router.get('/contacts/:id/timeline', async (req, res) => {
    res.json(await readTimeline(scopeOf(req), idOf(req.params.id), parse(ReadTimeline, req.query)));
  });

  router.get('/contacts/:id/picture', async (req, res) => {
    res.json(await readPicture(scopeOf(req), idOf(req.params.id), parse(Range, req.query)));
  });

  router.get('/contacts/:id/merge-preview/:otherId', async (req, res) => {
    res.json(await previewMerge(scopeOf(req), idOf(req.params.id), idOf(req.params.otherId)));
  });

  router.post('/contacts/:id/merges', async (req, res) => {
    const { withContactId, ...options } = parse(Merge, req.body);
    res.status(201).json(await mergeContacts(scopeOf(req), idOf(req.params.id), withContactId, options));
  });

  router.get('/merges/:mergeId/unmerge-preview', async (req, res) => {
    res.json(await previewUnmerge(scopeOf(req), parse(Id, req.params.mergeId, 'not_found')));
  });

  router.post('/merges/:mergeId/undo', async (req, res) => {
    await unmerge(scopeOf(req), parse(Id, req.params.mergeId, 'not_found'), parse(Unmerge, req.body ?? {}));
    res.json({});
  });

  router.post('/suggestions/dismiss', async (req, res) => {
    const { contactId, otherId } = parse(DismissSuggestion, req.body);
    await dismissSuggestion(scopeOf(req), contactId, otherId);
    res.json({});
  });

  return router;
}
