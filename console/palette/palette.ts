import { html, nothing } from 'lit';
import type { ContactSummary } from '../../shared/api.js';
import { replyOf } from '../api/request.js';
import type { IconName } from '../icons/sprite.js';
import { commandIds, commands, drawnKeys } from '../keys/registry.js';
import { inboxRouteOf } from '../list/actions.js';
import { Dialog } from '../parts/dialog.js';
import { channelColour, channelIcon, icon } from '../parts/icon.js';
import { keyCaps } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { addressOf, type Route, readRoute } from '../router.js';
import { phone } from '../texts/phone.js';
import { type TextKey, t } from '../texts/text.js';
import { rowTime } from '../texts/time.js';
import { type Match, matchText } from './match.js';

interface Option {
  key: string;
  icon: IconName;
  colour?: string;
  match: Match;
  end: string;
  keys: readonly string[];
  /** Opens it; with an address it can be opened in a new tab, too. */
  address?: string;
  run: () => void;
}
interface Group {
  title: TextKey;
  options: Option[];
}

const perGroup = 5;

/** Every command, and what was found, in one list. Each command shows its key. */
class Palette extends Dialog {
  static override properties = {
    ...View.properties,
    query: { state: true },
    at: { state: true },
    contacts: { state: true },
  };
  declare query: string;
  declare at: number;
  declare contacts: readonly ContactSummary[];
  #token = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #then: (() => void) | null = null;

  constructor() {
    super();
    this.query = '';
    this.at = 0;
    this.contacts = [];
  }

  protected override watched() {
    return [this.app.list];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.app.overlay.set(null);
  }

  protected override closed(): void {
    this.app.overlay.set(null);
    this.#then?.();
  }

