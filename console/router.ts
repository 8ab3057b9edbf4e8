import type { ConversationView } from '../shared/api.js';
import { readConsoleLink } from '../shared/links.js';

/** Every place of the console with an address of its own. What can be linked is here, and nowhere else. */
export type Route =
  | { page: 'home' }
  | { page: 'sign-in' }
  | { page: 'setup'; token: string }
  | { page: 'forgot' }
  | { page: 'reset'; token: string }
  | { page: 'invitation'; token: string }
  | {
      page: 'inbox';
      workspaceId: string;
      view: ConversationView;
      inboxId?: string;
      sort: 'waiting' | 'recent';
      conversationId?: string;
      /** Below 1280 px: the customer's timeline lies over the conversation. */
      timeline?: boolean;
    }
  | { page: 'contacts'; workspaceId: string; query: string }
  | { page: 'contact'; workspaceId: string; contactId: string; at?: string }
  | { page: 'settings'; workspaceId: string; section: SettingsSection; id?: string }
  | { page: 'unknown' };
export type SettingsSection = 'profile' | 'inboxes' | 'agents';
export type InboxRoute = Extract<Route, { page: 'inbox' }>;

const views: readonly string[] = ['mine', 'unassigned', 'all', 'closed', 'spam'];
const sections: readonly string[] = ['profile', 'inboxes', 'agents'];
const id = /^[0-9a-zA-Z_-]{1,64}$/;

/** Reads an address. What is not one of ours is `unknown`, never an error. */
export function readRoute(address: { pathname: string; search: string; hash?: string }): Route {
  const parts = address.pathname.split('/').filter(Boolean);
  const search = new URLSearchParams(address.search);
  const link = parts.length === 0 ? readConsoleLink(address.hash ?? '') : null;
  if (link) return { page: link.kind, token: link.token };
  switch (parts[0]) {
    case undefined:
      return { page: 'home' };
    case 'sign-in':
      return { page: 'sign-in' };
    case 'forgot':
      return { page: 'forgot' };
    case 'w':
      return readWorkspaceRoute(parts.slice(1), search);
    default:
      return { page: 'unknown' };
  }
}

function readWorkspaceRoute(parts: string[], search: URLSearchParams): Route {
  const [workspaceId, place, first, second] = parts;
  if (!workspaceId || !id.test(workspaceId)) return { page: 'unknown' };
  switch (place) {
    case undefined:
      return { page: 'inbox', workspaceId, view: 'all', sort: 'waiting' };
    case 'inbox': {
      const view = first ?? 'all';
      if (!views.includes(view) || (second !== undefined && !id.test(second))) return { page: 'unknown' };
      const inboxId = search.get('inbox');
      return {
        page: 'inbox',
        workspaceId,
        view: view as ConversationView,
        sort: search.get('sort') === 'recent' ? 'recent' : 'waiting',
        ...(inboxId && id.test(inboxId) ? { inboxId } : {}),
        ...(second ? { conversationId: second } : {}),
        ...(search.has('timeline') ? { timeline: true } : {}),
      };
    }
    case 'contacts':
      if (first === undefined) return { page: 'contacts', workspaceId, query: search.get('q') ?? '' };
      if (!id.test(first)) return { page: 'unknown' };
      return {
        page: 'contact',
        workspaceId,
        contactId: first,
        ...(search.get('at') ? { at: search.get('at')! } : {}),
      };
    case 'settings': {
      const section = first ?? 'profile';
      if (!sections.includes(section)) return { page: 'unknown' };
      return {
        page: 'settings',
        workspaceId,
        section: section as SettingsSection,
        ...(second && id.test(second) ? { id: second } : {}),
      };
    }
    default:
      return { page: 'unknown' };
  }
}

/** The address of a place: what `readRoute` reads back. */
export function addressOf(route: Route): string {
  switch (route.page) {
    case 'home':
    case 'unknown':
      return '/';
    case 'sign-in':
    case 'forgot':
      return `/${route.page}`;
    case 'setup':
    case 'reset':
    case 'invitation':
      return `/#${route.page}=${route.token}`;
    case 'inbox': {
      const search = new URLSearchParams();
      if (route.inboxId) search.set('inbox', route.inboxId);
      if (route.sort === 'recent') search.set('sort', 'recent');
      if (route.timeline) search.set('timeline', '1');
      return withSearch(
        `/w/${route.workspaceId}/inbox/${route.view}${route.conversationId ? `/${route.conversationId}` : ''}`,
        search,
      );
    }
    case 'contacts':
      return withSearch(
        `/w/${route.workspaceId}/contacts`,
        new URLSearchParams(route.query ? { q: route.query } : {}),
      );
    case 'contact':
      return withSearch(
        `/w/${route.workspaceId}/contacts/${route.contactId}`,
        new URLSearchParams(route.at ? { at: route.at } : {}),
      );
    case 'settings':
      return `/w/${route.workspaceId}/settings/${route.section}${route.id ? `/${route.id}` : ''}`;
  }
}

const withSearch = (path: string, search: URLSearchParams) => (search.size > 0 ? `${path}?${search}` : path);

/** The list that a place shows; two places with one key show the same list. */
export const listKey = (route: InboxRoute): string =>
  `${route.workspaceId}/${route.view}/${route.inboxId ?? ''}/${route.sort}`;
