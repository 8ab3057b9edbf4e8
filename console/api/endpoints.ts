import type { InferOutput } from 'valibot';
import type {
  AgentSummary,
  ContactDetail,
  ContactList,
  ConversationCounts,
  ConversationDetail,
  ConversationList,
  ConversationView,
  InboxSettings,
  InboxSummary,
  Me,
  MergePreview,
  Role,
  SessionAnswer,
  TimelinePage,
  TimelinePicture,
  UnmergePreview,
} from '../../shared/api.js';
import type { ContactFields } from '../../shared/events/contact.js';
import type { FileRef } from '../../shared/events/parts.js';
import type { EventPage, TimelineEvent } from '../../shared/events/timeline.js';
import type { Transport } from './request.js';

/** An inbox's settings as they stand: all but the secret, which is shown once, when it is made. */
export type InboxDetail = InferOutput<typeof InboxSettings> & {
  id: string;
  channel: 'chat' | 'email' | 'phone';
  name: string;
};
export interface TimelineQuery {
  cursor?: string;
  direction?: 'older' | 'newer';
  at?: string;
  channels?: string;
  kinds?: string;
  limit?: number;
}

/**
 * Every endpoint the console calls, typed by the contracts in shared/. The answers are the same release's own
 * server's: the socket's handshake refuses another protocol, so they are taken as typed here, at this one place.
 */
export function createApi(transport: Transport, workspaceId: () => string) {
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    (await transport.json(method, path, body === undefined ? {} : { body })) as T;
  const open = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    (await transport.json(method, path, { as: 'session', ...(body !== undefined && { body }) })) as T;
  const w = (path: string) => `/api/workspaces/${workspaceId()}${path}`;

  return {
    // ---- sessions
    setUpNeeded: () => open<{ needed: boolean }>('GET', '/api/setup'),
    setUp: (body: { token: string; workspace: string; name: string; email: string; password: string }) =>
      open<SessionAnswer>('POST', '/api/setup', body),
    signIn: (body: { email: string; password: string }) => open<SessionAnswer>('POST', '/api/sessions', body),
    signOut: () => ask<object>('DELETE', '/api/sessions/current'),
    askPasswordReset: (email: string) => open<object>('POST', '/api/password-resets', { email }),
    resetPassword: (body: { token: string; password: string }) =>
      open<object>('POST', '/api/password-resets/redeem', body),
    acceptInvitation: (body: { token: string; name: string; password: string }) =>
      open<SessionAnswer>('POST', '/api/invitations/redeem', body),
    me: () => ask<Me>('GET', '/api/me'),
    changeMe: (body: {
      name?: string;
      locale?: 'en' | 'ru';
      availability?: 'available' | 'away';
      password?: { current: string; next: string };
    }) => ask<Me>('PATCH', '/api/me', body),

    // ---- conversations
    conversations: (query: {
      view: ConversationView;
      inboxId?: string | undefined;
      sort?: 'waiting' | 'recent';
      cursor?: string | undefined;
      limit?: number;
    }) => ask<ConversationList>('GET', w(`/conversations${search(query)}`)),
    counts: () => ask<ConversationCounts>('GET', w('/conversations/counts')),
    conversation: (id: string) => ask<ConversationDetail>('GET', w(`/conversations/${id}`)),
    changeConversation: (
      id: string,
      body: {
        status?: 'open' | 'closed' | 'spam';
        assigneeId?: string | null;
        ifStatus?: 'open' | 'closed' | 'spam';
      },
    ) => ask<ConversationDetail>('PATCH', w(`/conversations/${id}`), body),
    events: (id: string, query: { after?: number; before?: number; limit?: number }) =>
      ask<EventPage>('GET', w(`/conversations/${id}/events${search(query)}`)),
    send: (
      id: string,
      body: {
        clientId: string;
        conversationId: string;
        mode: 'reply' | 'note';
        text: string;
        attachments: FileRef[];
        waitedMs: number;
      },
    ) => ask<{ event: TimelineEvent }>('POST', w(`/conversations/${id}/events`), body),
    markRead: (id: string, seq: number) => ask<object>('POST', w(`/conversations/${id}/read`), { seq }),
    emailHtml: async (eventId: string) => (await transport.blob(w(`/emails/${eventId}/html`))).text(),

    // ---- contacts
    contacts: (query: { query?: string; cursor?: string | undefined; limit?: number }) =>
      ask<ContactList>('GET', w(`/contacts${search(query)}`)),
    contact: (id: string) => ask<ContactDetail>('GET', w(`/contacts/${id}`)),
    changeContact: (id: string, body: { fields?: ContactFields; blocked?: boolean }) =>
      ask<ContactDetail>('PATCH', w(`/contacts/${id}`), body),
    timeline: (id: string, query: TimelineQuery) =>
      ask<TimelinePage>('GET', w(`/contacts/${id}/timeline${search({ ...query })}`)),
    picture: (id: string, from: string, to: string) =>
      ask<TimelinePicture>('GET', w(`/contacts/${id}/picture${search({ from, to })}`)),
    mergePreview: (id: string, otherId: string) =>
      ask<MergePreview>('GET', w(`/contacts/${id}/merge-preview/${otherId}`)),
    merge: (
      id: string,
      body: { withContactId: string; reason?: string; preferences?: Record<string, string> },
    ) => ask<{ mergeId: string }>('POST', w(`/contacts/${id}/merges`), body),
    unmergePreview: (mergeId: string) => ask<UnmergePreview>('GET', w(`/merges/${mergeId}/unmerge-preview`)),
    unmerge: (mergeId: string, movedEventIds?: string[]) =>
      ask<object>('POST', w(`/merges/${mergeId}/undo`), movedEventIds ? { movedEventIds } : {}),
    dismissSuggestion: (contactId: string, otherId: string) =>
      ask<object>('POST', w('/suggestions/dismiss'), { contactId, otherId }),

    // ---- workspace
    agents: async () => (await ask<{ agents: AgentSummary[] }>('GET', w('/agents'))).agents,
    invite: (body: { email: string; role: 'admin' | 'agent' }) =>
      ask<{ link: string }>('POST', w('/invitations'), body),
    changeAgent: (id: string, body: { role?: Role; active?: boolean }) =>
      ask<AgentSummary>('PATCH', w(`/agents/${id}`), body),
    inboxes: async () => (await ask<{ inboxes: InboxSummary[] }>('GET', w('/inboxes'))).inboxes,
    inbox: (id: string) => ask<InboxDetail>('GET', w(`/inboxes/${id}`)),
    addInbox: (body: { channel: 'chat' | 'email' | 'phone'; name: string }) =>
      ask<InboxDetail>('POST', w('/inboxes'), body),
    changeInbox: (id: string, body: InferOutput<typeof InboxSettings>) =>
      ask<InboxDetail>('PATCH', w(`/inboxes/${id}`), body),
    renewIdentitySecret: async (id: string) =>
      (await ask<{ secret: string }>('POST', w(`/inboxes/${id}/identity-secret`))).secret,

    // ---- files
    upload: (file: File, signal?: AbortSignal) =>
      transport.json('POST', w('/files'), {
        raw: file,
        headers: {
          'content-type': 'application/octet-stream',
          'x-file-name': encodeURIComponent(file.name.slice(0, 120)),
        },
        ...(signal && { signal }),
      }) as Promise<FileRef>,
    file: (fileId: string) => transport.blob(w(`/files/${fileId}`)),
  };
}
export type Api = ReturnType<typeof createApi>;

function search(query: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  return parameters.size > 0 ? `?${parameters}` : '';
}
