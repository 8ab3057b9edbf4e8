import { type CommandId, commandIds, commands } from './registry.js';

/** A stroke as the registry writes it: `j`, `#`, `shift+e`, `mod+Enter`. Null when it is none of ours. */
export function strokeOf(
  event: Pick<KeyboardEvent, 'key' | 'code' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey'>,
  isMac: boolean,
): string | null {
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const other = isMac ? event.ctrlKey : event.metaKey;
  if (other || event.altKey) return null;
  let { key } = event;
  if (key.length === 1) {
    // Where the layout writes other letters (Cyrillic, Greek), the place of the key decides.
    if (key.codePointAt(0)! > 0x7f) {
      const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
      if (letter) key = event.shiftKey ? letter : letter.toLowerCase();
      else if (event.code === 'Digit3' && event.shiftKey) key = '#';
      else return null;
    }
    const lower = key.toLowerCase();
    const isLetter = lower !== key.toUpperCase();
    return `${mod ? 'mod+' : ''}${isLetter && event.shiftKey ? 'shift+' : ''}${lower}`;
  }
  return `${mod ? 'mod+' : ''}${event.shiftKey ? 'shift+' : ''}${key}`;
}

const sequenceMs = 1_200;

/** Turns strokes into commands; holds the first of two. Pure but for the clock, which comes in. */
export function createMatcher(isAvailable: (id: CommandId) => boolean) {
  let first: { stroke: string; at: number } | null = null;
  return {
    /** @returns the command, `pending` after the first of two strokes, or null */
    match(
      stroke: string,
      at: number,
      where: { inField: boolean; singleKeys: boolean },
    ): CommandId | 'pending' | null {
      const before = first && at - first.at <= sequenceMs ? `${first.stroke} ` : '';
      first = null;
      const isPlain = !stroke.startsWith('mod+') && stroke !== 'Escape';
      if (isPlain && (where.inField || !where.singleKeys)) {
        // Arrows and Enter are not letters: they stay when single letters are switched off.
        if (where.inField || /^(shift\+)?.$/u.test(stroke)) return null;
      }
      for (const wanted of before ? [before + stroke, stroke] : [stroke]) {
        for (const id of commandIds) {
          if (!commands[id].keys.includes(wanted)) continue;
          if (where.inField && !commands[id].inFields) continue;
          if (isAvailable(id)) return id;
        }
      }
      if (isPlain && commandIds.some((id) => commands[id].keys.some((key) => key.startsWith(`${stroke} `)))) {
        first = { stroke, at };
        return 'pending';
      }
      return null;
    },
  };
}

const isField = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && !['radio', 'checkbox', 'button'].includes(target.type)));

/** Who does what a command says, now. The last to come answers first: a dialog covers what lies under it. */
export interface Keys {
  readonly isMac: boolean;
  handle(handlers: Partial<Record<CommandId, () => void>>): () => void;
  isAvailable(id: CommandId): boolean;
  run(id: CommandId): void;
}

export function createKeys(options: {
  isMac: boolean;
  now: () => number;
  /** Single letters can be switched off (WCAG 2.1.4). */
  singleKeys: () => boolean;
}): Keys & { listen(target: EventTarget): () => void } {
  const layers: Partial<Record<CommandId, () => void>>[] = [];
  const handlerOf = (id: CommandId) => layers.findLast((layer) => layer[id] !== undefined)?.[id];
  const keys = {
    isMac: options.isMac,
    handle(handlers: Partial<Record<CommandId, () => void>>) {
      layers.push(handlers);
      return () => {
        const at = layers.indexOf(handlers);
        if (at !== -1) layers.splice(at, 1);
      };
    },
    isAvailable: (id: CommandId) => handlerOf(id) !== undefined,
    run: (id: CommandId) => handlerOf(id)?.(),
    listen(target: EventTarget) {
      const matcher = createMatcher(keys.isAvailable);
      const onKeyDown = (event: Event) => {
        if (!(event instanceof KeyboardEvent) || event.defaultPrevented) return;
        // 229: an input method is composing, also where isComposing is late.
        if (event.isComposing || event.keyCode === 229) return;
        // What is modal has its own keys.
        if (document.querySelector('dialog:modal')) return;
        const stroke = strokeOf(event, options.isMac);
        if (stroke === null) return;
        const origin = event.composedPath()[0] ?? event.target;
        // Enter on a button or a link is that button's.
        if (stroke === 'Enter' && origin instanceof HTMLElement && origin.closest('a, button, [role=option]'))
          return;
        const inMenu = origin instanceof HTMLElement && origin.closest('[role=menu], [role=slider]') !== null;
        if (inMenu && stroke.startsWith('Arrow')) return;
        const id = matcher.match(stroke, options.now(), {
          inField: isField(origin),
          singleKeys: options.singleKeys(),
        });
        if (id === null) return;
        event.preventDefault();
        if (id !== 'pending') keys.run(id);
      };
      target.addEventListener('keydown', onKeyDown);
      return () => target.removeEventListener('keydown', onKeyDown);
    },
  };
  return keys;
}
