import type { Visit } from '../../shared/protocol.js';

/**
 * What visitors' browsers say of themselves while they are here: in memory, never written down. Each browser tab is an
 * entry; a contact's visit is that of the tab which spoke last.
 */
export interface Presence {
  /** A tab came, or tells of another page. */
  set(workspaceId: string, contactId: string, tabId: string, visit: Visit): void;
  remove(workspaceId: string, contactId: string, tabId: string): void;
  /** The latest visit among these contacts; null when none of them is here. */
  visitOf(workspaceId: string, contactIds: readonly string[]): Visit | null;
}

interface Tab {
  visit: Visit;
  /** Counts up: the highest spoke last. */
  order: number;
}

/** `changed` is told of each contact whose visit is another now. */
export function createPresence(changed: (workspaceId: string, contactId: string) => void): Presence {
  const contacts = new Map<string, Map<string, Tab>>();
  const keyOf = (workspaceId: string, contactId: string): string => `${workspaceId}:${contactId}`;
  let order = 0;

  return {
    set(workspaceId, contactId, tabId, visit) {
      const key = keyOf(workspaceId, contactId);
      const tabs = contacts.get(key) ?? new Map<string, Tab>();
      contacts.set(key, tabs);
      order += 1;
      tabs.set(tabId, { visit, order });
      changed(workspaceId, contactId);
    },
    remove(workspaceId, contactId, tabId) {
      const key = keyOf(workspaceId, contactId);
      const tabs = contacts.get(key);
      if (!tabs?.delete(tabId)) return;
      if (tabs.size === 0) contacts.delete(key);
      changed(workspaceId, contactId);
    },
    visitOf(workspaceId, contactIds) {
      let latest: Tab | null = null;
      for (const contactId of contactIds) {
        for (const tab of contacts.get(keyOf(workspaceId, contactId))?.values() ?? []) {
          if (!latest || tab.order > latest.order) latest = tab;
        }
      }
      return latest?.visit ?? null;
    },
  };
}
