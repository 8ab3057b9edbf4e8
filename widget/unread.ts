import type { Lent } from './shell.js';
import sheetText from './styles/badge.css';
import { unreadTextOf } from './texts/launcher.js';

/** Shows on the closed launcher how much is unread, in its name too; on an open one nothing. */
export function showUnread({ host, launcher, locale }: Lent, count: number): void {
  let badge = launcher.querySelector('span');
  if (!badge) {
    badge = document.createElement('span');
    launcher.append(badge);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(sheetText);
    host.shadowRoot?.adoptedStyleSheets.push(sheet);
  }
  badge.textContent = count ? `${count}` : '';
  if (count) launcher.ariaLabel = unreadTextOf(locale(), count);
}

/** Somebody who wrote here before: one small question, before anything of the chat is loaded. */
export async function askUnread(lent: Lent, token: string): Promise<void> {
  const answer = await fetch(`${lent.base}v1/visitor/unread`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { unread = 0 }: { unread?: number } = await answer.json();
  if (unread && lent.launcher.ariaExpanded === 'false') {
    showUnread(lent, unread);
    lent.emit('unread', unread);
  }
}
