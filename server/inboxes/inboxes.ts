import { createPublicKey, randomBytes } from 'node:crypto';
import type { ClientSession } from 'mongoose';
import type { InferOutput } from 'valibot';
import type { InboxSettings, InboxSummary } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import type { Channel } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import { ConversationModel } from '../conversations/model.js';
import { gather } from '../store/gather.js';
import { newId } from '../store/id.js';
import { publishNotice } from '../timeline/publish.js';
import type { Scope } from '../workspaces/scope.js';
import { InboxModel, type InboxRow } from './model.js';

const defaultAccent = '#1f6f5c';

/** An inbox as the console's settings show it: all but the secret. */
export type InboxDetail = Omit<InboxRow, '_id' | 'workspaceId' | 'identitySecret' | 'createdAt'> & {
  id: string;
};

/** Makes an inbox that admits no site yet: the owner names the origins. Perhaps inside a transaction. */
export async function addInbox(
  scope: Pick<Scope, 'workspaceId'>,
  input: { channel: Channel; name: string },
  settings: InferOutput<typeof InboxSettings> = {},
  session?: ClientSession,
): Promise<InboxRow> {
  const row: InboxRow = {
    _id: newId(),
    workspaceId: scope.workspaceId,
    channel: input.channel,
    name: input.name,
    greeting: '',
    accent: defaultAccent,
    quickReplies: [],
    asksForEmail: false,
    allowedOrigins: [],
    identitySecret: newSecret(),
    identityPublicKey: null,
    address: null,
    timeZone: null,
    createdAt: new Date(),
    ...given(checked(settings)),
  };
  await InboxModel.create([row], session ? { session } : {});
  return row;
}

const newSecret = (): string => randomBytes(32).toString('base64url');

/** @throws AppError `inbox_not_found` */
export async function getInbox(scope: Pick<Scope, 'workspaceId'>, inboxId: string): Promise<InboxRow> {
  const row = await InboxModel.findOne({ _id: inboxId, workspaceId: scope.workspaceId }).lean();
  if (!row) throw new AppError('inbox_not_found');
  return row;
}

/**
 * The inbox that a stranger's page names: the one look-up without a workspace, since the inbox is what tells it.
 * @throws AppError `inbox_not_found`
 */
export async function findPublicInbox(inboxId: string): Promise<InboxRow> {
  const row = await publicInbox(inboxId, null);
  if (!row) throw new AppError('inbox_not_found');
  return row;
}

/** Whoever comes together to one inbox is answered by one look. */
const publicInbox = gather(async (inboxId, askers: readonly null[]) => {
  const row = await InboxModel.findOne({ _id: inboxId }).lean();
  return askers.map(() => row);
});

/** All inboxes of the workspace, oldest first, perhaps of one channel. */
export async function listInboxes(scope: Pick<Scope, 'workspaceId'>, channel?: Channel): Promise<InboxRow[]> {
  return InboxModel.find({ workspaceId: scope.workspaceId, ...(channel !== undefined && { channel }) })
    .sort({ createdAt: 1, _id: 1 })
    .limit(limits.pageEntries)
    .lean();
}

/** What the console's first column lists: each inbox with its open conversations. */
export async function summariseInboxes(scope: Pick<Scope, 'workspaceId'>): Promise<InboxSummary[]> {
  const inboxes = await listInboxes(scope);
  return Promise.all(
    inboxes.map(async ({ _id, channel, name }) => ({
      id: _id,
      channel,
      name,
      open: await ConversationModel.countDocuments({
        workspaceId: scope.workspaceId,
        status: 'open',
        inboxId: _id,
      }),
    })),
  );
}

/** @throws AppError `inbox_not_found`, `bad_request` naming the setting */
export async function changeInbox(
  scope: Pick<Scope, 'workspaceId'>,
  inboxId: string,
  settings: InferOutput<typeof InboxSettings>,
): Promise<InboxRow> {
  const row = await InboxModel.findOneAndUpdate(
    { _id: inboxId, workspaceId: scope.workspaceId },
    { $set: given(checked(settings)) },
    { returnDocument: 'after' },
  ).lean();
  if (!row) throw new AppError('inbox_not_found');
  publishNotice({ type: 'inbox', workspaceId: scope.workspaceId, inboxId });
  return row;
}

/** Makes a new secret for HS256 identity tokens and returns it; tokens of the old one stop working at once. */
export async function renewIdentitySecret(
  scope: Pick<Scope, 'workspaceId'>,
  inboxId: string,
): Promise<string> {
  const identitySecret = newSecret();
  const { matchedCount } = await InboxModel.updateOne(
    { _id: inboxId, workspaceId: scope.workspaceId },
    { $set: { identitySecret } },
  );
  if (matchedCount === 0) throw new AppError('inbox_not_found');
  return identitySecret;
}

export function inboxDetail(row: InboxRow): InboxDetail {
  const { _id, workspaceId: _workspace, identitySecret: _secret, createdAt: _created, ...shown } = row;
  return { id: _id, ...shown };
}

/** Refused when saved, not when the first customer calls. */
function checked(settings: InferOutput<typeof InboxSettings>): InferOutput<typeof InboxSettings> {
  const { identityPublicKey, timeZone } = settings;
  if (identityPublicKey && !isUsableKey(identityPublicKey)) {
    throw new AppError('bad_request', {
      field: 'identityPublicKey',
      problem: 'Not a public RSA key of 2048 bits or more, nor one of P-256.',
    });
  }
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    throw new AppError('bad_request', { field: 'timeZone', problem: 'Not an IANA time zone.' });
  }
  return settings;
}

function isUsableKey(pem: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem);
    if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2_048;
    return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Only what was given: an absent setting stays as it is. */
const given = <T extends object>(settings: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
