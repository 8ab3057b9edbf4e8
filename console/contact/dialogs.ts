import type { Console } from '../state/console.js';

/** Dialogs come when they are asked for, with their code. They are drawn over the page and gone when closed. */
async function show(name: 'tl-merge' | 'tl-unmerge' | 'tl-pick-contact', properties: object): Promise<void> {
  if (name === 'tl-pick-contact') await import('../merge/pick.js');
  else if (name === 'tl-merge') await import('../merge/merge.js');
  else await import('../merge/unmerge.js');
  const element = document.createElement(name);
  Object.assign(element, properties);
  (document.querySelector('tl-app') ?? document.body).append(element);
}

/** Without the other contact it is chosen first. */
export function openMerge(app: Console, contactId: string, otherId?: string): void {
  void (otherId === undefined
    ? show('tl-pick-contact', {
        app,
        contactId,
        choose: (chosen: string) => openMerge(app, contactId, chosen),
      })
    : show('tl-merge', { app, contactId, otherId }));
}

export function openUnmerge(app: Console, contactId: string, mergeId: string): void {
  void show('tl-unmerge', { app, contactId, mergeId });
}
