import express, { type Request, type Router } from 'express';
import jwt from 'jsonwebtoken';
import { AppError } from '../../../shared/errors.js';
import { isOriginAllowed } from '../../channels/chat/origins.js';
import { listInboxes } from '../../inboxes/inboxes.js';
import type { InboxRow } from '../../inboxes/model.js';
import { listWorkspaces } from '../../workspaces/workspaces.js';
import { ownSockets } from '../headers.js';
import { ownPath } from '../next.js';
import { demoIcon, demoPage } from './page.js';
import { type DemoCustomer, demoCookie, demoCustomerOf, readDemoPass } from './session.js';
import { demoStyle } from './style.js';
import type { DemoLanguage } from './texts.js';

interface DemoDeps {
  secretKey: string;
  publicUrl: string;
}

/** As long as a page is open without being loaded again. */
const tokenSeconds = 3_600;

/** A small shop to try the widget on. */
export function demoRoutes(deps: DemoDeps): Router {
  const router = express.Router();

  router.get('/demo', async (req, res) => {
    const inbox = await demoInbox(deps.publicUrl);
    const customer = demoCustomerOf(deps.secretKey, req);
    res.set({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy(deps.publicUrl),
      'cache-control': 'no-store',
    });
    res.send(
      demoPage({
        language: languageOf(req),
        publicUrl: deps.publicUrl,
        inboxId: inbox?._id ?? null,
        customer,
        identityToken: inbox && customer ? identityTokenFor(inbox, customer) : null,
      }),
    );
  });

  router.get('/demo/style.css', (_req, res) => {
    res.set({ 'content-type': 'text/css; charset=utf-8', 'cache-control': 'no-cache' });
    res.send(demoStyle);
  });

  router.get('/demo/icon.svg', (_req, res) => {
    res.set({ 'content-type': 'image/svg+xml', 'cache-control': 'no-cache' });
    res.send(demoIcon);
  });

  router.get('/demo/sign-in', (req, res) => {
    const { pass, next } = req.query;
    const customer = typeof pass === 'string' ? readDemoPass(deps.secretKey, pass) : null;
    if (!customer || typeof pass !== 'string') throw new AppError('link_used');
    res.cookie(demoCookie, pass, {
      httpOnly: true,
      sameSite: 'lax',
      path: '/demo',
      secure: deps.publicUrl.startsWith('https:'),
    });
    res.redirect(303, ownPath(next, '/demo'));
  });

  router.get('/demo/sign-out', (_req, res) => {
    res.clearCookie(demoCookie, { path: '/demo' });
    res.redirect(303, '/demo');
  });

  return router;
}

/** The oldest chat inbox that admits this server's own pages. */
async function demoInbox(publicUrl: string): Promise<InboxRow | undefined> {
  for (const { _id: workspaceId } of await listWorkspaces(20)) {
    const found = (await listInboxes({ workspaceId }, 'chat')).find((inbox) =>
      isOriginAllowed(inbox.allowedOrigins, publicUrl),
    );
    if (found) return found;
  }
  return undefined;
}

/** What a site's own back end does for a customer it knows. */
const identityTokenFor = (inbox: InboxRow, { id, name, email, phone }: DemoCustomer): string =>
  jwt.sign(
    { name, email, email_verified: true, ...(phone !== undefined && { phone, phone_verified: true }) },
    inbox.identitySecret,
    { algorithm: 'HS256', subject: id, audience: inbox.workspaceId, expiresIn: tokenSeconds },
  );

function languageOf(req: Request): DemoLanguage {
  if (req.query.lang === 'ru' || req.query.lang === 'en') return req.query.lang;
  return req.acceptsLanguages('en', 'ru') === 'ru' ? 'ru' : 'en';
}

/** As strict as a careful site's: the widget must live with it. */
const policy = (publicUrl: string): string =>
  [
    "default-src 'none'",
    `script-src 'self' ${publicUrl}`,
    "style-src 'self'",
    `img-src 'self' ${publicUrl} blob:`,
    `media-src ${publicUrl} blob:`,
    `connect-src 'self' ${publicUrl} ${ownSockets(publicUrl)}`,
    "require-trusted-types-for 'script'",
    'trusted-types threadline',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
