import express, { type Request, type Response, type Router } from 'express';
import { AppError } from '../../../shared/errors.js';
import type { FileRef } from '../../../shared/events/parts.js';
import { parse } from '../../../shared/parse.js';
import { Id } from '../../../shared/text.js';
import { scopeOf } from '../../agents/context.js';
import { openFile } from '../../files/files.js';
import { sendFile } from '../../files/serve.js';
import { EventModel } from '../../timeline/model.js';
import { bodyOf } from '../../timeline/projection.js';

/**
 * An e-mail's HTML and its source as they came, for agents. Mounted at `/api/workspaces/:workspaceId`, behind
 * `requireAgent`. Neither is ever a page: HTML goes out as plain text under the headers of every file, and becomes a
 * picture of itself only where the console has cleaned it, in a frame without scripts.
 */
export function emailRoutes(): Router {
  const router = express.Router({ mergeParams: true });
  /** The HTML as it came, `text/plain`. @throws AppError `not_found` when the letter has none */
  router.get('/emails/:eventId/html', (req, res) => sendPart(req, res, 'html'));
  /** The raw letter, as a download. @throws AppError `not_found` */
  router.get('/emails/:eventId/source', (req, res) => sendPart(req, res, 'raw'));
  return router;
}

async function sendPart(req: Request, res: Response, part: 'html' | 'raw'): Promise<void> {
  const scope = scopeOf(req);
  const event = await EventModel.findOne({
    _id: parse(Id, req.params.eventId, 'not_found'),
    workspaceId: scope.workspaceId,
    kind: 'email',
    erased: { $exists: false },
  }).lean();
  const file = event ? bodyOf(event, 'email')[part] : undefined;
  if (!file) throw new AppError('not_found');
  const opened = await openFile(scope, file.fileId);
  // Whatever its first bytes look like, it is text to whoever asks here.
  const shown: FileRef = {
    ...opened.file,
    type: part === 'html' ? 'text/plain' : 'application/octet-stream',
  };
  await sendFile(req, res, { ...opened, file: shown });
}
