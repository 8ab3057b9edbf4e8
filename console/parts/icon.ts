import { html, type TemplateResult } from 'lit';
import { type IconName, sprite } from '../icons/sprite.js';

/** Puts the symbols into the page, once. */
export function installIcons(root: HTMLElement): void {
  if (root.querySelector('#icons')) return;
  const holder = document.createElement('div');
  holder.id = 'icons';
  holder.hidden = true;
  // A constant of ours, made at build time.
  holder.innerHTML = `<svg xmlns="http://www.w3.org/2000/svg">${sprite}</svg>`;
  root.prepend(holder);
}

/** An icon says nothing to screen readers: the name stands on the button. `size`: s is 14 px, xs is 12. */
export function icon(name: IconName, size?: 's' | 'xs', colour?: string): TemplateResult {
  return html`<svg class="i ${size ?? ''} ${colour ?? ''}" aria-hidden="true"><use href="#i-${name}" /></svg>`;
}

export type Channel = 'chat' | 'email' | 'phone';
export const channelIcon: Record<Channel, IconName> = {
  chat: 'message-circle',
  email: 'mail',
  phone: 'phone',
};
/** The look's class for a channel's text colour. */
export const channelColour: Record<Channel, string> = { chat: 'c-chat', email: 'c-mail', phone: 'c-phone' };
/** The look's class for a channel's knot. */
export const channelKnot: Record<Channel, string> = { chat: 'chat', email: 'mail', phone: 'phone' };
