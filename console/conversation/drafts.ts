import * as v from 'valibot';
import { createSlice, type Slice } from '../state/slice.js';

export type Mode = 'reply' | 'note';

/** What somebody was writing: one for each conversation and mode, kept by the browser until it is sent. */
export interface Drafts {
  read(conversationId: string, mode: Mode): string;
  write(conversationId: string, mode: Mode, text: string): void;
  /** The beginning of each conversation's draft of a reply, by conversation: rows show it. */
  readonly beginnings: Slice<ReadonlyMap<string, string>>;
}

const Stored = v.record(v.string(), v.string());
const beginningLength = 120;

export function createDrafts(storage: Pick<Storage, 'getItem' | 'setItem'>, storageKey: string): Drafts {
  const drafts = new Map<string, string>(Object.entries(load()));
  const beginnings = createSlice<ReadonlyMap<string, string>>(begin());

  function load(): Record<string, string> {
    try {
      const parsed = v.safeParse(Stored, JSON.parse(storage.getItem(storageKey) ?? '{}'));
      return parsed.success ? parsed.output : {};
    } catch {
      // Refused or unreadable storage: there are no drafts.
      return {};
    }
  }
  function begin(): ReadonlyMap<string, string> {
    const map = new Map<string, string>();
    for (const [key, text] of drafts) {
      const [conversationId, mode] = key.split('/');
      if (mode === 'reply' && conversationId) map.set(conversationId, text.slice(0, beginningLength));
    }
    return map;
  }

  return {
    beginnings,
    read: (conversationId, mode) => drafts.get(`${conversationId}/${mode}`) ?? '',
    write(conversationId, mode, text) {
      const key = `${conversationId}/${mode}`;
      if ((drafts.get(key) ?? '') === text) return;
      if (text.trim() === '') drafts.delete(key);
      else drafts.set(key, text);
      try {
        storage.setItem(storageKey, JSON.stringify(Object.fromEntries(drafts)));
      } catch {
        // Full or refused: the draft lives as long as the page.
      }
      beginnings.set(begin());
    },
  };
}
