import type { IconName } from '../icons/sprite.js';
import type { TextKey } from '../texts/text.js';

/**
 * Every command that has a key or stands in the palette, once. The palette, the sheet behind `?`, the tooltips, the
 * listener and the tests read this table; no element knows a key of its own.
 *
 * Keys: `j`; `g i` one after the other; `mod+k` with Cmd on a Mac and Ctrl elsewhere. Several stand for the same.
 */
export interface Command {
  label: TextKey;
  group: CommandGroup;
  keys: readonly string[];
  icon?: IconName;
  /** Not offered in the palette: it makes sense only where one is. */
  isLocal?: true;
  /** Works while one types, too. */
  inFields?: true;
}
export type CommandGroup = 'move' | 'go' | 'answer' | 'conversation' | 'timeline';

const table = {
  next: { label: 'key.next', group: 'move', keys: ['j', 'ArrowDown'], isLocal: true },
  previous: { label: 'key.previous', group: 'move', keys: ['k', 'ArrowUp'], isLocal: true },
  open: { label: 'key.open', group: 'move', keys: ['Enter'], isLocal: true },
  back: { label: 'key.back', group: 'move', keys: ['Escape'], isLocal: true, inFields: true },
  search: { label: 'key.search', group: 'move', keys: ['/'], isLocal: true },
  palette: { label: 'key.palette', group: 'move', keys: ['mod+k'], isLocal: true, inFields: true },
  sheet: { label: 'key.sheet', group: 'move', keys: ['?'], icon: 'keyboard' },

  'go-all': { label: 'view.all', group: 'go', keys: ['g i'], icon: 'layers' },
  'go-mine': { label: 'view.mine', group: 'go', keys: ['g m'], icon: 'inbox' },
  'go-unassigned': { label: 'view.unassigned', group: 'go', keys: ['g u'], icon: 'circle-dashed' },
  'go-closed': { label: 'view.closed', group: 'go', keys: ['g e'], icon: 'circle-check' },
  'go-contacts': { label: 'views.contacts', group: 'go', keys: ['g c'], icon: 'users' },
  'go-settings': { label: 'views.settings', group: 'go', keys: ['g s'], icon: 'settings' },

  reply: { label: 'key.reply', group: 'answer', keys: ['r'], icon: 'reply' },
  note: { label: 'key.note', group: 'answer', keys: ['n'], icon: 'lock' },
  send: { label: 'key.send', group: 'answer', keys: ['mod+Enter'], isLocal: true, inFields: true },
  'send-close': {
    label: 'key.send_close',
    group: 'answer',
    keys: ['mod+shift+Enter'],
    isLocal: true,
    inFields: true,
  },
  undo: { label: 'key.undo', group: 'answer', keys: ['mod+z'], isLocal: true },

  close: { label: 'key.close', group: 'conversation', keys: ['e'], icon: 'check' },
  reopen: { label: 'key.reopen', group: 'conversation', keys: ['shift+e'], icon: 'rotate-cw' },
  assign: { label: 'key.assign', group: 'conversation', keys: ['a'], icon: 'user-plus' },
  'assign-me': { label: 'key.assign_me', group: 'conversation', keys: ['i'], icon: 'user' },
  spam: { label: 'key.spam', group: 'conversation', keys: ['#'], icon: 'shield-alert' },
  block: { label: 'key.block', group: 'conversation', keys: [], icon: 'ban' },

  timeline: { label: 'key.timeline', group: 'timeline', keys: ['t'], icon: 'panel-right' },
  same: { label: 'key.same', group: 'timeline', keys: ['y'], icon: 'git-merge' },
  'jump-date': { label: 'key.jump_date', group: 'timeline', keys: ['d'], icon: 'calendar' },
  'only-all': { label: 'key.only_all', group: 'timeline', keys: ['0'], isLocal: true },
  'only-chat': { label: 'key.only_chat', group: 'timeline', keys: ['1'], isLocal: true },
  'only-email': { label: 'key.only_email', group: 'timeline', keys: ['2'], isLocal: true },
  'only-phone': { label: 'key.only_phone', group: 'timeline', keys: ['3'], isLocal: true },
} as const satisfies Record<string, Command>;

export type CommandId = keyof typeof table;
export const commands: Readonly<Record<CommandId, Command>> = table;
export const commandIds = Object.keys(table) as CommandId[];

/** The same in one piece: ⌘K, and Ctrl K where modifiers are words. */
export const drawnTogether = (id: CommandId, isMac: boolean): string =>
  drawnKeys(id, isMac).join(isMac ? '' : ' ');

/** The keys of a command as they are drawn: `['⌘', '↵']`, `['g', 'i']`. Only its first key. */
export function drawnKeys(id: CommandId, isMac: boolean): string[] {
  const first = commands[id].keys[0];
  if (first === undefined) return [];
  const names: Record<string, string> = {
    mod: isMac ? '⌘' : 'Ctrl',
    shift: isMac ? '⇧' : 'Shift',
    Enter: '↵',
    Escape: 'esc',
    ArrowUp: '↑',
    ArrowDown: '↓',
  };
  return first
    .split(' ')
    .flatMap((step) => step.split('+'))
    .map(
      (piece) => names[piece] ?? (first.includes('mod+') && piece.length === 1 ? piece.toUpperCase() : piece),
    );
}
