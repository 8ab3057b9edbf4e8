import * as v from 'valibot';
import { limits } from '../../shared/limits.js';
import { Id } from '../../shared/text.js';
import { type DefinedJob, defineJob } from '../jobs/define.js';
import { enqueue } from '../jobs/queue.js';
import { WorkspaceModel } from '../workspaces/model.js';
import type { Scope } from '../workspaces/scope.js';
import { addressOf, type LinkDeps } from './links.js';
import { membershipsOf } from './membership.js';
import { AgentModel, LinkModel, type LinkRow } from './model.js';
import { makeResetLink } from './password-reset.js';
import { agentMailTexts } from './texts.js';

const jobName = 'agents.mail';
const answerWithinMs = 30_000;

export interface AgentMailDeps extends LinkDeps {
  smtpUrl?: string | undefined;
  mailFrom: string;
}

/** Sends a reset link. Without SMTP_URL, and to an address that nobody has, it does nothing; nobody is told which. */
export async function mailReset(
  deps: LinkDeps & { smtpUrl?: string | undefined },
  email: string,
): Promise<void> {
  if (deps.smtpUrl === undefined) return;
  const link = await makeResetLink(deps, email);
  const [membership] = link?.agentId ? await membershipsOf(link.agentId) : [];
  if (link && membership) await enqueueMail(membership, link._id);
}

/** Sends an invitation. Without SMTP_URL whoever invited hands the link over. */
export async function mailInvitation(
  deps: { smtpUrl?: string | undefined },
  scope: Scope,
  linkId: string,
): Promise<void> {
  if (deps.smtpUrl !== undefined) await enqueueMail(scope, linkId);
}

// The job holds the link's id only: no token ever lies in the queue.
const enqueueMail = (scope: Pick<Scope, 'workspaceId'>, linkId: string): Promise<boolean> =>
  enqueue(scope, jobName, { linkId }, { key: `${jobName}:${linkId}` });

/** The job that mails a link. One that was used, revoked or has expired in the meantime is not sent. */
export function agentMailJob(deps: AgentMailDeps): DefinedJob<{ linkId: string }> {
  return defineJob(jobName, v.strictObject({ linkId: Id }), async ({ linkId }) => {
    const link = await LinkModel.findOne({ _id: linkId }).lean();
    if (!link || link.email === null || deps.smtpUrl === undefined) return;
    if (link.usedAt || link.revokedAt || link.expiresAt.getTime() <= Date.now()) return;
    const letter = link.kind === 'reset' ? await resetLetter(deps, link) : await invitationLetter(deps, link);
    // Loaded when there is mail to send: a start does not wait for it.
    const { createTransport } = await import('nodemailer');
    const transport = createTransport({
      url: deps.smtpUrl,
      connectionTimeout: answerWithinMs,
      greetingTimeout: answerWithinMs,
      socketTimeout: answerWithinMs,
    });
    try {
      await transport.sendMail({
        from: deps.mailFrom,
        to: { name: '', address: link.email },
        messageId: `<${link._id}@${new URL(deps.publicUrl).hostname}>`,
        headers: { 'Auto-Submitted': 'auto-generated' },
        ...letter,
      });
    } finally {
      transport.close();
    }
  });
}

interface Letter {
  subject: string;
  text: string;
}

async function resetLetter(deps: LinkDeps, link: LinkRow): Promise<Letter> {
  const agent = await AgentModel.findOne({ _id: link.agentId ?? '' }, { locale: 1 }).lean();
  const texts = agentMailTexts[agent?.locale ?? 'en'];
  return {
    subject: texts.resetSubject,
    text: texts.reset(addressOf(deps, link), limits.passwordResetMinutes),
  };
}

async function invitationLetter(deps: LinkDeps, link: LinkRow): Promise<Letter> {
  const inviter = await AgentModel.findOne({ _id: link.invitedBy ?? '' }, { name: 1, locale: 1 }).lean();
  const workspace = await WorkspaceModel.findOne({ _id: link.workspaceId ?? '' }, { name: 1 }).lean();
  const texts = agentMailTexts[inviter?.locale ?? 'en'];
  const name = workspace?.name ?? 'Threadline';
  return {
    subject: texts.invitationSubject(name),
    text: texts.invitation(inviter?.name ?? name, name, addressOf(deps, link), limits.invitationDays),
  };
}
