import * as v from 'valibot';
import type { Slice } from './slice.js';
import { createSlice } from './slice.js';

const Preferences = v.object({
  theme: v.fallback(v.picklist(['system', 'light', 'dark']), 'system'),
  density: v.fallback(v.picklist(['comfortable', 'compact']), 'comfortable'),
  /** Single-letter shortcuts. */
  shortcuts: v.fallback(v.boolean(), true),
});
/** How this browser shows the console. What belongs to the person (name, language) is the server's. */
export type Preferences = v.InferOutput<typeof Preferences>;

const storageKey = 'threadline.preferences';

export function createPreferences(storage: Pick<Storage, 'getItem' | 'setItem'>): Slice<Preferences> {
  let stored: unknown = {};
  try {
    stored = JSON.parse(storage.getItem(storageKey) ?? '{}');
  } catch {
    // Storage is refused or holds something else: the defaults do.
  }
  const slice = createSlice(
    v.parse(Preferences, typeof stored === 'object' && stored !== null ? stored : {}),
  );
  slice.subscribe(() => {
    try {
      storage.setItem(storageKey, JSON.stringify(slice.get()));
    } catch {
      // A browser that keeps nothing still shows what was chosen.
    }
  });
  return slice;
}

/** Puts theme and density on the page, now and at each change. */
export function applyPreferences(slice: Slice<Preferences>, root: HTMLElement): () => void {
  const apply = () => {
    const { theme, density } = slice.get();
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
    if (density === 'compact') root.dataset.density = density;
    else delete root.dataset.density;
  };
  apply();
  return slice.subscribe(apply);
}
