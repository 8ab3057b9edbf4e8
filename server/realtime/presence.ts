import type { Visit } from '../../shared/protocol.js';

/** What a tab said of itself, and when: the latest of several is what is shown. */
export interface LatestVisit {
  visit: Visit;
  at: number;
}

/**
 * What visitors' browsers say of themselves while they are here: in memory, never written down. Each browser tab of this
 * process is an entry; a contact's visit is that of the tab which spoke last.
 */
export interface Presence {
  /** A tab came, or tells of another page. */
  set(workspaceId: string, contactId: string, tabId: string, visit: Visit): void;
  remove(workspaceId: string, contactId: string, tabId: string): void;
  /** The latest visit among these contacts in this process; null when none of them is here. */
  latest(workspaceId: string, contactIds: readonly string[]): LatestVisit | null;
  /** How many contacts are here, in this process. */
  count(): number;
}

interface Tab extends LatestVisit {
  id: string;
}

/** `changed` is told of each contact whose visit is another now. */
export function createPresence(changed: (workspaceId: string, contactId: string) => void): Presence {
  // By workspace, then by contact. A contact has few tabs, nearly always one: a list is looked through sooner than a map
  // is made.
  const workspaces = new Map<string, Map<string, Tab[]>>();
  let last = 0;

  return {
    set(workspaceId, contactId, tabId, visit) {
      const contacts = workspaces.get(workspaceId) ?? new Map<string, Tab[]>();
      workspaces.set(workspaceId, contacts);
      // The clock, so that processes can be compared; never the same twice here.
      last = Math.max(Date.now(), last + 1);
      const tabs = contacts.get(contactId);
      const tab = tabs?.find(({ id }) => id === tabId);
      if (tab) Object.assign(tab, { visit, at: last });
      else if (tabs) tabs.push({ id: tabId, visit, at: last });
      else contacts.set(contactId, [{ id: tabId, visit, at: last }]);
      changed(workspaceId, contactId);
    },
    remove(workspaceId, contactId, tabId) {
      const contacts = workspaces.get(workspaceId);
      const tabs = contacts?.get(contactId);
      const at = tabs?.findIndex(({ id }) => id === tabId) ?? -1;
      if (!contacts || !tabs || at < 0) return;
      tabs.splice(at, 1);
      if (tabs.length === 0) contacts.delete(contactId);
      if (contacts.size === 0) workspaces.delete(workspaceId);
      changed(workspaceId, contactId);
    },
    latest(workspaceId, contactIds) {
      const contacts = workspaces.get(workspaceId);
      const latest = latestOf(contactIds.flatMap((id) => contacts?.get(id) ?? []));
      return latest && { visit: latest.visit, at: latest.at };
    },
    count: () => [...workspaces.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

/** The one that spoke last; null of none. */
export function latestOf(visits: readonly LatestVisit[]): LatestVisit | null {
  let latest: LatestVisit | null = null;
  for (const one of visits) if (!latest || one.at > latest.at) latest = one;
  return latest;
}
