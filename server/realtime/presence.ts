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

/** `changed` is told of each contact whose visit is another now. */
export function createPresence(changed: (workspaceId: string, contactId: string) => void): Presence {
  const contacts = new Map<string, Map<string, LatestVisit>>();
  const keyOf = (workspaceId: string, contactId: string): string => `${workspaceId}:${contactId}`;
  let last = 0;

  return {
    set(workspaceId, contactId, tabId, visit) {
      const key = keyOf(workspaceId, contactId);
      const tabs = contacts.get(key) ?? new Map<string, LatestVisit>();
      contacts.set(key, tabs);
      // The clock, so that processes can be compared; never the same twice here.
      last = Math.max(Date.now(), last + 1);
      tabs.set(tabId, { visit, at: last });
      changed(workspaceId, contactId);
    },
    remove(workspaceId, contactId, tabId) {
      const key = keyOf(workspaceId, contactId);
      const tabs = contacts.get(key);
      if (!tabs?.delete(tabId)) return;
      if (tabs.size === 0) contacts.delete(key);
      changed(workspaceId, contactId);
    },
    latest(workspaceId, contactIds) {
      return latestOf(
        contactIds.flatMap((id) => [...(contacts.get(keyOf(workspaceId, id))?.values() ?? [])]),
      );
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