  #search(query: string): void {
    this.query = query;
    this.at = 0;
    clearTimeout(this.#timer);
    const token = ++this.#token;
    if (query.trim().length < 2) {
      this.contacts = [];
      return;
    }
    this.#timer = setTimeout(() => {
      this.app.api.contacts({ query, limit: perGroup }).then(
        (list) => {
          if (token === this.#token) this.contacts = list.rows;
        },
        (error: unknown) => {
          replyOf(error);
        },
      );
    }, 120);
  }

  #groups(): Group[] {
    const { app, query } = this;
    const route = app.route.get();
    const workspaceId = 'workspaceId' in route ? route.workspaceId : '';
    const fromCommands = (title: TextKey, group: (id: (typeof commandIds)[number]) => boolean): Group => ({
      title,
      options: commandIds
        .filter((id) => group(id) && !commands[id].isLocal && app.keys.isAvailable(id))
        .flatMap((id) => {
          const match = matchText(t(commands[id].label), query);
          return match
            ? [
                {
                  key: id,
                  icon: commands[id].icon ?? ('chevron-right' as const),
                  match,
                  end: '',
                  keys: drawnKeys(id, app.keys.isMac),
                  run: () => app.keys.run(id),
                },
              ]
            : [];
        })
        .sort((a, b) => a.match.score - b.match.score),
    });
    const place = (to: Route) => addressOf(to);
    const open = inboxRouteOf(app);
    const now = new Date(app.clock.get());
    const conversations: Option[] =
      query.trim() === ''
        ? []
        : app.rows
            .keys()
            .flatMap((id) => {
              const row = app.rows.of(id).get();
              if (!row) return [];
              const match =
                matchText(row.subject, query) ??
                matchText(row.contact.name ?? '', query) ??
                matchText(`#${row.number}`, query);
              if (!match) return [];
              const address = place({
                page: 'inbox',
                workspaceId,
                view: open?.view ?? 'all',
                sort: open?.sort ?? 'waiting',
                conversationId: id,
              });
              const shown = matchText(row.subject, query) ?? {
                score: match.score,
                pieces: [{ text: phone(row.subject) || row.snippet, isMatch: false }],
              };
              return [
                {
                  key: id,
                  icon: channelIcon[row.channel],
                  colour: channelColour[row.channel],
                  match: shown,
                  end: `${row.contact.name ?? ''}, ${rowTime(row.lastAt, now)}`,
                  keys: [],
                  address,
                  run: () => app.go(readRoute(new URL(address, location.origin))),
                },
              ];
            })
            .sort((a, b) => a.match.score - b.match.score)
            .slice(0, perGroup);
    const contacts: Option[] = this.contacts.map((contact) => {
      const name = contact.name ?? contact.email ?? phone(contact.phone ?? t('contact.unnamed'));
      const address = place({ page: 'contact', workspaceId, contactId: contact.id });
      return {
        key: contact.id,
        icon: 'user' as const,
        match: matchText(name, query) ?? { score: 0, pieces: [{ text: name, isMatch: false }] },
        end: contact.email ?? phone(contact.phone ?? ''),
        keys: [],
        address,
        run: () => app.go({ page: 'contact', workspaceId, contactId: contact.id }),
      };
    });
    return [
      fromCommands('palette.here', (id) => ['conversation', 'answer'].includes(commands[id].group)),
      { title: 'palette.conversations' as const, options: conversations },
      { title: 'palette.contacts' as const, options: contacts },
      fromCommands('palette.timeline', (id) => commands[id].group === 'timeline'),
      fromCommands('palette.go', (id) => commands[id].group === 'go' || commands[id].group === 'move'),
    ].filter((group) => group.options.length > 0);
  }

  #run(option: Option | undefined, inNewTab: boolean): void {
    if (!option) return;
    if (inNewTab && option.address) {
      open(option.address, '_blank', 'noopener');
      return;
    }
    // First the page is there again, then the command: it may want the focus.
    this.#then = option.run;
    this.close();
  }

  protected override updated(): void {
    this.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }

  protected override render() {
    const groups = this.#groups();
    const options = groups.flatMap((group) => group.options);
    const at = Math.min(this.at, options.length - 1);
    const mod = this.app.keys.isMac ? '⌘↵' : 'Ctrl ↵';
    return html`<dialog class="pop palette" aria-label=${t('key.palette')}>
      <div class="q">${icon('search')}<input
          type="text"
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant=${at >= 0 ? `palette-${at}` : nothing}
          aria-label=${t('palette.placeholder')}
          placeholder=${t('palette.placeholder')}
          autocomplete="off"
          spellcheck="false"
          @input=${(event: Event & { currentTarget: HTMLInputElement }) => this.#search(event.currentTarget.value)}
          @keydown=${(event: KeyboardEvent) => {
            if (event.isComposing) return;
            if (event.key === 'ArrowDown') this.at = (at + 1) % Math.max(1, options.length);
            else if (event.key === 'ArrowUp')
              this.at = (at - 1 + options.length) % Math.max(1, options.length);
            else if (event.key === 'Enter') this.#run(options[at], event.metaKey || event.ctrlKey);
            else return;
            event.preventDefault();
          }}
        /><span class="kbd" aria-hidden="true">esc</span></div>
      <div class="opts" role="listbox" id="palette-list" aria-label=${t('key.palette')}>
        ${groups.map(
          (group) =>
            html`<div role="group" aria-label=${t(group.title)}><h4 aria-hidden="true">${t(group.title)}</h4>${group.options.map(
              (option) => {
                const index = options.indexOf(option);
                return html`<div class="opt" id="palette-${index}" role="option" aria-selected=${index === at} @pointermove=${() => {
                  this.at = index;
                }} @click=${(event: MouseEvent) => this.#run(option, event.metaKey || event.ctrlKey)}>
              ${icon(option.icon, undefined, option.colour)}<span class="cut" dir="auto">${option.match.pieces.map((piece) => (piece.isMatch ? html`<mark>${piece.text}</mark>` : piece.text))}</span><span class="end">${option.end}${keyCaps(option.keys)}</span>
            </div>`;
              },
            )}</div>`,
        )}
      </div>
      ${options.length === 0 ? html`<p class="none" role="status">${t('palette.nothing')}</p>` : nothing}
      <div class="ft" aria-hidden="true"><span>${keyCaps(['↑', '↓'])}${t('palette.move')}</span><span>${keyCaps(['↵'])}${t('palette.run')}</span><span>${keyCaps([mod])}${t('palette.new_tab')}</span></div>
    </dialog>`;
  }
}
customElements.define('tl-palette', Palette);
