import express, { type Router } from 'express';
import { parse } from '../../shared/parse.js';
import { Id } from '../../shared/text.js';
import { scopeOf } from '../agents/context.js';
import { openFile } from './files.js';
import { sendFile } from './serve.js';
import { putUpload } from './upload.js';

/** Files of a workspace for its agents. Mounted at `/api/workspaces/:workspaceId`, behind `requireAgent`. */
export function filesRoutes(): Router {
  const router = express.Router({ mergeParams: true });

  router.post('/files', async (req, res) => {
    res.status(201).json(await putUpload(scopeOf(req), req));
  });

  router.get('/files/:fileId', async (req, res) => {
    const fileId = parse(Id, req.params.fileId, 'not_found');
    await sendFile(req, res, await openFile(scopeOf(req), fileId));
  });

  return router;
}
