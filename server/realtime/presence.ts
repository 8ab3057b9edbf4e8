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
  // A contact has few tabs, nearly always one: a list is looked through sooner than a map is made.
  const contacts = new Map<string, Tab[]>();
  const keyOf = (workspaceId: string, contactId: string): string => [workspaceId, contactId].join(':');
  let last = 0;

  return {
    set(workspaceId, contactId, tabId, visit) {
      const key = keyOf(workspaceId, contactId);
      // The clock, so that processes can be compared; never the same twice here.
      last = Math.max(Date.now(), last + 1);
      const tabs = contacts.get(key);
      const tab = tabs?.find(({ id }) => id === tabId);
      if (tab) Object.assign(tab, { visit, at: last });
      else if (tabs) tabs.push({ id: tabId, visit, at: last });
      else contacts.set(key, [{ id: tabId, visit, at: last }]);
      changed(workspaceId, contactId);
    },
    remove(workspaceId, contactId, tabId) {
      const key = keyOf(workspaceId, contactId);
      const tabs = contacts.get(key);
      const at = tabs?.findIndex(({ id }) => id === tabId) ?? -1;
      if (!tabs || at < 0) return;
      if (tabs.length === 1) contacts.delete(key);
      else tabs.splice(at, 1);
      changed(workspaceId, contactId);
    },
    latest(workspaceId, contactIds) {
      const latest = latestOf(contactIds.flatMap((id) => contacts.get(keyOf(workspaceId, id)) ?? []));
      return latest && { visit: latest.visit, at: latest.at };
    },
    count: () => contacts.size,
  };
}

/** The one that spoke last; null of none. */
export function latestOf(visits: readonly LatestVisit[]): LatestVisit | null {
  let latest: LatestVisit | null = null;
  for (const one of visits) if (!latest || one.at > latest.at) latest = one;
  return latest;
}
