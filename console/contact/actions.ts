import { replyOf } from '../api/request.js';
import { refuse } from '../conversation/actions.js';
import type { Console } from '../state/console.js';
import { t } from '../texts/text.js';

export async function loadContact(app: Console, id: string): Promise<void> {
  const slice = app.contacts.of(id);
  try {
    const value = await app.api.contact(id);
    slice.change((old) =>
      old.state === 'ready' && JSON.stringify(old.value) === JSON.stringify(value)
        ? old
        : { state: 'ready', value },
    );
  } catch (error) {
    if (slice.get().state !== 'ready') slice.set({ state: 'failed', error: replyOf(error) });
  }
}

/** A contact changed: whoever shows it asks for it and its timeline anew. */
export function refreshContact(app: Console, id: string): void {
  if (app.contacts.has(id)) void loadContact(app, id);
  app.timelines.of(id).change((version) => version + 1);
}

export async function setBlocked(app: Console, id: string, blocked: boolean): Promise<void> {
  try {
    const value = await app.api.changeContact(id, { blocked });
    app.contacts.of(id).set({ state: 'ready', value });
    app.toast.set({
      text: t(blocked ? 'toast.blocked' : 'toast.unblocked'),
      undo: () => void setBlocked(app, id, !blocked),
    });
  } catch (error) {
    refuse(app, error);
  }
}

/** Joins two contacts; undone exactly. `id` stays the head. */
export async function mergeContacts(
  app: Console,
  id: string,
  otherId: string,
  otherName: string,
  details: { reason?: string; preferences?: Record<string, string> } = {},
): Promise<boolean> {
  try {
    const { mergeId } = await app.api.merge(id, { withContactId: otherId, ...details });
    refreshContact(app, id);
    app.toast.set({
      text: t('toast.merged', { name: otherName }),
      undo: () => void unmerge(app, id, mergeId),
    });
    return true;
  } catch (error) {
    refuse(app, error);
    return false;
  }
}

export async function unmerge(app: Console, id: string, mergeId: string, moved?: string[]): Promise<void> {
  try {
    await app.api.unmerge(mergeId, moved);
    refreshContact(app, id);
    app.toast.set({ text: t('toast.unmerged') });
  } catch (error) {
    refuse(app, error);
  }
}

export async function dismissSuggestion(app: Console, id: string, otherId: string): Promise<void> {
  try {
    await app.api.dismissSuggestion(id, otherId);
    refreshContact(app, id);
  } catch (error) {
    refuse(app, error);
  }
}
